// How soon a dead shard is started again, and when the server gives up.

import { expect, test } from "bun:test";
import { RestartPolicy } from "./restart-policy.ts";

test("a shard that lived is replaced at once, one that keeps dying more and more slowly", () => {
  const policy = new RestartPolicy();
  expect(policy.afterDeath(true, 60_000)).toBe(0);
  const delays = Array.from({ length: 8 }, () => policy.afterDeath(true, 500));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000]);
  expect(policy.afterDeath(true, 60_000)).toBe(0);
  // One that took long to come to nothing has not lived.
  expect(policy.afterDeath(false, 20_000)).toBe(100);
  expect(policy.afterDeath(true, 10_000)).toBe(0);
});

test("five starts in a row that came to nothing are enough", () => {
  const policy = new RestartPolicy();
  const starts = (): (number | null)[] => Array.from({ length: 4 }, () => policy.afterDeath(false, 10));
  expect(starts()).not.toContain(null);
  expect(policy.afterDeath(true, 60_000)).toBe(0);
  expect(starts()).not.toContain(null);
  expect(policy.afterDeath(false, 10)).toBeNull();
});
