// Medians and percentiles on known samples.

import { expect, test } from "bun:test";
import { median, percentile } from "./statistics.ts";

test("the median is the middle, or the mean of the two middle ones", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test("runs that failed don't count, and nothing at all is NaN", () => {
  expect(median([Number.NaN, 5, Number.NaN])).toBe(5);
  expect(median([])).toBeNaN();
  expect(median([Number.NaN])).toBeNaN();
});

test("percentiles lie between neighbours", () => {
  expect(percentile([0, 10], 99)).toBeCloseTo(9.9);
  expect(percentile([1, 2, 3, 4, 5], 0)).toBe(1);
  expect(percentile([1, 2, 3, 4, 5], 100)).toBe(5);
});
