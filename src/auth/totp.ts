// Time-based one-time codes (RFC 6238): SHA-1, 6 digits, 30 s, one step of tolerance; the QR is drawn here, by nobody else.

import { generateSecret, generateURI, verifySync } from "otplib";
import { renderSVG } from "uqr";

const periodSeconds = 30;

/** What an authenticator app needs to enrol; shown once. */
export interface TotpEnrolment {
  /** Base32, 160 bits. */
  secret: string;
  /** `otpauth://totp/…` */
  uri: string;
  /** A standalone SVG without scripts, styles or references. */
  qrSvg: string;
}

/** A fresh secret for an account, with its QR. Nothing is stored. */
export function createTotpEnrolment(issuer: string, username: string): TotpEnrolment {
  return describeTotp(generateSecret({ length: 20 }), issuer, username);
}

/** The same for a secret that exists already, so that an enrolment page survives a reload. */
export function describeTotp(secret: string, issuer: string, username: string): TotpEnrolment {
  const uri = generateURI({ issuer: cleanLabel(issuer), label: cleanLabel(username), secret });
  return { secret, uri, qrSvg: renderSVG(uri, { ecc: "M", border: 2, pixelSize: 6 }) };
}

/**
 * The time step a code belongs to, or null when it is wrong or its step is not newer than `lastStep`.
 * The caller must store the step with a compare-and-set before believing it: that is what makes each code work once.
 */
export function matchTotpStep(secret: string, code: string, nowMs: number, lastStep: number | null): number | null {
  if (!/^[0-9]{6}$/.test(code)) return null;
  const result = verifySync({
    secret,
    token: code,
    algorithm: "sha1",
    digits: 6,
    period: periodSeconds,
    epoch: Math.floor(nowMs / 1000),
    epochTolerance: periodSeconds,
  });
  if (!result.valid || !("timeStep" in result)) return null;
  return lastStep !== null && result.timeStep <= lastStep ? null : result.timeStep;
}

/** A colon would end the issuer part of the label. */
function cleanLabel(text: string): string {
  return text.replaceAll(":", " ");
}
