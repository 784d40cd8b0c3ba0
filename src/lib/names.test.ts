// The grammar of names, the reserved ones, and invented names.

import { describe, expect, test } from "bun:test";
import { isReservedName, isValidName, randomName } from "./names.ts";

test("1 to 63 of a-z, 0-9 and -, no hyphen at an edge", () => {
  for (const name of ["a", "7", "my-app", "a--b", "a".repeat(63)]) expect(isValidName(name)).toBe(true);
  for (const name of ["", "-a", "a-", "A", "a_b", "a.b", "ä", "a".repeat(64), "a\n", "tcp:1"])
    expect(isValidName(name)).toBe(false);
});

test("invented names are valid, not reserved, and many", () => {
  const names = Array.from({ length: 2_000 }, () => randomName());
  for (const name of names) {
    expect(isValidName(name) && !isReservedName(name)).toBe(true);
    expect(name).toMatch(/^[a-z]+-[a-z]+-\d{4}$/);
  }
  expect(new Set(names).size).toBeGreaterThan(1_990);
  expect(randomName(() => 0)).toBe("amber-alpaca-1000");
});

describe("security", () => {
  test("the server's own names and encoded look-alikes are nobody's", () => {
    for (const name of ["www", "admin", "api", "mail", "wpad", "autodiscover", "xn--80ak6aa92e", "ab--c", "localhost"])
      expect(isReservedName(name)).toBe(true);
    expect([isReservedName("status-page"), isReservedName("mine", ["mine"])]).toEqual([false, true]);
  });
});
