// Searching with words and NOT.

import { expect, test } from "bun:test";
import { wordFilter } from "./word-filter.ts";

test.each([
  ["", true],
  ["shop", true],
  ["SHOP", true],
  ["shop 3000", true],
  ["shop 4000", false],
  ["NOT shop", false],
  ["-shop", false],
  ["NOT blog", true],
  ["shop NOT blog", true],
  ["shop -3000", false],
  ["NOT NOT shop", true],
  ["NOT -shop", true],
  ["shop NOT", true],
  ["-", false],
  ["not", false],
])("%p", (search, passes) => {
  expect(wordFilter(search)("shop http://localhost:3000")).toBe(passes);
});
