// Tests of session tokens: what verifies, and every forgery that must not.

import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createSessionTokens } from "./jwt.ts";

const secret = "a secret of at least thirty-two bytes";
const issuer = "https://tunnel.test";
const claims = { accountId: "acc_1", sessionId: "s".repeat(43) };
let nowMs = 1_900_000_000_000;
const tokens = createSessionTokens({ secret, issuer, nowMs: () => nowMs });

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const good = { sub: "acc_1", jti: "s", iss: issuer, aud: "digit-link:dashboard", exp: nowMs / 1000 + 60 };

function forge(header: object, payload: object, key = secret, hash = "sha256"): string {
  const body = `${encode(header)}.${encode(payload)}`;
  return `${body}.${createHmac(hash, key).update(body).digest("base64url")}`;
}

test("a signed token verifies until it expires, by our clock", async () => {
  const token = await tokens.sign(claims, nowMs + 60_000);
  expect(await tokens.verify(token)).toEqual(claims);
  nowMs += 59_000;
  expect(await tokens.verify(token)).toEqual(claims);
  nowMs += 1_000;
  expect(await tokens.verify(token)).toBeNull();
  nowMs -= 60_000;
});

test("a short secret is refused", () => {
  expect(() => createSessionTokens({ secret: "x".repeat(31), issuer, nowMs: () => nowMs })).toThrow("32");
});

describe("security", () => {
  const hs256 = { alg: "HS256", typ: "JWT" };

  test("the forger's own template verifies when it is right", async () => {
    expect(await tokens.verify(forge(hs256, good))).toEqual({ accountId: "acc_1", sessionId: "s" });
  });

  test("other algorithms, keys, issuers, audiences and missing claims do not", async () => {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const rsBody = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(good)}`;
    const { exp: _exp, ...noExpiry } = good;
    const { sub: _sub, ...noSubject } = good;
    const { jti: _jti, ...noSession } = good;
    const forged: Record<string, string> = {
      none: `${encode({ alg: "none", typ: "JWT" })}.${encode(good)}.`,
      "none, signed": forge({ alg: "none", typ: "JWT" }, good),
      nOnE: `${encode({ alg: "nOnE", typ: "JWT" })}.${encode(good)}.`,
      RS256: `${rsBody}.${sign("sha256", Buffer.from(rsBody), pair.privateKey).toString("base64url")}`,
      "public key as secret": forge(hs256, good, pair.publicKey.export({ type: "spki", format: "pem" }).toString()),
      HS512: forge({ alg: "HS512", typ: "JWT" }, good, secret, "sha512"),
      "no typ": forge({ alg: "HS256" }, good),
      "kid path": forge({ ...hs256, kid: "../../dev/null" }, good, ""),
      jwk: forge({ ...hs256, jwk: { kty: "oct", k: "AA" } }, good, "\0"),
      crit: forge({ ...hs256, crit: ["x"], x: 1 }, good),
      "another secret": forge(hs256, good, `${secret}x`),
      "empty secret": forge(hs256, good, ""),
      "another issuer": forge(hs256, { ...good, iss: "https://evil.test" }),
      "another audience": forge(hs256, { ...good, aud: "digit-link:visitor" }),
      "no audience": forge(hs256, { ...good, aud: undefined }),
      expired: forge(hs256, { ...good, exp: nowMs / 1000 - 1 }),
      "no expiry": forge(hs256, noExpiry),
      "no subject": forge(hs256, noSubject),
      "no session": forge(hs256, noSession),
      "not yet": forge(hs256, { ...good, nbf: nowMs / 1000 + 60 }),
      "subject is no text": forge(hs256, { ...good, sub: { a: 1 } }),
      "no signature": forge(hs256, good).replace(/[^.]+$/, ""),
      empty: "",
      dots: "..",
      long: "x".repeat(100_000),
    };
    for (const [name, token] of Object.entries(forged)) {
      expect({ name, claims: await tokens.verify(token) }).toEqual({ name, claims: null });
    }
  });

  test("any changed character is refused", async () => {
    const token = await tokens.sign(claims, nowMs + 60_000);
    for (let i = 0; i < token.length - 1; i += 7) {
      const changed = token.slice(0, i) + (token[i] === "A" ? "B" : "A") + token.slice(i + 1);
      expect(await tokens.verify(changed)).toBeNull();
    }
  });
});
