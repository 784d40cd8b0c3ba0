// What the streams of a session hear, and how it ends: told to go, leaving, or lost.

import { describe, expect, spyOn, test } from "bun:test";
import { playServer as setUp } from "../../test/helpers/play-server.ts";
import {
  CHECK,
  CHECKED,
  DATA,
  END,
  FIN,
  GO_AWAY,
  MORE,
  MORE_HEAD,
  OPEN,
  PING,
  PONG,
} from "../../src/protocol/frames.ts";
import { RESET, resetCode, WINDOW } from "../../src/protocol/frames.ts";

test("a head in pieces is one, with the windows and flags of its first", () => {
  using one = setUp();
  one.begin();
  const pieces: [number, number, string][] = [
    [OPEN, MORE | FIN, "\0\0\0\x01\0\0\0\x02GET "],
    // Longer than what came, in whose memory it may lie.
    [MORE_HEAD, MORE, "/a/longer/path HTTP"],
    [MORE_HEAD, 0, "/1.1"],
  ];
  for (const [type, flags, text] of pieces) one.frame(type, flags, 1, Buffer.from(text, "latin1"));
  expect([one.begun, one.closed]).toEqual([[[FIN, "GET /a/longer/path HTTP/1.1", 1, 2]], []]);
});

test("a stream hears its frames, and of no bytes that are none", () => {
  using one = setUp();
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
  one.frame(DATA, 0, 1, bytes("body"));
  one.frame(DATA, 0, 1, bytes(""));
  one.frame(DATA, FIN, 1, bytes(""));
  one.frame(DATA, FIN, 1, bytes("last"));
  one.frame(END, FIN, 1, bytes(""));
  one.frame(END, FIN, 1, bytes("a: b\r\n"));
  one.frame(WINDOW, 0, 1, bytes("\0\0\x01\0"));
  one.frame(RESET, 0, 1, bytes("\x04"));
  one.frame(RESET, 0, 1, bytes("\0\x04"));
  const resets = [
    [resetCode.cancel, "the visitor left"],
    [resetCode.timeout, "the visitor left"],
  ];
  expect(one.heard).toEqual(["body", "end", "last", "end", "end", "end a: b\r\n", 256, ...resets]);
  expect(one.closed).toEqual([]);
});

describe("a session that is told to go", () => {
  const goAway = Buffer.from(JSON.stringify({ reason: "drain", deadlineMs: 1_000, retryable: true }));

  test("takes what comes behind the word, as that may overtake it", () => {
    using one = setUp();
    one.begin();
    one.frame(GO_AWAY, 0, 0, goAway);
    one.session["tick"](performance.now());
    one.frame(OPEN, 0, 1, Buffer.alloc(8));
    for (let i = 0; i < 3; i++) one.session["tick"](performance.now());
    expect([[...one.session.streams.keys()], one.closed]).toEqual([[1], []]);
  });

  test("closes behind its last stream when the server doesn't, and a stop of the agent has nothing to add", () => {
    using one = setUp();
    one.begin();
    for (const id of [1, 2]) one.frame(OPEN, 0, id, Buffer.alloc(8));
    one.frame(GO_AWAY, 0, 0, goAway);
    const said = spyOn(one.session.outbox, "session");
    one.session.leave(1_000);
    one.session.remove(1);
    expect([one.closed, said.mock.calls]).toEqual([[], []]);
    one.session.remove(2);
    one.session["tick"](performance.now());
    expect(one.closed).toEqual([]);
    one.session["tick"](performance.now());
    expect(one.closed).toEqual([1000, "finished"]);
  });

  test("tells the streams that are left why they end: not that the server was lost", () => {
    using one = setUp();
    one.begin();
    one.frame(OPEN, 0, 1, Buffer.alloc(8));
    one.frame(GO_AWAY, 0, 0, goAway);
    one.session.closed(4000, "time is up");
    expect(one.heard).toEqual([[resetCode.cancel, "there was no more time to finish"]]);
    using lost = setUp();
    lost.begin();
    lost.frame(OPEN, 0, 1, Buffer.alloc(8));
    lost.session.closed(1006, "broken");
    expect(lost.heard).toEqual([[resetCode.cancel, "the connection to the server was lost"]]);
  });
});

test("a session stays when its last stream ends", () => {
  using one = setUp();
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  one.session.remove(1);
  expect(one.closed).toEqual([]);
});

