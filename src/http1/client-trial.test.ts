// Whether a target can be reached: what stands, what hangs up, what takes too long, and what takes connections and leaves them alone.

import { afterAll, expect, test } from "bun:test";
import type { Socket, SocketHandler, TCPSocketListener } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import { freePorts } from "../../test/helpers/free-ports.ts";
import { testTls } from "../../test/helpers/test-tls.ts";
import { brokenHandshake, type Target } from "./client-dial.ts";
import { tookTooLong, type TrialResult, tryTarget } from "./client-trial.ts";

const listeners: TCPSocketListener[] = [];
afterAll(() => listeners.forEach((one) => one.stop(true)));

/** A service that does this with its connections; `ends`: how they ended, as far as it was told. */
function serve(socket: Partial<SocketHandler>, isSecure = false) {
  const ends: string[] = [];
  const listener = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, ...(isSecure ? { tls: testTls } : {}) },
    socket: {
      ...{ data() {}, error() {} },
      end(one) {
        ends.push("end");
        one.end();
      },
      close: (_, error?: Error) => void ends.push(error === undefined ? "close" : "reset"),
      ...socket,
    },
  });
  listeners.push(listener);
  const target = (tls?: object): Target => ({ hostname: "127.0.0.1", port: listener.port, tls });
  return { ends, target };
}
const trusting = { rejectUnauthorized: false };
const stood = { ok: true as const, ms: expect.any(Number) as number, isStuck: false };
const closedAtOnce: TrialResult = { ok: false, why: "the connection was closed at once, before a word was said" };

test("what takes a connection and says nothing stands, and is left without a reset", async () => {
  const { ends, target } = serve({});
  const before = performance.now();
  const result = await tryTarget(target(), 5_000);
  expect(result).toEqual(stood);
  expect(result.ok && result.ms).toBeLessThan(performance.now() - before);
  await eventually(() => ends.length > 0, "our connection ends");
  expect(ends[0]).toBe("end");
});

test("what speaks first stands at once", async () => {
  // Not only after the moment that a silent one is given: its end comes before.
  const { target } = serve({ open: (one: Socket) => void one.end("220 hello\r\n") });
  expect(await tryTarget(target(), 5_000)).toEqual(stood);
});

test.each<[string, (one: Socket) => void]>([
  ["hangs up", (one) => void one.end()],
  ["half-closes", (one) => void one.shutdown()],
  ["resets", (one) => one.terminate()],
])("what %s before a word is said has nothing behind it", async (_, open) => {
  expect(await tryTarget(serve({ open }).target(), 5_000)).toEqual(closedAtOnce);
});

test("nobody there is said so", async () => {
  const [port = 0] = await freePorts(1);
  expect(await tryTarget({ hostname: "127.0.0.1", port }, 5_000)).toEqual({
    ok: false,
    why: "connection refused: nothing listens there",
  });
});

test("with TLS its handshake is part of it: done, broken off, or never begun", async () => {
  expect(await tryTarget(serve({}, true).target(trusting), 5_000, 50)).toEqual(stood);
  for (const hangUp of [(one: Socket) => void one.end(), (one: Socket) => one.terminate()]) {
    const broken: TrialResult = { ok: false, why: brokenHandshake };
    expect(await tryTarget(serve({ data: hangUp }).target(trusting), 5_000)).toEqual(broken);
    expect(await tryTarget(serve({ open: hangUp }).target({}), 5_000)).toEqual(broken);
  }
  const silent = serve({});
  expect(await tryTarget(silent.target(trusting), 200)).toEqual({ ok: false, why: tookTooLong });
  await eventually(() => silent.ends.length > 0, "our connection is closed");
});

test("what doesn't close what was closed to it in time is stuck; nobody looks unless asked to", async () => {
  const stuck = (): ReturnType<typeof serve> => serve({ end: () => {} });
  expect(await tryTarget(stuck().target(), 5_000, 100)).toEqual({ ...stood, isStuck: true });
  expect(await tryTarget(stuck().target(), 5_000)).toEqual(stood);
  expect(await tryTarget(serve({}).target(), 5_000, 5_000)).toEqual(stood);
  const resets = serve({ end: (one: Socket) => one.terminate() });
  expect((await tryTarget(resets.target(), 5_000, 5_000)).ok).toBe(false);
  const answers = serve({ end: (one: Socket) => void one.write("bye") });
  expect(await tryTarget(answers.target(), 5_000, 5_000)).toEqual(stood);
});
