// Ports for people.

import { expect, test } from "bun:test";
import { portRanges } from "./port-ranges.ts";

test("neighbours are one range, whatever their order, and long lists are cut", () => {
  expect(portRanges([])).toBe("");
  expect(portRanges([20_002, 20_000, 20_001, 20_005])).toBe("20000-20002, 20005");
  expect(portRanges([1, 3, 5, 7], 2)).toBe("1, 3 and others");
});
