// Queries of the credentials with which agents register, and of the addresses from which they may.

import type { Queryable } from "./database.ts";

/** What a valid token or key says about its owner, as of now. */
export interface TunnelCredential {
  kind: "token" | "api_key";
  tokenHash: string;
  /** The account or key that takes leases. */
  holderId: string;
  accountId: string | null;
  keyId: string | null;
  orgId: string | null;
  /** The one application that a key is bound to. */
  appId: string | null;
  /** Username, or the key's description. */
  actorName: string;
  /** False: the account is deactivated. */
  active: boolean;
  /** False: the key is for visitors only. */
  mayOpenTunnels: boolean;
  expiresAtMs: number | null;
  lastUsedAtMs: number;
}

/** The account whose API token has this hash. */
export async function findTokenCredential(db: Queryable, tokenHash: string): Promise<TunnelCredential | null> {
  const row = await db
    .selectFrom("accounts")
    .select(["id", "username", "org_id", "active", "last_used_at"])
    .where("token_hash", "=", tokenHash)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    kind: "token",
    tokenHash,
    holderId: row.id,
    accountId: row.id,
    keyId: null,
    orgId: row.org_id,
    appId: null,
    actorName: row.username,
    active: row.active === 1,
    mayOpenTunnels: true,
    expiresAtMs: null,
    lastUsedAtMs: row.last_used_at,
  };
}

/** The API key with this hash, expired or not. */
export async function findKeyCredential(db: Queryable, tokenHash: string): Promise<TunnelCredential | null> {
  const row = await db
    .selectFrom("api_keys")
    .select(["id", "description", "org_id", "app_id", "scope", "expires_at", "last_used_at"])
    .where("key_hash", "=", tokenHash)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    kind: "api_key",
    tokenHash,
    holderId: row.id,
    accountId: null,
    keyId: row.id,
    orgId: row.org_id,
    appId: row.app_id,
    actorName: row.description,
    active: true,
    mayOpenTunnels: row.scope !== "visitor",
    expiresAtMs: row.expires_at,
    lastUsedAtMs: row.last_used_at,
  };
}

/** Notes the use of a credential; the caller does so at most once a minute. */
export async function touchCredential(db: Queryable, credential: TunnelCredential, nowMs: number): Promise<void> {
  const { accountId, keyId } = credential;
  if (accountId !== null)
    await db.updateTable("accounts").set({ last_used_at: nowMs }).where("id", "=", accountId).execute();
  if (keyId !== null) await db.updateTable("api_keys").set({ last_used_at: nowMs }).where("id", "=", keyId).execute();
}

/** The stored ranges of all lists that apply to a credential: the system's, and its organization's, application's, account's. */
export async function findAgentRanges(
  db: Queryable,
  owner: Pick<TunnelCredential, "accountId" | "orgId" | "appId">,
): Promise<string[]> {
  const owners = ["", owner.orgId, owner.appId, owner.accountId].filter((id): id is string => id !== null);
  const rows = await db
    .selectFrom("whitelist_entries")
    .select("cidr")
    .distinct()
    .where("owner_id", "in", owners)
    .execute();
  return rows.map((row) => row.cidr);
}

/** An application as registration needs it. */
export interface ApplicationName {
  id: string;
  orgId: string;
  subdomain: string;
  isActive: boolean;
}

export async function findApplicationByName(db: Queryable, subdomain: string): Promise<ApplicationName | null> {
  const row = await applicationNames(db).where("subdomain", "=", subdomain).executeTakeFirst();
  return row === undefined ? null : toApplicationName(row);
}

export async function findApplicationName(db: Queryable, id: string): Promise<ApplicationName | null> {
  const row = await applicationNames(db).where("id", "=", id).executeTakeFirst();
  return row === undefined ? null : toApplicationName(row);
}

export async function listApplicationNames(db: Queryable): Promise<ApplicationName[]> {
  return (await applicationNames(db).execute()).map(toApplicationName);
}

const applicationNames = (db: Queryable) =>
  db.selectFrom("applications").select(["id", "org_id", "subdomain", "is_active"]);

const toApplicationName = (row: {
  id: string;
  org_id: string;
  subdomain: string;
  is_active: number;
}): ApplicationName => ({
  id: row.id,
  orgId: row.org_id,
  subdomain: row.subdomain,
  isActive: row.is_active === 1,
});
