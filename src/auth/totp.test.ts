// Tests of one-time codes against RFC 6238 and of recovery codes.

import { describe, expect, test } from "bun:test";
import { generateSync } from "otplib";
import { createRecoveryCodes, hashRecoveryCode, looksLikeRecoveryCode } from "./recovery.ts";
import { createTotpEnrolment, matchTotpStep } from "./totp.ts";

/** "12345678901234567890" of RFC 6238, appendix B. */
const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

test("the vectors of RFC 6238, cut to six digits", () => {
  for (const [seconds, code] of [
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
  ] as const) {
    expect(matchTotpStep(rfcSecret, code, seconds * 1000, null)).toBe(Math.floor(seconds / 30));
  }
});

describe("security", () => {
  test("an enrolment has 160 bits, a URI that apps read, and a QR without anything active", () => {
    const { secret, uri, qrSvg } = createTotpEnrolment("tunnel.test", "mary:x");
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    // A colon would end the issuer.
    expect(uri).toStartWith("otpauth://totp/tunnel.test:mary%20x?");
    expect(createTotpEnrolment("a:b", "mary").uri).toStartWith("otpauth://totp/a%20b:mary?");
    expect(new URL(uri).searchParams.get("secret")).toBe(secret);
    expect(qrSvg).toStartWith("<svg");
    expect(qrSvg).not.toMatch(/<script|<style|href|url\(|on\w+=/);
    expect(createTotpEnrolment("a", "b").secret).not.toBe(secret);
  });

  const now = 1_900_000_000_000;
  const at = (step: number) => generateSync({ secret: rfcSecret, epoch: now / 1000 + step * 30 });

  test("one step of tolerance, no more", () => {
    expect([-2, -1, 0, 1, 2].map((step) => matchTotpStep(rfcSecret, at(step), now, null) !== null)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  test("a step that was used, or an older one, is refused", () => {
    const step = matchTotpStep(rfcSecret, at(0), now, null)!;
    expect(matchTotpStep(rfcSecret, at(0), now, step)).toBeNull();
    expect(matchTotpStep(rfcSecret, at(-1), now, step)).toBeNull();
    expect(matchTotpStep(rfcSecret, at(1), now, step)).toBe(step + 1);
  });

  test("what is not six digits is wrong, not an error", () => {
    for (const code of ["", "12345", "1234567", "12345a", " 123456", "１２３４５６", "-12345", "1e5000"]) {
      expect(matchTotpStep(rfcSecret, code, now, null)).toBeNull();
    }
  });

  test("recovery codes: ten, distinct, hashed per account, typed in any way", () => {
    const codes = createRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[a-z2-9]{4}(-[a-z2-9]{4}){3}$/);
    expect(new Set(codes.join("")).size).toBeGreaterThan(20);
    const [code] = codes as [string];
    expect(hashRecoveryCode("a", code.toUpperCase().replaceAll("-", " "))).toBe(hashRecoveryCode("a", code));
    expect(hashRecoveryCode("b", code)).not.toBe(hashRecoveryCode("a", code));
    expect(looksLikeRecoveryCode(code)).toBe(true);
    for (const other of ["123456", "123 456", "1-2-3-4-5-6-7-8-"]) expect(looksLikeRecoveryCode(other)).toBe(false);
  });
});
