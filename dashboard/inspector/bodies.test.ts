// Bodies as they are read: JSON in lines, every value as it was written.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { prettyBody } from "./bodies.ts";

const json = [{ name: "content-type", value: "application/json; charset=utf-8", hidden: false }];

test("a number, a name and a word stay as they were written; empty ones stay on one line", () => {
  const written = String.raw`{"id":9007199254740993,"price":1.00,"id" : 1e3, "text":"a, [\"b\"]: {\u202e}","none":[ ],"all":{"no":{}}}`;
  expect(prettyBody(written, json)).toBe(
    String.raw`{
  "id": 9007199254740993,
  "price": 1.00,
  "id": 1e3,
  "text": "a, [\"b\"]: {\u202e}",
  "none": [],
  "all": {
    "no": {}
  }
}`,
  );
});

test("otherwise it is what everybody writes", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), fc.boolean(), (value, isSpaced) => {
      const text = JSON.stringify(value, null, isSpaced ? "\t" : undefined);
      expect(prettyBody(text, json)).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }),
  );
});

test.each([
  ["what is no JSON", '{"a": tru', json],
  ["what does not say that it is", '{"a":1}', []],
  ["what is very long", `"${"x".repeat(500_001)}"`, json],
  ["what goes very deep", "[".repeat(200_000) + "]".repeat(200_000), json],
])("%s is shown as it is", (_, text, fields) => {
  expect(prettyBody(text, fields)).toBe(text);
});
