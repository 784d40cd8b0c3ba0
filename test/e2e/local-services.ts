// Local services behind the tunnels of live pages.

/** Says ok, and 500 on `/broken`, until it is stopped. */
export const serve = (port = 0) =>
  Bun.serve({
    port,
    hostname: "127.0.0.1",
    fetch: (request) => new Response("ok", { status: new URL(request.url).pathname === "/broken" ? 500 : 200 }),
  });

/** The same for `using`. */
export function serveDisposable(): { port: number } & Disposable {
  const server = serve();
  return { port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) };
}

/** Its `/held` answers when `held` is over. */
export function serveHeld(held: Promise<void>): { port: number } & AsyncDisposable {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (request.url.endsWith("/held")) await held;
      return new Response("ok");
    },
  });
  return { port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) };
}
