// Ids are the same whether they are written as bytes or as text, and no two are alike.

import { expect, test } from "bun:test";
import { nextRequest, putRequestId, requestIdBytes, requestIdOf } from "./request-id.ts";

test("as bytes and as text", () => {
  const out = Buffer.alloc(requestIdBytes + 2, 0x2e);
  for (const request of [0, 1, 9, 10, 0x0123_4567, 0x89ab_cdef, 0xffff_ffff]) {
    expect(putRequestId(request, out, 1)).toBe(requestIdBytes + 1);
    expect(out.toString("latin1")).toBe(`.${requestIdOf(request)}.`);
    expect(requestIdOf(request)).toMatch(/^[0-9a-f]{18}$/);
  }
});

test("no two are alike", () => {
  expect(new Set(Array.from({ length: 1_000 }, () => requestIdOf(nextRequest()))).size).toBe(1_000);
});
