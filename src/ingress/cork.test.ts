// The cork: small writes leave as one, in order, never to the wrong connection.

import { expect, test } from "bun:test";
import { corkBuffer, corkCommit, type CorkOwner, corkReserve, corkWrite, flushCork } from "./cork.ts";

class Sink implements CorkOwner {
  writes: string[] = [];
  sendNow(bytes: Uint8Array, start: number, end: number): void {
    this.writes.push(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
  }
}
const write = (sink: Sink, text: string): void => corkWrite(sink, Buffer.from(text), 0, text.length);

test("writes of one connection are joined until the flush", () => {
  const sink = new Sink();
  write(sink, "head");
  const at = corkReserve(sink, 4);
  corkCommit(at + corkBuffer.write("body", at, "latin1"));
  expect(sink.writes).toEqual([]);
  flushCork();
  flushCork();
  expect(sink.writes).toEqual(["headbody"]);
});

test("another connection's write sends the first one's", () => {
  const [first, second] = [new Sink(), new Sink()];
  write(first, "1");
  write(second, "2");
  expect([first.writes, second.writes]).toEqual([["1"], []]);
  write(first, "3");
  flushCork();
  expect([first.writes, second.writes]).toEqual([["1", "3"], ["2"]]);
});

test("large writes go straight through, behind what waits", () => {
  const [first, second] = [new Sink(), new Sink()];
  const large = "x".repeat(40_000);
  write(first, "small");
  write(first, large);
  expect(first.writes).toEqual(["small", large]);
  write(first, "small");
  write(second, large);
  expect(first.writes).toEqual(["small", large, "small"]);
});

test("more than fits is sent in between, nothing is lost", () => {
  const sink = new Sink();
  const part = "y".repeat(30_000);
  for (let i = 0; i < 10; i++) write(sink, part);
  flushCork();
  expect(sink.writes.length).toBeGreaterThan(1);
  expect(sink.writes.join("")).toBe(part.repeat(10));
});

test("what nobody flushes leaves by itself", async () => {
  const sink = new Sink();
  write(sink, "left");
  await Promise.resolve();
  write(sink, "again");
  flushCork();
  await Promise.resolve();
  write(sink, "and again");
  await Promise.resolve();
  expect(sink.writes).toEqual(["left", "again", "and again"]);
});
