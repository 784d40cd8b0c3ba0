// Full jitter: bounds, growth, ceiling, reset.

import { expect, test } from "bun:test";
import { createBackoff } from "./backoff.ts";

test("the ceiling doubles from the least to the most, and starts anew", () => {
  const backoff = createBackoff({ minMs: 250, maxMs: 30_000, random: () => 1 });
  expect(Array.from({ length: 9 }, () => backoff.next())).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
  backoff.reset();
  expect(backoff.next()).toBe(250);
});

test("every wait is spread over the whole range", () => {
  const waits = Array.from({ length: 2_000 }, () => createBackoff({ minMs: 1_000, maxMs: 1_000 }).next());
  expect(Math.min(...waits)).toBeLessThan(50);
  expect(Math.max(...waits)).toBeGreaterThan(950);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1_000);
});
