// Tests of the one spelling of usernames.

import { describe, expect, test } from "bun:test";
import { canonicalUsername, isValidUsername } from "./usernames.ts";

test("what is one name for people is one name here", () => {
  for (const spelling of ["Mary", " mary ", "MARY", "ｍａｒｙ", "Ｍary"])
    expect(canonicalUsername(spelling)).toBe("mary");
  expect(canonicalUsername("Ångström")).toBe(canonicalUsername("A\u030angstro\u0308m"));
});

test("names that may be given", () => {
  for (const name of ["mary", "m2", "mary.jane@example.org", "jürgen", "a+b", "名前"])
    expect(isValidUsername(canonicalUsername(name))).toBe(true);
  for (const name of ["", "m", " ", ".mary", "ma ry", "a\u0000b", "a/b", "<b>", "x".repeat(65), "a\u202eb"]) {
    expect({ name, valid: isValidUsername(canonicalUsername(name)) }).toEqual({ name, valid: false });
  }
});

describe("security", () => {
  test("canonical is final: doing it twice changes nothing", () => {
    for (let point = 0; point < 0x3000; point++) {
      const once = canonicalUsername(`a${String.fromCodePoint(point)}b`);
      expect(canonicalUsername(once)).toBe(once);
    }
  });
});
