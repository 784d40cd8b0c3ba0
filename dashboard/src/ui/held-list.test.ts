// What of a list that stands still counts as new, and what is remembered of it.

import { expect, test } from "bun:test";
import { countNew, noteListed } from "./held-list.ts";

test.each([
  ["nothing happened", "abc", "abc", true, 0],
  ["two came on top", "xyabc", "abc", false, 2],
  ["one came on top and pushed the last to the next page", "xab", "abc", true, 1],
  ["one came in between", "axb", "abc", true, 1],
  ["one went, and one moved up from the next page", "acd", "abc", true, 0],
  ["one went, one came and one moved up", "xacd", "abc", true, 1],
  ["one came at the end of the only page", "abcx", "abc", false, 1],
  ["one went and one came at the end of the only page", "acx", "abc", false, 1],
  ["all were pushed out", "xyz", "abc", true, 3],
  ["the list was empty", "xy", "", false, 2],
])("%s", (_what, listed, shown, hadMore, expected) => {
  expect(countNew(listed.split(""), shown.split(""), hadMore)).toBe(expected);
});

test("a list that stands still while others pass by for days remembers only what is shown and what is listed", () => {
  const listedMs = new Map<string, number>();
  const shown = ["a", "b"];
  for (let ms = 1; ms <= 1_000; ms++) noteListed(listedMs, [`new-${ms}`, "b"], ms === 1 ? [] : shown, ms);
  expect([...listedMs]).toEqual([
    ["b", 1_000],
    ["new-1000", 1_000],
  ]);
  noteListed(listedMs, ["c"], shown, 1_001);
  expect(listedMs.get("b")).toBe(1_000);
  expect(listedMs.size).toBe(2);
});
