// What is suggested for a mistyped word.

import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

test("the nearest word wins, and nothing far away is suggested", () => {
  expect(nearest("htpp", ["http", "tcp"])).toBe("http");
  expect(nearest("hpt", ["http", "tcp"])).toBe("http");
  expect(nearest("sever", ["server", "login"])).toBe("server");
  // Two neighbours that were swapped are one slip, not two.
  expect(nearest("htpt", ["htxx", "http"])).toBe("http");
  expect(nearest("banana", ["server", "login"])).toBeNull();
  // Half of a word changed is another word.
  expect(nearest("name", ["wait", "json"])).toBeNull();
  expect(nearest("region", ["version"])).toBeNull();
});
