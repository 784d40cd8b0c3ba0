// What a server may make an agent read, and open, instead of a session.

import { describe, expect, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { startAgent } from "./agent.ts";
import { SessionDial } from "./session-dial.ts";
import { isLoopbackAddress } from "./upgrade-request.ts";

describe("security", () => {
  test.each([
    [true, ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1"]],
    [false, ["10.127.0.1", "192.0.2.127", "::ffff:10.127.0.1", "2001:db8::1", "::11", "1127.0.0.1", ""]],
  ])("that nobody reads along (%p) is known of this machine's own addresses alone: %j", (isOurs, addresses) => {
    expect(addresses.map(isLoopbackAddress)).toEqual(addresses.map(() => isOurs));
  });

  test("of a refusal that never ends 64 KiB are read", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write(`HTTP/1.1 500 No\r\n\r\n${"x".repeat(200_000)}`), error() {} },
    });
    const failed = Promise.withResolvers<string>();
    const events = { opened: () => expect.unreachable(), failed: failed.resolve };
    const dial = new SessionDial(new URL(`ws://127.0.0.1:${server.port}/`), null, events);
    expect(await failed.promise).toEndWith(" answered 500 to the session at /; does the proxy before it pass that on?");
    expect(dial["refusalBody"].length).toBe(64 * 1024);
  });

  test("however many tickets a server gives, eight are used", async () => {
    const used: (string | null)[] = [];
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, self) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/_tunnel/register") {
          const tickets = Array.from({ length: 50 }, (_, i) => `${i}`);
          const session = { path: "/_tunnel/s/0", connections: 50 };
          return Response.json({ subdomain: "a", url: "http://a", tunnelId: "t", tickets, session });
        }
        used.push(searchParams.get("ticket"));
        return self.upgrade(request, { headers: { "Sec-WebSocket-Protocol": "digit-link.v1" } })
          ? undefined
          : new Response();
      },
      websocket: { message() {} },
    });
    const tunnel = { protocol: "http", subdomain: "a", localHost: "127.0.0.1", localPort: 9 } as const;
    const agent = startAgent({
      ...{ server: `http://127.0.0.1:${server.port}`, token: "token", connections: 50, pool: false },
      tunnels: [{ ...tunnel, localHttps: false, insecureLocal: false, hostHeader: "preserve" }],
      ...{ version: "1.0.0", agentId: "test", onEvent() {} },
    });
    await eventually(() => used.length >= 8, "sessions are opened");
    await agent.stop(0);
    await server.stop(true);
    expect(used.sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });
});
