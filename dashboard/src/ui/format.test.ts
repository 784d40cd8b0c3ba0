// Numbers, bytes, durations and ages as text.

import { describe, expect, test } from "bun:test";
import { formatAgo, formatBytes, formatCompact, formatDuration, plural } from "./format.ts";

describe("format", () => {
  test.each([
    [0, "0 B"],
    [1023, "1,023 B"],
    [1536, "1.5 KiB"],
    [1024 ** 3, "1 GiB"],
  ])("bytes %p", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test.each([
    [9_999, "9,999"],
    [12_345, "12.3k"],
    [1_234_567, "1.2M"],
    [2_500_000_000, "2.5B"],
  ])("compact %p", (value, text) => expect(formatCompact(value)).toBe(text));

  test.each([
    [0.42, "0.4 ms"],
    [9.26, "9.3 ms"],
    [532.4, "532 ms"],
    [1530, "1.5 s"],
    [95_000, "1 min 35 s"],
  ])("duration %p", (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

  test.each([
    [0, "just now"],
    [42_000, "42 s ago"],
    [3 * 3600_000, "3 h ago"],
    [-90_000, "in 1 min"],
    // A key of 90 days, a moment later: not "2 mo", which would be wrong by a third.
    [-89.9 * 86_400_000, "in 89 d"],
    [200 * 86_400_000, "6 mo ago"],
  ])("ago %p", (ageMs, text) => expect(formatAgo(1_000_000_000_000 - ageMs, 1_000_000_000_000)).toBe(text));

  test("plural", () => {
    expect(plural(1, "agent")).toBe("1 agent");
    expect(plural(2, "entry", "entries")).toBe("2 entries");
  });
});