test("a session that leaves says so at once, and the last of its last stream leaves before it closes", () => {
  using one = setUp();
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  one.session.leave(1_000);
  const goAway = JSON.stringify({ reason: "the agent stops", deadlineMs: 1_000, retryable: false });
  expect(one.sent).toEqual([[GO_AWAY, 0, goAway]]);
  one.session.outbox.end(1);
  one.session.remove(1);
  for (let i = 0; i < 2; i++) one.session["tick"](performance.now());
  expect([one.sent.slice(1), one.closed]).toEqual([[[END, 1, ""]], [1000, "finished"]]);
});

test("a server that asks is answered: whether the agent is there, and whether its local service is", async () => {
  using one = setUp();
  one.begin();
  one.frame(PING, 0, 0, Buffer.from("12345678"));
  expect(one.sent).toEqual([[PONG, 0, "12345678"]]);
  Object.assign(one.session["liveness"], { heardAt: 0 });
  for (const text of ["12345678", "", "123", "x".repeat(65_000)]) one.frame(PONG, 0, 0, Buffer.from(text));
  expect(one.session.heardAt).toBeGreaterThan(0);
  one.frame(CHECK, 0, 7, Buffer.alloc(0));
  await Promise.resolve();
  one.session.outbox.flush();
  expect([one.sent.slice(1), one.closed]).toEqual([[[CHECKED, 7, '{"ok":true}']], []]);
  one.frame(CHECK, 0, 8, Buffer.alloc(0));
  one.session.closed(1006, "lost");
  const said = spyOn(one.session.outbox, "session");
  await Promise.resolve();
  expect(said.mock.calls).toEqual([]);
});

test("what comes late of streams that are over changes nothing of a head that comes in pieces, nor of none", () => {
  using one = setUp();
  one.begin();
  one.frame(OPEN, 0, 1, Buffer.alloc(8));
  one.session.remove(1);
  const late = (): void => {
    one.frame(RESET, 0, 1, Buffer.from([0, 1]));
    one.frame(WINDOW, 0, 1, Buffer.from([0, 0, 0, 1]));
  };
  late();
  one.frame(OPEN, MORE, 2, Buffer.alloc(8));
  late();
  one.frame(WINDOW, 0, 2, Buffer.from([0, 0, 0, 1]));
  one.frame(MORE_HEAD, 0, 2, Buffer.alloc(8));
  expect([[...one.session.streams.keys()], one.closed, one.heard]).toEqual([[2], [], []]);
});

test("a session that leaves says so, and closes when nothing runs on it, or before it began", () => {
  using one = setUp();
  one.begin();
  one.session.leave(1_000);
  one.frame(OPEN, MORE, 1, Buffer.alloc(8));
  for (let i = 0; i < 3; i++) one.session["tick"](performance.now());
  expect(one.closed).toEqual([]);
  one.frame(MORE_HEAD, 0, 1, Buffer.alloc(8));
  one.session.remove(1);
  for (let i = 0; i < 2; i++) one.session["tick"](performance.now());
  expect(one.closed).toEqual([1000, "finished"]);
  using young = setUp();
  young.session.leave(1_000);
  expect(young.ends).toEqual(["stopped"]);
  const said = spyOn(young.session.outbox, "session");
  young.session.leave(1_000);
  expect([young.ends, said.mock.calls]).toEqual([["stopped"], []]);
});

test("above 256 KiB unsent the session is congested, until half of it has left", () => {
  using one = setUp();
  one.begin();
  const after = (backlogBytes: number, step: () => void): boolean => {
    one.socket.backlogBytes = backlogBytes;
    step();
    return one.session.congested;
  };
  const send = (): void => one.session.send(Buffer.alloc(8), 0, 0);
  const drained = (): void => one.session.drained();
  expect([
    after(256 * 1024 - 1, send),
    after(256 * 1024, send),
    after(128 * 1024 + 1, drained),
    after(128 * 1024, drained),
  ]).toEqual([false, true, true, false]);
  const flushed: number[] = [];
  for (const id of [1, 2]) one.session.streams.set(id, { hasQueued: id === 2, flush: () => flushed.push(id) } as never);
  after(128 * 1024 + 1, drained);
  expect(flushed).toEqual([]);
  after(128 * 1024, drained);
  expect(flushed).toEqual([2]);
  one.session.streams.clear();
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
  for (let i = 0; i < 2; i++) one.session["tick"](performance.now());
  expect(one.closed).toEqual([1000, "finished"]);
  one.session.closed(1000, "finished");
  expect(clear).toHaveBeenCalledWith(one.session["timer"]);
  clear.mockRestore();
});
