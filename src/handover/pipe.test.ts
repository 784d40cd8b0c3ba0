// Pumping between two sockets: order, back-pressure, half-close, and the end of either.

import { expect, jest, test } from "bun:test";
import { FakePipeSocket } from "../../test/helpers/fake-pipe-socket.ts";
import { closeDescriptor, createPair, hasHungUp } from "../lib/descriptor.ts";
import { markedAs } from "../lib/send-queue.ts";
import { pump } from "./pipe.ts";

function setUp(): { a: FakePipeSocket; b: FakePipeSocket; ends: ReturnType<typeof pump>; closed: () => number } {
  const [a, b] = [new FakePipeSocket(), new FakePipeSocket()];
  let closed = 0;
  return { a, b, ends: pump(a, b, () => closed++), closed: () => closed };
}

test("what is not taken waits, in order, and its source is paused until all of it is taken", () => {
  const { a, b, ends } = setUp();
  b.room = 3;
  ends.a.received(Buffer.from("hello "));
  // The kernel takes more by now, but what waits comes first.
  b.room = 5;
  ends.a.received(Buffer.from("world"));
  expect([b.taken, a.log.join()]).toEqual(["hel", "pause"]);
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

test("a socket that has closed is not written to any more", () => {
  const { b, ends } = setUp();
  ends.b.close();
  ends.a.received(Buffer.from("late"));
  ends.a.end();
  expect([b.taken, b.log.join()]).toEqual(["", ""]);
});

test.each([
  ["FIN", "whole", "shutdown"],
  ["close", "whole", "end"],
  ["FIN", "unfinished", "terminate"],
  ["close", "unfinished", "terminate"],
] as const)(
  "where only the end of a connection ends an answer, a %s when it is %s is passed on as %s",
  (how, as, log) => {
    const [a, b] = [new FakePipeSocket(), new FakePipeSocket()];
    const endMark = new Int32Array(1);
    const ends = pump(a, b, undefined, endMark);
    ends.b.received(Buffer.from("one with a length, "));
    endMark[0] = markedAs.unfinished;
    ends.b.received(Buffer.from("one without"));
    endMark[0] = markedAs[as];
    if (how === "FIN") ends.b.end();
    else ends.b.close();
    expect([a.taken, a.log.join()]).toEqual(["one with a length, one without", log]);
  },
);

test("whoever counts connections is told, once, that one side is left alone with bytes for it", () => {
  jest.useFakeTimers();
  try {
    const [a, b] = [new FakePipeSocket(), new FakePipeSocket()];
    let alone = 0;
    const ends = pump(a, b, undefined, null, () => alone++);
    a.room = 0;
    ends.b.received(Buffer.from("left"));
    expect(alone).toBe(0);
    const [fd, other] = createPair()!;
    closeDescriptor(other);
    b.fd = fd;
    jest.advanceTimersByTime(600);
    expect(alone).toBe(1);
    ends.b.close();
    expect(alone).toBe(1);
    ends.a.close();
    expect(jest.getTimerCount()).toBe(0);
    closeDescriptor(fd);
  } finally {
    jest.useRealTimers();
  }
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
    expect(jest.getTimerCount()).toBe(0);
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
    // That side may still be waiting for an answer.
    ends.a.end();
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
