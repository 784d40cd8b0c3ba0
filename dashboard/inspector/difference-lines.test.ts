// Which lines of two answers differ.

import { expect, test } from "bun:test";
import type { Message } from "../../cli/inspector/types.ts";
import { differenceOf } from "./difference-lines.ts";
import { hexLines, prettyBody } from "./bodies.ts";

const json = { name: "Content-Type", value: "application/json", hidden: false };
const message = (text: string | null, date = "now"): Message => ({
  line: "HTTP/1.1 200 OK",
  fields: [json, { name: "Date", value: date, hidden: false }],
  body: { bytes: 1, kept: 1, text, hex: null, parts: null, note: null },
});
const shown = (before: Message, after: Message) =>
  differenceOf(before, after)!.map(({ sign, text }) => `${sign}${text}`);

test("values of JSON that differ, with some lines around them; a date is no difference", () => {
  const list = (changed: number) => JSON.stringify(Array.from({ length: 20 }, (_, i) => (i === 10 ? changed : i)));
  expect(shown(message(list(10), "then"), message(list(-1), "now")).join("\n")).toBe(
    "…11 lines are the same\n   7,\n   8,\n   9,\n-  10,\n+  -1,\n   11,\n   12,\n   13,\n…7 lines are the same",
  );
  const same = differenceOf(message("[1]", "then"), message("[1]", "now"))!;
  expect(same.every(({ sign }) => sign === " " || sign === "…")).toBe(true);
});

test("what is no text, or too much of it, is not compared", () => {
  expect(differenceOf(message(null), message("x"))).toBeNull();
  expect(differenceOf(message("x".repeat(150_000)), message("y".repeat(150_000)))).toBeNull();
});

test("JSON is laid out, and only JSON; bytes stand sixteen to a line beside their letters", () => {
  expect(prettyBody('{"a":[1]}', [json])).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(prettyBody('{"a":', [json])).toBe('{"a":');
  expect(prettyBody('{"a":1}', [])).toBe('{"a":1}');
  expect(hexLines(Buffer.from("digit-link\0\x01234567").toString("hex"))).toBe(
    "0000  64 69 67 69 74 2d 6c 69 6e 6b 00 01 32 33 34 35  digit-link..2345\n0010  36 37                                            67",
  );
});
