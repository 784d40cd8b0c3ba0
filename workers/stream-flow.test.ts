// A stream between a visitor and a session, without either: what is kept until it may leave, and how long nothing has moved.

import { describe, expect, spyOn, test } from "bun:test";
import { FakeSession } from "../test/helpers/fake-session.ts";
import { FIN, ProtocolError, sessionWindowBytes, smallWindowBytes, UPGRADE } from "../src/protocol/frames.ts";
import type { Session } from "./session.ts";
import { StreamFlow } from "./stream-flow.ts";

class Plain extends StreamFlow {
  sentAll = 0;
  constructor(
    visitor: ConstructorParameters<typeof StreamFlow>[0],
    readonly openFlags: number,
  ) {
    super(visitor);
  }
  opened(): void {
    this.flushRequest();
  }
  fail(): void {}
  onReset(): void {}
  onHead(): void {}
  onData(bytes: Buffer, start: number, end: number): void {
    this.received(end - start);
    void bytes;
  }
  drained(): void {
    this.visitorDrained();
  }
  onEnd(): void {}
  onSessionLost(): void {}
  onTick(): void {}
  endIfQuiet(): void {}
  protected requestSent(): void {
    this.sentAll++;
  }
  silent(now: number): number {
    return this.silentMs(now);
  }
}

/** A stream that is not opened yet, with `credit` bytes of it when it is. */
function setUp(flags = 0, credit = 1_000) {
  const session = Object.assign(new FakeSession(), { requestCreditBytes: credit });
  const did: string[] = [];
  const visitor = {
    backlogBytes: 0,
    pauseReading: () => void did.push("pause"),
    resumeReading: () => void did.push("resume"),
  };
  const stream = new Plain(visitor, flags);
  const open = (now = performance.now()): void => {
    stream.bind(session as unknown as Session, 1, now);
    stream.opened();
  };
  const says = (text: string): void => stream.sendRequest(Buffer.from(`##${text}#`), 2, 2 + text.length);
  return { session, stream, visitor, did, open, says };
}

describe("what a visitor says before there is a session", () => {
  test.each([
    ["", null],
    [" and its trailers", Buffer.from("a: b\r\n")],
  ])("is kept unread on, and leaves in order with its end%s when there is one", (_, trailers) => {
    const { session, stream, did, open, says } = setUp();
    expect(stream.hasQueued).toBe(false);
    says("one ");
    expect([stream.hasQueued, did]).toEqual([true, ["pause"]]);
    says("two");
    stream.sendRequestEnd(trailers);
    // Its memory is somebody else's by then.
    trailers?.fill(0x23);
    expect([stream.sentAll, stream.bytesIn]).toEqual([0, 7]);
    did.length = 0;
    open();
    const { data, ends, frames } = session.take();
    expect([data, ends, did, stream.sentAll, stream.hasQueued]).toEqual(["one two", 1, ["resume"], 1, false]);
    expect(frames.at(-1)!.payload.toString()).toBe(trailers === null ? "one two" : "a: b\r\n");
  });

  test("security: byte by byte is kept as if it had come at once", () => {
    const { session, stream, open, says } = setUp(0, 1e6);
    const text = "0123456789".repeat(10_000);
    for (const byte of text) says(byte);
    expect(stream["early"]!.byteLength).toBeLessThan(3 * text.length);
    open();
    expect([session.take().data === text, stream["early"]]).toEqual([true, null]);
  });

  test("that is only an end is kept, too", () => {
    const { session, stream, open } = setUp();
    stream.sendRequestEnd(null);
    expect(stream.hasQueued).toBe(true);
    open();
    expect([session.take().ends, stream.sentAll]).toEqual([1, 1]);
  });

  test("waits for credit where it is more than that", () => {
    const { session, stream, did, open, says } = setUp(0, 4);
    says("one two");
    stream.sendRequestEnd(null);
    did.length = 0;
    open();
    expect([session.take(), did, stream.sentAll]).toMatchObject([{ data: "one ", ends: 0 }, [], 0]);
    stream.onWindow(3);
    expect([session.take(), did, stream.sentAll]).toMatchObject([{ data: "two", ends: 1 }, ["resume"], 1]);
  });
});

