// The search of requests: terms, NOT, ranges, states, and the sentences for what is wrong.

import { describe, expect, test } from "bun:test";
import { liveTunnel, capturedRequest } from "../../../test/helpers/tenants.ts";
import { meets } from "../../../workers/capture-search.ts";
import { AppError } from "../../lib/errors.ts";
import { parseSearch, termOf } from "./request-filter.ts";

const request = capturedRequest(liveTunnel({ name: "shop" }), {
  method: "POST",
  path: "/api/Orders",
  status: 503,
  bytesIn: 10,
  bytesOut: 2048,
  principal: "alice@example.com",
  address: "203.0.113.9",
  totalMs: 120,
});

test.each([
  ["", true],
  ["orders", true],
  ["NOT orders", false],
  ["-orders", false],
  ["!path:/health", true],
  ["status:5xx", true],
  ["status:5XX", true],
  ["NOT status:5xx", false],
  ["status:500..502", false],
  ["status:>=500 method:post", true],
  ["method:pos", false],
  ["ms:>200", false],
  ["ms:>120", false],
  ["ms:>=120 ms:<=120 ms:120", true],
  ["ms:<120", false],
  ["ms:<120.01", true],
  ["size:>1k", true],
  ["size:2k", true],
  ["in:<1m", true],
  ["user:alice address:203.0", true],
  ["NOT -orders", true],
  ['"/api/orders 503"', true],
  ['""', true],
  ["/api:/x", false],
  ["status:running", false],
  ["status:cut", false],
  ["!status:cut", true],
  // A mark with nothing behind it means nothing.
  ["NOT", true],
  ["orders NOT", true],
])("%j -> %p", (text, expected) => {
  expect(meets(parseSearch(text), request, () => request)).toBe(expected);
});

test("what runs is not cut; what ended early is, whatever its status", () => {
  const is = (change: object, text: string) => meets(parseSearch(text), { ...request, ...change }, () => request);
  const running = { running: true, status: 0 };
  expect([is(running, "status:running"), is(running, "status:cut")]).toEqual([true, false]);
  expect([is({ status: 0 }, "status:cut"), is({ status: 200, error: "reset" }, "status:cut")]).toEqual([true, true]);
});

test("a parameter is a term of its own", () => {
  const is = (field: "status" | "method", value: string | undefined) =>
    meets(termOf(field, value), request, () => request);
  expect([is("status", undefined), is("status", "5xx"), is("status", "!5xx"), is("status", "503")]).toEqual([
    ...[true, true, false, true],
  ]);
  expect([is("method", "POST"), is("method", "!post"), is("method", "GET")]).toEqual([true, false, false]);
});

describe("security", () => {
  test.each(["status:many", "colour:red", "ms:", "ms:1e9", "size:>-1", "constructor:x", "toString:1"])(
    "%j is refused with a sentence, naming the field",
    (text) => {
      const refusal = (() => {
        try {
          return parseSearch(text);
        } catch (error) {
          return error;
        }
      })();
      expect(refusal).toBeInstanceOf(AppError);
      expect(refusal).toMatchObject({ code: "validation", field: "q" });
      expect((refusal as AppError).message).toMatch(/is not a (?:number|field)/);
    },
  );
});
