// Recovery codes: ten one-time codes that stand in for a lost authenticator, kept as keyed-by-account hashes.

import { createHash, randomInt } from "node:crypto";

const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
const codeLength = 16;

/** How many codes an account gets at a time. */
const recoveryCodeCount = 10;

/** Fresh codes, 79 bits each, written as `xxxx-xxxx-xxxx-xxxx`. Shown once; store only their hashes. */
export function createRecoveryCodes(): string[] {
  return Array.from({ length: recoveryCodeCount }, () => {
    const letters = Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)]).join("");
    return letters.replace(/(.{4})(?=.)/g, "$1-");
  });
}

/** Whether a submitted code has the shape of a recovery code (and not of a 6-digit one). */
export function looksLikeRecoveryCode(code: string): boolean {
  return canonicalCode(code).length === codeLength;
}

/**
 * What is stored for a code. SHA-256 is enough for 79 random bits; the account is part of it, so that a row copied to
 * another account opens nothing.
 */
export function hashRecoveryCode(accountId: string, code: string): string {
  return createHash("sha256")
    .update(`recovery\n${accountId}\n${canonicalCode(code)}`)
    .digest("hex");
}

/** People type spaces, capitals, and dashes where they like. */
function canonicalCode(code: string): string {
  return code.toLowerCase().replace(/[^a-z0-9]/g, "");
}
