// Reads the credentials a visitor may bring, without judging them.

import { readCookie, visitorCookieName } from "../../src/policy/cookies.ts";
import type { VerdictCache } from "./verdict-cache.ts";

const maxCredentialChars = 1_024;
/** Sessions carry 256 bits in base64url; anything else never was one. */
const sessionPattern = /^[A-Za-z0-9_-]{43}$/;

/** Something that main may be asked about. */
export class Credential {
  private name = "";
  private key = "";

  constructor(
    readonly kind: "session" | "api_key" | "basic",
    readonly text: string,
  ) {}

  /** Its key in `cache`, always the same one, under the name of an entry; hashed once as long as the name is the same. */
  keyUnder(name: string, cache: VerdictCache): string {
    if (this.name === name) return this.key;
    this.name = name;
    return (this.key = cache.keyOf(name, this.kind, this.text));
  }
}

/** The session in a `Cookie` header. */
export function readSession(cookie: string | null, scheme: "http" | "https"): Credential | null {
  const value = readCookie(cookie, visitorCookieName(scheme));
  return value !== null && sessionPattern.test(value) ? new Credential("session", value) : null;
}

/**
 * The API key of a request: `X-API-Key`, or `Authorization: Bearer dlk_…`. Where keys are only an addition (`strict`
 * false), a value that isn't shaped like one of ours is the application's own business.
 */
export function readApiKey(header: string | null, authorization: string | null, strict: boolean): Credential | null {
  if (header !== null && header.startsWith("dlk_")) return bounded("api_key", header);
  const bearer = /^bearer +(dlk_[!-~]*)$/i.exec(authorization ?? "")?.[1];
  if (bearer !== undefined) return bounded("api_key", bearer);
  return strict && header !== null && header !== "" ? bounded("api_key", header) : null;
}

/** What stands behind `Authorization: Basic`, still encoded; null when there is none. */
export function readBasic(authorization: string | null): Credential | null {
  const encoded = /^basic +([A-Za-z0-9+/_=-]*)$/i.exec(authorization ?? "")?.[1];
  return encoded === undefined ? null : bounded("basic", encoded);
}

/** User and password (RFC 7617, UTF-8); null when it holds none. */
export function decodeBasic(encoded: string): { username: string; password: string } | null {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function bounded(kind: Credential["kind"], text: string): Credential | null {
  return text.length > maxCredentialChars ? null : new Credential(kind, text);
}
