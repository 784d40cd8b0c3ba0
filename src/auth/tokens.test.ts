// Tokens: shape, checksum, and what is stored.

import { describe, expect, test } from "bun:test";
import { bearerOf, createToken, hashToken, parseToken, tokenPrefix } from "./tokens.ts";

test("a new token is recognised as its kind", () => {
  expect(parseToken(createToken("dlt"))).toBe("dlt");
  expect(parseToken(createToken("dlk"))).toBe("dlk");
  expect(tokenPrefix(createToken("dlk"))).toMatch(/^dlk_.{6}$/);
});

test("one wrong character, a wrong kind or other text is refused", () => {
  const token = createToken("dlt");
  for (let i = 4; i < token.length; i++) {
    const flipped = token.slice(0, i) + (token[i] === "A" ? "B" : "A") + token.slice(i + 1);
    expect(parseToken(flipped)).toBeNull();
  }
  for (const text of ["", token.replace("dlt_", "dlk_"), `${token} `, `${token}x`, token.slice(0, -1), "dlt_"])
    expect(parseToken(text)).toBeNull();
});

test("bearer headers", () => {
  expect(bearerOf("Bearer abc")).toBe("abc");
  expect(bearerOf("bearer  abc")).toBe("abc");
  for (const header of [null, undefined, "", "Bearer", "Bearer a b", "Basic abc", `Bearer ${"a".repeat(513)}`])
    expect(bearerOf(header)).toBeNull();
});

describe("security", () => {
  test("256 random bits, and only a hash to store", () => {
    const tokens = new Set(Array.from({ length: 1_000 }, () => createToken("dlk")));
    expect(tokens.size).toBe(1_000);
    const token = createToken("dlk");
    expect(Buffer.from(token.slice(4, 47), "base64url").length).toBe(32);
    expect(hashToken(token)).toMatch(/^[0-9a-f]{64}$/);
    expect(hashToken("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});