test("whoever says more than may leave is not read until it has left, and has not ended before", () => {
  const { session, stream, did, open, says } = setUp(0, 3);
  open();
  did.length = 0;
  says("one");
  expect(did).toEqual([]);
  expect([stream.room(), did]).toEqual([0, ["pause"]]);
  says("two");
  expect([did, stream.hasQueued]).toEqual([["pause", "pause"], true]);
  stream.onWindow(9);
  expect([session.take().data, did.at(-1), stream.room()]).toEqual(["onetwo", "resume", 6]);
  expect(did.at(-1)).toBe("resume");
  says("sevenxx");
  stream.sendRequestEnd(null);
  expect([session.take(), stream.sentAll]).toMatchObject([{ data: "sevenx", ends: 0 }, 0]);
  stream.onWindow(1);
  expect([session.take(), stream.sentAll]).toMatchObject([{ data: "x", ends: 1 }, 1]);
});

test("windows are of what the session has left, are granted anew as the visitor takes, and are given back at the end", () => {
  const { session, stream, visitor, open } = setUp();
  const { budget } = session;
  budget.take(sessionWindowBytes - 1, 0);
  open();
  expect([stream.windowBytes, stream.creditBytes]).toEqual([smallWindowBytes, 1_000]);
  visitor.backlogBytes = smallWindowBytes;
  stream.onData(Buffer.alloc(0), 0, smallWindowBytes);
  expect([session.take().granted, stream.bytesOut]).toEqual([0, smallWindowBytes]);
  expect(() => stream.onData(Buffer.alloc(0), 0, 1)).toThrow(ProtocolError);
  visitor.backlogBytes = 1;
  stream.drained();
  expect(session.take().granted).toBe(smallWindowBytes);
  stream.unbind();
  expect([budget.take(1, 0), budget.take(1, 0)]).toEqual([1, 0]);
});

test("a request without bytes keeps what it is granted as a number, within bounds; an upgrade may yet have some", () => {
  const { stream, open } = setUp(FIN);
  open();
  stream.onWindow(5);
  expect([stream.creditBytes, stream.room(), stream.hasQueued]).toEqual([1_005, Infinity, false]);
  expect(() => stream.onWindow(0xffff_ffff)).toThrow(ProtocolError);
  const upgrade = setUp(FIN | UPGRADE);
  upgrade.open();
  expect(upgrade.stream.room()).toBe(1_000);
});

describe("how long nothing has moved", () => {
  test("counts from the last byte either way, and not at all while something waits", () => {
    const { stream, visitor, open, says } = setUp(0, 4);
    open(1_000);
    expect(stream.silent(3_000)).toBe(2_000);
    says("one");
    expect(stream.silent(3_000)).toBe(0);
    stream.movedMuch(4_000);
    expect(stream.silent(9_000)).toBe(5_000);
    stream.onData(Buffer.alloc(0), 0, 3);
    expect(stream.silent(9_000)).toBe(0);
    stream.movedMuch(10_000);
    stream.movedMuch(11_000);
    expect(stream.silent(12_000)).toBe(2_000);
    visitor.backlogBytes = 1;
    expect(stream.silent(12_000)).toBe(0);
    visitor.backlogBytes = 0;
    says("two");
    stream.movedMuch(13_000);
    expect([stream.hasQueued, stream.silent(15_000)]).toEqual([true, 0]);
  });

  test("is what a request's time-out counts from, too: bytes of it, and credit for more", () => {
    const now = spyOn(performance, "now");
    try {
      const { stream, open, says } = setUp(0, 4);
      open(1_000);
      const moved = [];
      for (const [at, moves] of [
        [2_000, () => says("one")],
        [3_000, () => says("two")],
        [4_000, () => stream.onWindow(1)],
        [5_000, () => stream.onWindow(9)],
        [6_000, () => stream.flushRequest()],
      ] as const) {
        now.mockReturnValue(at);
        moves();
        moved.push(stream.movedAt);
      }
      expect(moved).toEqual([2_000, 3_000, 4_000, 5_000, 6_000]);
    } finally {
      now.mockRestore();
    }
  });

  test("much is a mebibyte, both ways together, since it was last asked", () => {
    const { stream, open } = setUp();
    open();
    stream.bytesIn = 600_000;
    expect(stream.movedMuch(1)).toBe(false);
    stream.bytesIn += 500_000;
    stream.bytesOut = 548_575;
    expect(stream.movedMuch(2)).toBe(false);
    stream.bytesOut += 1024 * 1024;
    expect([stream.movedMuch(3), stream.movedMuch(4)]).toEqual([true, false]);
  });
});
