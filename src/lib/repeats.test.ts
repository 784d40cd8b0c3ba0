// What repeats: told at once, then once a minute with its number; nothing is lost, nothing grows.

import { expect, test } from "bun:test";
import { Repeats, repeatWindowMs } from "./repeats.ts";

function started(capacity?: number) {
  const clock = { ms: 0 };
  const told: string[] = [];
  const repeats = new Repeats<number>({
    tell: (one, times) => void told.push(`${one} x${times}`),
    nowMs: () => clock.ms,
    ...(capacity === undefined ? {} : { capacity }),
  });
  return { clock, told, repeats };
}

test("ten thousand keys are remembered, and no more", () => {
  const { told, repeats } = started();
  for (let i = 0; i <= 10_000; i++) repeats.note(String(i), i);
  told.length = 0;
  repeats.note("1", 1);
  expect(told).toEqual([]);
  // It is news again, and takes the place of the other, which is told of for good.
  repeats.note("0", 0);
  expect(told).toEqual(["0 x1", "1 x1"]);
});

test("the first is told at once, a flood once a minute, and all of it is counted", () => {
  const { clock, told, repeats } = started();
  for (let i = 1; i <= 600; i++) {
    repeats.note("knock", i);
    clock.ms += 200;
    repeats.sweep();
  }
  repeats.flush();
  const times = told.map((one) => Number(one.split("x")[1]));
  expect(told.slice(0, 2)).toEqual(["1 x1", "300 x299"]);
  expect(told.length).toBeLessThanOrEqual(4);
  expect(times.reduce((sum, one) => sum + one)).toBe(600);
  repeats.flush();
  expect(told.length).toBeLessThanOrEqual(4);
});

test("other keys are told apart, and a pause of a minute begins anew without a sweep", () => {
  const { clock, told, repeats } = started();
  repeats.note("a", 1);
  repeats.note("b", 2);
  repeats.note("a", 3);
  clock.ms += repeatWindowMs;
  repeats.note("a", 4);
  expect(told).toEqual(["1 x1", "2 x1", "3 x1", "4 x1"]);
});

test("what is over is forgotten", () => {
  const { clock, told, repeats } = started();
  repeats.note("a", 1);
  clock.ms += repeatWindowMs;
  repeats.sweep();
  expect(repeats.isIdle).toBe(true);
  expect(told).toEqual(["1 x1"]);
});

test("many keys: the oldest makes room, and what it counted is told", () => {
  const { told, repeats } = started(2);
  for (const [key, one] of [
    ["a", 1],
    ["a", 2],
    ["b", 3],
    ["c", 4],
    ["a", 5],
  ] as const)
    repeats.note(key, one);
  expect(told).toEqual(["1 x1", "3 x1", "4 x1", "2 x1", "5 x1"]);
});
