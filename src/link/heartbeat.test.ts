// A shard that hangs is noticed; a late main thread is not taken for one.

import { expect, test } from "bun:test";
import { Heartbeat, tickMs } from "./heartbeat.ts";

/** Main ticks `times` times, on time; returns what the last tick says. */
function setUp(): { ticks: Int32Array; beat(times: number, lateMs?: number): number[]; heartbeat: Heartbeat } {
  const memory = new SharedArrayBuffer(8);
  const heartbeat = new Heartbeat(memory, 0);
  let nowMs = 0;
  const beat = (times: number, lateMs = 0): number[] => {
    let hung: number[] = [];
    for (let i = 0; i < times; i++) hung = heartbeat.check((nowMs += tickMs + lateMs));
    return hung;
  };
  return { ticks: new Int32Array(memory), beat, heartbeat };
}

test("a shard whose counter stands still for eight ticks is hung", () => {
  const { ticks, beat, heartbeat } = setUp();
  for (let i = 0; i < 7; i++) {
    ticks[1]!++;
    expect(beat(1)).toEqual([]);
  }
  ticks[1]!++;
  expect(beat(1)).toEqual([0]);
  heartbeat.reset(0);
  expect(beat(7)).toEqual([]);
});

test("a late tick of main starts every count anew", () => {
  const { beat } = setUp();
  expect(beat(7)).toEqual([]);
  expect(beat(1, 30_000)).toEqual([]);
  expect(beat(7)).toEqual([]);
  expect(beat(1)).toEqual([0, 1]);
});
