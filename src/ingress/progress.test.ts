// Visitors that dribble or don't read are given up, slow ones that move are not.

import { expect, test } from "bun:test";
import { Progress, progressWindowMs } from "./progress.ts";

const limits = { bodyProgressTimeoutMs: 20_000, writeProgressTimeoutMs: 30_000 };

/** Looks every 10 s; per look: bytes read and sent in that time. Says at which look it was given up and why. */
function watch(looks: [read: number, sent: number][], reading: boolean, writing: boolean): [number, string] | null {
  const progress = new Progress();
  progress.start(0, 500);
  let [readBytes, sentBytes] = [0, 500];
  for (const [i, [read, sent]] of looks.entries()) {
    readBytes += read;
    sentBytes += sent;
    const why = progress.check((i + 1) * 10_000, reading, readBytes, writing, sentBytes, limits);
    if (why !== null) return [i + 1, why];
  }
  return null;
}
const times = (count: number, look: [number, number]): [number, number][] => Array.from({ length: count }, () => look);

test("a body that dribbles is given up after its time, one that moves is not", () => {
  expect(watch(times(9, [255, 0]), true, false)).toEqual([2, "the request body stopped arriving"]);
  expect(watch(times(9, [256, 0]), true, false)).toBeNull();
  expect(
    watch(
      [
        [0, 0],
        [256, 0],
        [0, 0],
        [256, 0],
      ],
      true,
      false,
    ),
  ).toBeNull();
});

test("a reader that reads nothing is given up after its own time", () => {
  expect(watch(times(9, [0, 10]), false, true)).toEqual([3, "the visitor stopped reading"]);
  expect(watch(times(9, [0, 256]), false, true)).toBeNull();
});

test("whoever waits for us is left alone", () => {
  expect(watch(times(99, [0, 0]), false, false)).toBeNull();
});

test("looks come as often as the shorter time needs", () => {
  expect(progressWindowMs(limits)).toBe(20_000);
});

test("the body of a request is measured from its own beginning", () => {
  const progress = new Progress();
  progress.start(0, 0);
  expect(progress.check(10_000, true, 5_000, false, 0, limits)).toBeNull();
  progress.start(10_000, 0);
  expect(progress.check(30_000, true, 256, false, 0, limits)).toBeNull();
});
