// One session of an agent: who asks whether the other is still there.

import { expect, spyOn, test } from "bun:test";
import { PING, REGISTERED, subprotocol } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import { AgentSession } from "./session.ts";

test("the server asks first: the agent pings when it has heard nothing for a quarter longer", async () => {
  const ready = Promise.withResolvers<void>();
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request, { headers: { "Sec-WebSocket-Protocol": subprotocol } }) ? undefined : new Response(),
    websocket: {
      open(ws) {
        const outbox = new Outbox({ send: (bytes, start, end) => void ws.sendBinary(bytes.subarray(start, end)) });
        outbox.session(REGISTERED, { protocol: 1, tunnelId: "t", pingIntervalMs: 10_000, deadAfterMs: 25_000 });
      },
      message() {},
    },
  });
  const owner = {
    ready: () => ready.resolve(),
    open: () => expect.unreachable(),
    check: () => Promise.resolve({ ok: true }),
    ...{ notice() {}, goAway() {}, closed() {} },
  };
  const session = new AgentSession(owner, new URL(`ws://127.0.0.1:${server.port}/`));
  await ready.promise;
  const said = spyOn(session.outbox, "sessionNow");
  const start = performance.now();
  const pingsAfter = (seconds: number): number => {
    (session as unknown as { tick(now: number): void }).tick(start + seconds * 1_000);
    return said.mock.calls.filter(([type]) => type === PING).length;
  };
  // Once a second, as its timer does it.
  const pings = Array.from({ length: 14 }, (_, i) => pingsAfter(i + 1));
  expect(pings.slice(8)).toEqual([0, 0, 0, 0, 1, 1]);
  session.close(1000, "done");
});
