// What a server may make an agent hold: streams, heads in pieces, and sessions that come to nothing.

import { describe, expect, spyOn, test } from "bun:test";
import { readFrames } from "../../test/helpers/read-frames.ts";
import { closeCode, GO_AWAY, MORE, MORE_HEAD, NOTICE, OPEN, REGISTERED, RESET } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import type { SessionSocket } from "../../src/protocol/session-socket.ts";
import { AgentSession } from "./session.ts";
import type { AgentStream } from "./session-owner.ts";

/** A session whose server is played by the test. `isOver`: streams end while they are made. */
function setUp(isOver = false) {
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const closed: unknown[] = [];
  const ends: string[] = [];
  const resets: number[] = [];
  const owner = {
    open: () => ({ over: isOver, onReset: () => {} }) as unknown as AgentStream,
    check: () => Promise.resolve({ ok: true }),
    ...{ ready() {}, notice() {}, goAway() {} },
    closed: (_session: AgentSession, _code: number, reason: string) => void ends.push(reason),
  };
  const session = new AgentSession(owner, new URL(`ws://127.0.0.1:${silent.port}/`));
  const socket = {
    ...{ start() {}, backlogBytes: 0, close: (code: number, why: string) => void closed.push(code, why) },
    sendBinary: (bytes: Buffer, start: number, end: number) =>
      readFrames(Buffer.from(bytes.subarray(start, end)), {
        frame: (type, _flags, id) => void (type === RESET && resets.push(id)),
      }),
  };
  const begin = (): void => session.opened(socket as unknown as SessionSocket);
  const server = new Outbox({ send: (bytes, start, end) => session.received(bytes, start, end, true) });
  const frame = (type: number, flags: number, id: number, payload: Buffer): void => {
    server.frame(type, flags, id, payload, 0, payload.length);
    server.flush();
  };
  const stop = (): void => {
    session.closed(1000, "done");
    silent.stop(true);
  };
  return { session, begin, frame, closed, ends, resets, [Symbol.dispose]: stop };
}
const head = Buffer.alloc(8 + 60_000);

describe("security", () => {
  test.each<[string, string, (frame: ReturnType<typeof setUp>["frame"]) => void]>([
    [
      "a stream that begins within another's head",
      "stream ids must rise",
      (frame) => [1, 2].forEach((id) => frame(OPEN, MORE, id, head)),
    ],
    ["a number that was used", "stream ids must rise", (frame) => [1, 1].forEach((id) => frame(OPEN, 0, id, head))],
    [
      "a head without end",
      "a head is too large",
      (frame) => {
        frame(OPEN, MORE, 1, head);
        for (let i = 0; i < 3; i++) frame(MORE_HEAD, MORE, 1, head);
      },
    ],
    ...[REGISTERED, NOTICE, GO_AWAY].map(
      (type): [string, string, (frame: ReturnType<typeof setUp>["frame"]) => void] => [
        `a page of JSON in frame type ${type}`,
        "a control frame is larger than 8 KiB",
        (frame) => frame(type, 0, 0, Buffer.from(`{"message":"${"x".repeat(8192)}"}`)),
      ],
    ),
  ])("%s ends the session", (_, why, send) => {
    using one = setUp();
    one.begin();
    send(one.frame);
    expect(one.closed.slice(0, 2)).toEqual([closeCode.protocol, why]);
  });

  test("10,000 streams are held, those beyond are refused one by one", () => {
    using one = setUp();
    one.begin();
    for (let id = 1; id <= 10_002; id++) one.frame(OPEN, 0, id, Buffer.alloc(8));
    one.session.outbox.flush();
    expect([one.session.streams.size, one.resets, one.closed]).toEqual([10_000, [10_001, 10_002], []]);
  });

  test("times that no server means are not taken", () => {
    using one = setUp();
    one.begin();
    one.frame(REGISTERED, 0, 0, Buffer.from(JSON.stringify({ pingIntervalMs: 0, deadAfterMs: -1 })));
    const { pingAfterMs, deadAfterMs } = one.session["liveness"];
    expect([pingAfterMs, deadAfterMs]).toEqual([12_500, 25_000]);
  });

  test("a server that never agrees is given up after 15 s", () => {
    using one = setUp();
    one.session["tick"](performance.now() + 14_000);
    expect(one.ends).toEqual([]);
    one.session["tick"](performance.now() + 16_000);
    expect(one.ends).toEqual(["the server did not open a session in time"]);
  });
});

test("a stream that is reset before its head is whole never begins", () => {
  using one = setUp();
  one.begin();
  one.frame(OPEN, MORE, 1, Buffer.alloc(8));
  one.frame(RESET, 0, 1, Buffer.from([0, 1]));
  one.frame(MORE_HEAD, 0, 1, Buffer.alloc(8));
  one.frame(OPEN, 0, 2, Buffer.alloc(8));
  expect([[...one.session.streams.keys()], one.closed]).toEqual([[2], []]);
});

test("a stream that ends while it is made is not held", () => {
  using one = setUp(true);
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  expect(one.session.streams.size).toBe(0);
});

test("a session that leaves closes with its last stream, and looks at the clock no more", () => {
  const clear = spyOn(globalThis, "clearInterval");
  using one = setUp();
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  one.session.leave(1_000);
  expect(one.closed).toEqual([]);
  one.session.remove(1);
  expect(one.closed).toEqual([1000, "finished"]);
  one.session.closed(1000, "finished");
  expect(clear).toHaveBeenCalledWith(one.session["timer"]);
  clear.mockRestore();
});
