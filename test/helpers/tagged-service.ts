// A local service that says who it is and what it got, for tests that look for answers and bodies in wrong hands.

export interface TaggedService extends AsyncDisposable {
  readonly tag: string;
  readonly port: number;
  /** How often each `X-Id` was seen. */
  readonly seen: ReadonlyMap<string, number>;
}

/**
 * Echoes bodies with `X-Service: TAG` and the request's `X-Id`. `/slow/MS` waits before it answers, `/size/N` answers with N bytes,
 * `/drip/N` with N parts, 50 ms apart.
 */
export function startTaggedService(tag: string): TaggedService {
  const seen = new Map<string, number>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    maxRequestBodySize: 8 * 1024 ** 3,
    async fetch(request) {
      const id = request.headers.get("x-id") ?? "";
      if (id !== "") seen.set(id, (seen.get(id) ?? 0) + 1);
      const headers = { "X-Service": tag, "X-Id": id };
      const [, name, value] = new URL(request.url).pathname.split("/");
      if (name === "slow") await Bun.sleep(Number(value));
      if (name === "size") return new Response(new Uint8Array(Number(value)), { headers });
      if (name === "drip") return new Response(drip(Number(value)), { headers });
      return new Response(await request.bytes(), { headers });
    },
  });
  return { tag, port: server.port ?? 0, seen, [Symbol.asyncDispose]: () => server.stop(true) };
}

async function* drip(parts: number): AsyncGenerator<string> {
  for (let i = 0; i < parts; i++) {
    yield `part ${i}\n`;
    await Bun.sleep(50);
  }
}
