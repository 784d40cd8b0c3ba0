// API tokens and keys: how they look, how they are made, and what is stored of them.

import { timingSafeEqual } from "node:crypto";

/** `dlt_` is an account's token, `dlk_` an API key. */
export type TokenKind = "dlt" | "dlk";

const secretBytes = 32;
const checksumLength = 6;
// base64url of 32 bytes is 43 characters.
const shape = /^(dlt|dlk)_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;

/** A new token: 256 random bits and a checksum, so that a mistyped one is recognised without the database. */
export function createToken(kind: TokenKind): string {
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(secretBytes))).toString("base64url");
  return `${kind}_${secret}${checksumOf(kind, secret)}`;
}

/** The kind of a well-formed token with a right checksum; null for anything else. Says nothing about whether it exists. */
export function parseToken(text: string): TokenKind | null {
  const match = shape.exec(text);
  if (match === null) return null;
  const [, kind, secret, checksum] = match as unknown as [string, TokenKind, string, string];
  return equalTexts(checksumOf(kind, secret), checksum) ? kind : null;
}

/**
 * Whether no limiter of guesses has to hold this token back: 256 random bits can't be guessed, so whoever shares an address with a
 * guesser still gets in by one. A token that a person chose (`ADMIN_TOKEN`) may be a weak one, and waits with the guesser: to let it
 * in only when it is right would tell him all that he wants to know.
 */
export function isUnguessable(token: string): boolean {
  return parseToken(token) !== null;
}

/**
 * What is stored and looked up: SHA-256 in hex. Fast hashing is right here because tokens have 256 random bits, and
 * looking up by hash leaks nothing that timing could tell.
 */
export function hashToken(token: string): string {
  return new Bun.CryptoHasher("sha256").update(token).digest("hex");
}

/** The part that lists show, so that people recognise a key: prefix and 6 characters. */
export function tokenPrefix(token: string): string {
  return token.slice(0, 10);
}

/** Compares two texts without telling by time where they differ. */
function equalTexts(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The token of an `Authorization: Bearer …` header; null without one. */
export function bearerOf(authorization: string | null | undefined): string | null {
  const match = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? "");
  return match?.[1] ?? null;
}

function checksumOf(kind: TokenKind, secret: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(`digit-link ${kind} ${secret}`).digest();
  return digest.toString("base64url").slice(0, checksumLength);
}
