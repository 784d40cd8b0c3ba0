// Judges the credential and the address of an agent, at registration and again whenever something about them changes.

import { hashToken, parseToken } from "../../auth/tokens.ts";
import {
  findAgentRanges,
  findKeyCredential,
  findTokenCredential,
  type TunnelCredential,
} from "../../db/credentials.ts";
import type { Queryable } from "../../db/database.ts";
import { createCidrList } from "../../lib/cidr.ts";
import { AppError, notAllowed } from "../../lib/errors.ts";

/** What may open tunnels behind a bearer token, or why it may not. `ADMIN_TOKEN` has no checksum: any text may be one. */
export async function resolveCredential(
  db: Queryable,
  bearer: string | null,
  nowMs: number,
): Promise<TunnelCredential | AppError> {
  if (bearer === null)
    return new AppError("bad_token", "Send the account's token or an API key as Authorization: Bearer.");
  const hash = hashToken(bearer);
  const credential =
    parseToken(bearer) === "dlk" ? await findKeyCredential(db, hash) : await findTokenCredential(db, hash);
  return credential === null ? new AppError("bad_token") : (refusalOf(credential, nowMs) ?? credential);
}

/** The same credential as it is now; null when it may not hold tunnels any more. */
export async function refreshCredential(
  db: Queryable,
  old: TunnelCredential,
  nowMs: number,
): Promise<TunnelCredential | null> {
  const credential = await (old.kind === "api_key"
    ? findKeyCredential(db, old.tokenHash)
    : findTokenCredential(db, old.tokenHash));
  if (credential === null || refusalOf(credential, nowMs) !== null) return null;
  // Whoever changed the organization opens tunnels anew, under its rules.
  return credential.orgId === old.orgId && credential.appId === old.appId ? credential : null;
}

function refusalOf(credential: TunnelCredential, nowMs: number): AppError | null {
  if (!credential.active) return new AppError("account_inactive");
  if (credential.expiresAtMs !== null && credential.expiresAtMs <= nowMs)
    return new AppError("bad_token", "The API key has expired.");
  return credential.mayOpenTunnels ? null : new AppError("scope_forbidden");
}

/** The ranges from which a credential's agents may connect: every list that applies, AGENT_WHITELIST included. */
export async function agentRanges(
  db: Queryable,
  credential: TunnelCredential,
  fromEnv: readonly string[],
): Promise<string[]> {
  return [...new Set([...(await findAgentRanges(db, credential)), ...fromEnv])].sort();
}

/** Whether an address may; the refusal names it and says where to allow it. */
export function checkAddress(ranges: readonly string[], address: string): AppError | null {
  if (createCidrList(ranges).matches(address)) return null;
  return new AppError("not_whitelisted", notAllowed(address));
}
