// Table tests of whether an identity passes.

import { describe, expect, test } from "bun:test";
import { judgeClaims, parseEmail } from "./oidc-claims.ts";

const ada = { sub: "ada", email: "Ada@Example.com", email_verified: true };
const none = { allowedDomains: [], requiredClaims: {} };

describe("judgeClaims", () => {
  test("passes on subject and verified address", () => {
    expect(judgeClaims(ada, none)).toEqual({ ok: true, identity: { subject: "ada", email: "ada@example.com" } });
    expect(judgeClaims({ sub: "x" }, none)).toEqual({ ok: true, identity: { subject: "x", email: null } });
  });

  test("values equal, and lists that contain", () => {
    const rules = { ...none, requiredClaims: { role: "admin", staff: true, level: 3 } };
    expect(judgeClaims({ ...ada, role: "admin", staff: true, level: 3 }, rules).ok).toBe(true);
    expect(judgeClaims({ ...ada, role: ["x", "admin"], staff: true, level: [3] }, rules).ok).toBe(true);
  });
});

describe("security", () => {
  test("an address that isn't verified is never passed on", () => {
    for (const verified of [false, "true", 1, null, undefined]) {
      expect(judgeClaims({ ...ada, email_verified: verified }, none)).toMatchObject({
        ok: true,
        identity: { email: null },
      });
    }
  });

  test.each([
    [{ ...ada, email_verified: false }, "email_not_verified"],
    [{ ...ada, email_verified: "true" }, "email_not_verified"],
    [{ sub: "ada", email: ada.email }, "email_not_verified"],
    [{ sub: "ada", email_verified: true }, "no_email"],
    [{ ...ada, email: "ada@sub.example.com" }, "email_domain"],
    [{ ...ada, email: "ada@evilexample.com" }, "email_domain"],
    [{ ...ada, email: "ada@example.com.evil.test" }, "email_domain"],
    [{ ...ada, email: ["ada@example.com"] }, "no_email"],
    [{ email: "ada@example.com", email_verified: true }, "no_subject"],
    [{ ...ada, sub: "" }, "no_subject"],
    [{ ...ada, sub: 7 }, "no_subject"],
  ])("%j is refused: %s", (claims, reason) => {
    expect(judgeClaims(claims, { ...none, allowedDomains: ["example.com"] })).toEqual({ ok: false, reason });
  });

  test.each([
    [{}, "claim_missing"],
    [{ role: "user" }, "claim_mismatch"],
    [{ role: "administrator" }, "claim_mismatch"],
    [{ role: ["administrator"] }, "claim_mismatch"],
    [{ role: { admin: true } }, "claim_mismatch"],
    [{ role: [["admin"]] }, "claim_mismatch"],
    [{ role: true }, "claim_mismatch"],
    [{ role: null }, "claim_mismatch"],
    [Object.create({ role: "admin" }) as Record<string, unknown>, "claim_missing"],
  ])("required role admin, given %j: %s", (claims, reason) => {
    const given = Object.assign(Object.create(Object.getPrototypeOf(claims) as object) as object, ada, claims);
    expect(judgeClaims(given, { ...none, requiredClaims: { role: "admin" } })).toEqual({
      ok: false,
      reason,
      claim: "role",
    });
  });

  test("names of the language's own are no claims", () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      expect(judgeClaims(ada, { ...none, requiredClaims: Object.fromEntries([[name, "x"]]) })).toMatchObject({
        ok: false,
      });
    }
  });

  test.each([
    "a@b@example.com",
    "@example.com",
    "a@",
    "a",
    "a b@example.com",
    '"a@x"@example.com',
    "a@exam\u212Aple.com",
    "a@example.com ",
    "a@example.com\n",
    "a@.com",
    "a,b@example.com",
  ])("%j is no address", (value) => expect(parseEmail(value)).toBeNull());
});
