// Searching with words and NOT.

import { expect, test } from "bun:test";
import { flagOf, passesWords, typedChoice, wordsOf } from "./filters.ts";

test.each([
  ["", true],
  ["shop", true],
  ["SHOP", true],
  ["shop 3000", true],
  ["shop 4000", false],
  ["NOT shop", false],
  ["-shop", false],
  ["!shop", false],
  ["NOT !shop", true],
  ["NOT blog", true],
  ["shop NOT blog", true],
  ["shop -3000", false],
  ["NOT NOT shop", true],
  ["NOT -shop", true],
  ["shop NOT", true],
  ["-", false],
  ["not", false],
])("%p", (search, passes) => {
  const text = "shop http://localhost:3000";
  expect(passesWords(wordsOf(search), (word) => text.includes(word))).toBe(passes);
});

test.each([
  ["acme", { value: "acme", not: false }],
  [" Acme Robotics ", { value: "Acme Robotics", not: false }],
  ["!acme", { value: "acme", not: true }],
  ["-acme", { value: "acme", not: true }],
  ["NOT Acme Robotics", { value: "Acme Robotics", not: true }],
  ["NOTHING", { value: "NOTHING", not: false }],
  ["NOT", null],
  ["!", null],
  ["", null],
])("what is typed: %p", (typed, choice) => {
  expect(typedChoice(typed)).toEqual(choice);
});

test("a flag and its opposite", () => {
  expect(["true", "!true", "false", "!false", undefined].map(flagOf)).toEqual([true, false, false, true, null]);
});
