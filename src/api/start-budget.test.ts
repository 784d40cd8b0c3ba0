// Tests of the bound on logins begun.

import { expect, test } from "bun:test";
import { createStartBudget } from "./start-budget.ts";

test("so many per address and minute, and none for addresses that nobody named", () => {
  let now = 1_000_000;
  const budget = createStartBudget({ perMinute: 2, nowMs: () => now });
  expect([budget.take("192.0.2.1"), budget.take("192.0.2.1")]).toEqual([0, 0]);
  expect(budget.take("192.0.2.1")).toBe(60_000);
  expect(budget.take("192.0.2.2")).toBe(0);
  expect([budget.take(null), budget.take(null), budget.take(null)]).toEqual([0, 0, 0]);
  now += 60_000;
  expect(budget.take("192.0.2.1")).toBe(0);
});

test("a window that began while the clock was ahead does not last until the clock is there again", () => {
  let now = 10_000_000;
  const budget = createStartBudget({ perMinute: 1, nowMs: () => now });
  budget.take("192.0.2.1");
  now -= 3_600_000;
  expect(budget.take("192.0.2.1")).toBe(0);
  expect(budget.take("192.0.2.1")).toBe(60_000);
});
