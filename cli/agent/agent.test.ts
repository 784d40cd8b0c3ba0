// Several tunnels of one agent, at a server that refuses some of their names for good.

import { expect, test } from "bun:test";
import type { AgentEvent } from "./types.ts";
import { REGISTERED } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import { eventually } from "../../test/helpers/eventually.ts";
import { startAgent } from "./agent.ts";

function startPickyServer() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, self) {
      if (new URL(request.url).pathname !== "/_tunnel/register") {
        const headers = { "Sec-WebSocket-Protocol": "digit-link.v1" };
        return self.upgrade(request, { headers }) ? undefined : new Response();
      }
      const { subdomain } = (await request.json()) as { subdomain: string };
      if (subdomain.startsWith("taken"))
        return Response.json(
          { error: { code: "name_taken", message: `${subdomain} is taken.`, retryable: false } },
          { status: 409 },
        );
      const session = { path: "/_tunnel/s/0", connections: 1 };
      return Response.json({ subdomain, url: `http://${subdomain}`, tunnelId: "t", tickets: ["one"], session });
    },
    websocket: {
      open: (ws) =>
        new Outbox((bytes, start, end) => void ws.sendBinary(bytes.subarray(start, end))).session(REGISTERED, {
          protocol: 1,
          tunnelId: "t",
        }),
      message() {},
    },
  });
  return { server: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

function startWith(server: string, names: string[]) {
  const events: AgentEvent[] = [];
  const local = { localHost: "127.0.0.1", localPort: 9, localHttps: false, insecureLocal: false };
  const agent = startAgent({
    ...{ server, token: "token", connections: 1, pool: false, version: "1.0.0", agentId: "test" },
    tunnels: names.map((subdomain) => ({ protocol: "http", subdomain, hostHeader: "preserve", ...local })),
    onEvent: (event) => void events.push(event),
  });
  return { agent, events };
}

test("a tunnel that is refused for good leaves the others alone, and is the agent's end when that comes", async () => {
  await using picky = startPickyServer();
  const { agent, events } = startWith(picky.server, ["web", "taken", "api"]);
  let isOver = false;
  void agent.done.then(() => (isOver = true));
  const said = () => events.map((event) => `${event.event} ${"subdomain" in event ? event.subdomain : ""}`).toSorted();
  await eventually(() => said().length === 3, "two tunnels are ready, one is refused");
  expect(said()).toEqual(["refused taken", "tunnel.ready api", "tunnel.ready web"]);
  expect(isOver).toBe(false);
  await agent.stop(0);
  expect(events).toHaveLength(3);
  expect(await agent.done).toEqual({ reason: "refused", code: "name_taken", message: "taken is taken." });
});

test("the agent ends by itself when the last one is refused, with the first tunnel's reason", async () => {
  await using picky = startPickyServer();
  const { agent } = startWith(picky.server, ["taken1", "taken2"]);
  expect(await agent.done).toMatchObject({ reason: "refused", message: "taken1 is taken." });
});
