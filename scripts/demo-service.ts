// The sample local service of the demo: a page, JSON, an event stream and a WebSocket echo.

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hello from your laptop</title>
<style>body{font:18px/1.6 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1.5rem;color-scheme:light dark}code{background:#8882;padding:.1em .35em;border-radius:.3em}</style>
<h1>Hello from your laptop</h1><p>This page is served by a program on this machine and reached you through a digit-link tunnel.</p>
<p>Try <code>/hello</code> (JSON), <code>/events</code> (one event a second) and a WebSocket at <code>/ws</code>.</p></html>`;

/** Listens on a free port of 127.0.0.1 until the process ends. */
export function startSampleService(): { port: number } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request, self) {
      const { pathname } = new URL(request.url);
      if (pathname === "/ws" && self.upgrade(request, { data: undefined })) return;
      if (pathname === "/hello") {
        const headers = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"];
        return Response.json({
          hello: "from your laptop",
          seen: Object.fromEntries(headers.map((name) => [name, request.headers.get(name)])),
        });
      }
      if (pathname === "/events")
        return new Response(events(request.signal), { headers: { "content-type": "text/event-stream" } });
      return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
  return { port: server.port ?? 0 };
}

async function* events(signal: AbortSignal): AsyncGenerator<string> {
  for (let n = 1; !signal.aborted; n++) {
    yield `data: event ${n} at ${new Date().toISOString()}\n\n`;
    await Bun.sleep(1_000);
  }
}
