// Pumping between two sockets: order, back-pressure, half-close, and the end of either.

import { expect, jest, test } from "bun:test";
import { writeSync } from "node:fs";
import { eventually } from "../../test/helpers/eventually.ts";
import type { PipeSocket } from "./late-socket.ts";
import { closeDescriptor, createPair, hasHungUp } from "../lib/descriptor.ts";
import { pipeThrough, pump } from "./pipe.ts";

const meta = { address: "127.0.0.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false };

/** A socket that takes as many bytes as it has `room` for, and writes down what is done to it. */
class FakeSocket implements PipeSocket {
  /** Only what looks at descriptors needs a real one. */
  fd = -1;
  room = Infinity;
  taken = "";
  log: string[] = [];
  write(chunk: Parameters<PipeSocket["write"]>[0], offset = 0): number {
    if (this.room < 0) return -1;
    const bytes = Buffer.from(chunk as Uint8Array).subarray(offset, offset + this.room);
    this.room -= bytes.length;
    this.taken += bytes.toString();
    return bytes.length;
  }
  pause = (): void => void this.log.push("pause");
  resume = (): void => void this.log.push("resume");
  shutdown = (): void => void this.log.push("shutdown");
  end = (): void => void this.log.push("end");
  terminate = (): void => void this.log.push("terminate");
}

function setUp(): { a: FakeSocket; b: FakeSocket; ends: ReturnType<typeof pump>; closed: () => number } {
  const [a, b] = [new FakeSocket(), new FakeSocket()];
  let closed = 0;
  return { a, b, ends: pump(a, b, () => closed++), closed: () => closed };
}

test("what is not taken waits, in order, and its source is paused until all of it is taken", () => {
  const { a, b, ends } = setUp();
  b.room = 3;
  ends.a.received(Buffer.from("hello "));
  ends.a.received(Buffer.from("world"));
  expect([b.taken, a.log.join()]).toEqual(["hel", "pause"]);
  b.room = 5;
  ends.b.drain();
  expect([b.taken, a.log.join()]).toEqual(["hello wo", "pause"]);
  b.room = Infinity;
  ends.b.drain();
  expect([b.taken, a.log.join()]).toEqual(["hello world", "pause,resume"]);
});

test("a FIN follows the last byte as a shutdown, and the other way stays open", () => {
  const { a, b, ends, closed } = setUp();
  b.room = 1;
  ends.a.received(Buffer.from("xy"));
  ends.a.end();
  expect(b.log).toEqual([]);
  b.room = Infinity;
  ends.b.drain();
  expect([b.taken, b.log.join()]).toEqual(["xy", "shutdown"]);
  ends.b.received(Buffer.from("answer"));
  // Bun reports the second FIN of a socket that is shut down as a close without an error.
  ends.b.close();
  expect([a.taken, a.log.join(), closed()]).toEqual(["answer", "pause,end", 0]);
  ends.a.close();
  expect(closed()).toBe(1);
});

test("a reset terminates the other side, bytes or not", () => {
  const { b, ends, closed } = setUp();
  b.room = 0;
  ends.a.received(Buffer.from("x"));
  ends.a.close(new Error("ECONNRESET"));
  expect(b.log).toEqual(["terminate"]);
  ends.b.close();
  expect(closed()).toBe(1);
});

test("a throw of ours terminates the other side, too: what was half passed on has no clean end", () => {
  const { b, ends } = setUp();
  ends.a.received(Buffer.from("x"));
  ends.a.threw();
  ends.a.close();
  expect(b.log).toEqual(["terminate"]);
});

test("a close does not cut off what the other side has still to take", () => {
  const { a, b, ends } = setUp();
  b.room = 2;
  ends.a.received(Buffer.from("last words"));
  ends.a.end();
  ends.a.close();
  expect(b.log).toEqual([]);
  b.room = Infinity;
  ends.b.drain();
  expect([b.taken, b.log.join()]).toEqual(["last words", "end"]);
  expect(a.log).not.toContain("resume");
});

test("a socket that refuses to be written to is terminated, not retried", () => {
  const { b, ends } = setUp();
  b.room = -1;
  ends.a.received(Buffer.from("x"));
  expect(b.log).toEqual(["terminate"]);
});

test("what waits is tried again by itself: a slow reader's kernel may not say for minutes that it takes more", () => {
  jest.useFakeTimers();
  try {
    const { a, b, ends } = setUp();
    b.room = 1;
    ends.a.received(Buffer.from("slowly"));
    b.room = 2;
    jest.advanceTimersByTime(1_000);
    expect([b.taken, a.log.join()]).toEqual(["slo", "pause"]);
    b.room = Infinity;
    jest.advanceTimersByTime(1_000);
    expect([b.taken, a.log.join()]).toEqual(["slowly", "pause,resume"]);
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test("a socket that takes nothing of what is left is given up, however often it is tried", () => {
  jest.useFakeTimers();
  try {
    const { b, ends, closed } = setUp();
    b.room = 0;
    ends.a.received(Buffer.from("left"));
    ends.a.end();
    ends.a.close();
    jest.advanceTimersByTime(29_000);
    expect(b.log).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(b.log).toEqual(["terminate"]);
    ends.b.close();
    expect([closed(), jest.getTimerCount()]).toEqual([1, 0]);
  } finally {
    jest.useRealTimers();
  }
});

test("one that takes what is left, however slowly, is not given up; one that refuses it is at once", () => {
  jest.useFakeTimers();
  try {
    const { b, ends } = setUp();
    b.room = 0;
    ends.a.received(Buffer.from("left"));
    ends.a.end();
    ends.a.close();
    for (let i = 0; i < 3; i++) {
      jest.advanceTimersByTime(20_000);
      b.room = 1;
    }
    jest.advanceTimersByTime(1_000);
    expect([b.taken, b.log.join()]).toEqual(["lef", ""]);
    b.room = -1;
    ends.b.drain();
    expect(b.log).toEqual(["terminate"]);
    ends.b.close();
  } finally {
    jest.useRealTimers();
  }
});

test("a visitor that takes nothing doesn't keep a pipe whose other side is gone, though nobody says so while that side is paused", () => {
  const [fd, other] = createPair()!;
  jest.useFakeTimers();
  try {
    const { a, b, ends } = setUp();
    a.fd = fd;
    b.room = 0;
    ends.a.received(Buffer.from("left"));
    jest.advanceTimersByTime(60_000);
    expect([b.log.join(), hasHungUp(a)]).toEqual(["", false]);
    closeDescriptor(other);
    expect(hasHungUp(a)).toBe(true);
    jest.advanceTimersByTime(29_000);
    expect(b.log).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(b.log).toEqual(["terminate"]);
    ends.b.close();
  } finally {
    jest.useRealTimers();
    closeDescriptor(fd);
  }
});

test("nor does it keep one whose other side is a descriptor handed over", async () => {
  jest.useFakeTimers();
  try {
    const visitor = new FakeSocket();
    const { promise: isHeld, resolve } = Promise.withResolvers<void>();
    visitor.write = () => {
      resolve();
      return 0;
    };
    let theirs = -1;
    const end = pipeThrough(visitor, { ...meta, unread: "" }, ({ fd }) => (theirs = fd) >= 0)!;
    writeSync(theirs, "left");
    await isHeld;
    jest.advanceTimersByTime(60_000);
    expect(visitor.log).toEqual([]);
    closeDescriptor(theirs);
    jest.advanceTimersByTime(29_000);
    expect(visitor.log).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(visitor.log).toEqual(["terminate"]);
    end.close();
  } finally {
    jest.useRealTimers();
  }
});

test("a throw while bytes of the other thread are passed on terminates the visitor, whose connection would end cleanly", async () => {
  const visitor = new FakeSocket();
  visitor.write = () => {
    throw new Error("a bug of ours");
  };
  let theirs = -1;
  const end = pipeThrough(visitor, { ...meta, unread: "GET / HTTP/1.1\r\n" }, ({ fd }) => (theirs = fd) >= 0)!;
  writeSync(theirs, "half of it");
  await eventually(() => visitor.log.length > 0, "it ends");
  expect(visitor.log).toEqual(["terminate"]);
  end.close();
  closeDescriptor(theirs);
});
