// Reads the credentials a visitor may bring, without judging them.

import type { VisitorRequest } from "./verdict.ts";

const maxCredentialChars = 1_024;

/**
 * The API key of a request: `X-API-Key`, or `Authorization: Bearer dlk_…`. Where keys are only an addition (`strict`
 * false), a value that isn't shaped like one of ours is the application's own business.
 */
export function readApiKey(request: VisitorRequest, strict: boolean): string | null {
  const header = request.header("x-api-key");
  if (header !== null && header.startsWith("dlk_")) return bounded(header);
  const bearer = /^bearer +(dlk_[!-~]*)$/i.exec(request.header("authorization") ?? "")?.[1];
  if (bearer !== undefined) return bounded(bearer);
  return strict && header !== null && header !== "" ? bounded(header) : null;
}

/** What stands behind `Authorization: Basic`, still encoded; null when there is none. */
export function readBasic(request: VisitorRequest): string | null {
  const encoded = /^basic +([A-Za-z0-9+/_=-]*)$/i.exec(request.header("authorization") ?? "")?.[1];
  return encoded === undefined ? null : bounded(encoded);
}

/** User and password (RFC 7617, UTF-8); null when it holds none. */
export function decodeBasic(encoded: string): { username: string; password: string } | null {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function bounded(value: string): string | null {
  return value.length > maxCredentialChars ? null : value;
}
