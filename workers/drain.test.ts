// Leaving: who is told, when streams are ended, and until when is waited.

import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { Drain } from "./drain.ts";
import type { Leaving } from "./stream-flow.ts";
import type { Tunnel } from "./tunnel.ts";

let ms = 0;
let now: { mockRestore(): void };
beforeEach(() => {
  jest.useFakeTimers();
  ms = 0;
  now = spyOn(performance, "now").mockImplementation(() => ms);
});
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
  now.mockRestore();
});

function setUp() {
  const told: unknown[] = [];
  const lasts: boolean[] = [];
  const tunnel = {
    goAway: (message: unknown) => void told.push(message),
    endQuiet: ({ isLast }: Leaving) => void lasts.push(isLast),
  } as unknown as Tunnel;
  const left = { isBusy: true, drained: 0 };
  const leftover = { tunnels: () => [tunnel], isBusy: () => left.isBusy };
  const drain = new Drain(leftover, () => left.drained++);
  const pass = (untilMs: number): void => {
    while (ms < untilMs) {
      ms += 20;
      jest.advanceTimersByTime(20);
    }
  };
  return { drain, told, lasts, left, pass };
}

test("agents are told once, and the end comes once, as soon as nothing is left", () => {
  const { drain, told, left, pass } = setUp();
  drain.begin(30_000);
  drain.begin(10);
  expect(told).toEqual([{ reason: "drain", deadlineMs: 30_000, retryable: true }]);
  pass(2_000);
  expect(left.drained).toBe(0);
  left.isBusy = false;
  pass(4_000);
  expect(left.drained).toBe(1);
});

test("streams are looked at five times a second, in the last second for the last time, and nobody is waited for beyond the deadline", () => {
  const { drain, lasts, left, pass } = setUp();
  drain.begin(5_000);
  pass(3_980);
  expect([lasts.length, lasts.includes(true)]).toEqual([20, false]);
  pass(4_980);
  expect(lasts.slice(20)).toEqual([true, true, true, true, true]);
  expect(left.drained).toBe(0);
  pass(6_000);
  expect([lasts.length, left.drained]).toEqual([25, 1]);
});
