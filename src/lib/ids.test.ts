// Ids sort by age, carry their prefix, and do not repeat.

import { expect, test } from "bun:test";
import { newId } from "./ids.ts";

test("ids have one shape and sort by the time they were made", () => {
  const ids = [1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47].map((ms) => newId("acc", ms));
  expect([...ids].sort()).toEqual(ids);
  for (const id of ids) expect(id).toMatch(/^acc_[0-9a-hjkmnp-tv-z]{26}$/);
});

test("ids do not repeat", () => {
  const ids = new Set(Array.from({ length: 10_000 }, () => newId("tun", 5)));
  expect(ids.size).toBe(10_000);
});
