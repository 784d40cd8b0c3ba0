// The filter of the requests page: terms, NOT, ranges, and the sentences for what is wrong.

import { describe, expect, test } from "bun:test";
import { parseRequestFilter } from "./request-filter.ts";
import type { CapturedRequest } from "./types.ts";

const request: CapturedRequest = {
  id: "r1",
  tunnelId: "t1",
  name: "shop",
  appId: null,
  time: "2026-01-01T00:00:00Z",
  method: "POST",
  path: "/api/orders",
  status: 503,
  bytesIn: 10,
  bytesOut: 2048,
  address: "203.0.113.9",
  principal: "alice@example.com",
  totalMs: 120,
  policyMs: 0,
  queueMs: 0,
  tunnelMs: 5,
  localMs: 100,
  requestHeaders: [],
  responseHeaders: [],
  error: null,
};

function passes(text: string): boolean {
  const parsed = parseRequestFilter(text);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.test(request);
}

describe("request filter", () => {
  test.each([
    ["", true],
    ["orders", true],
    ["NOT orders", false],
    ["-orders", false],
    ["!path:/health", true],
    ["status:5xx", true],
    ["NOT status:5xx", false],
    ["status:500..502", false],
    ["status:>=500 method:post", true],
    ["ms:>200", false],
    ["size:>1k", true],
    ["user:alice address:203.0", true],
    ["NOT -orders", true],
    ['"/api/orders 503"', true],
    ["/api:/x", false],
  ])("%j -> %p", (text, expected) => {
    expect(passes(text)).toBe(expected);
  });

  test.each(["NOT", "status:many", "colour:red"])("%j is refused with a sentence", (text) => {
    expect(parseRequestFilter(text)).toHaveProperty("error");
  });
});
