// Random bearer secrets of a login (session ids, pending tokens): 256 bits, of which only the hash is stored.

import { createHash, randomBytes } from "node:crypto";

/** A fresh secret, base64url, 43 characters. */
export function createSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a secret: SHA-256 in hex. Enough for 256 random bits; useless to whoever reads a backup. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
