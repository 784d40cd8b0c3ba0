// Queries of accounts: who they are, what they may do, and the rules that hold among all of them.

import { sql } from "kysely";
import type { Queryable, Trx } from "./database.ts";
import type { AccountsTable, Flag } from "./tables.ts";

/** An account with what its organization adds, as guards and answers need it. */
export interface Account {
  id: string;
  username: string;
  usernameKey: string;
  email: string | null;
  passwordHash: string | null;
  /** Null: it has none. Another hash of the same password changes nothing. */
  passwordChangedAtMs: number | null;
  isAdmin: boolean;
  isOrgAdmin: boolean;
  orgId: string | null;
  orgName: string | null;
  /** Its organization wants a second factor of everybody. */
  orgRequiresTotp: boolean;
  active: boolean;
  /** Sealed seed. */
  totpSecret: string | null;
  createdAtMs: number;
  /** 0 = never. */
  lastUsedAtMs: number;
}

export interface NewAccount {
  id: string;
  username: string;
  usernameKey: string;
  /** Canonical, as `parseEmail` gives it. */
  email?: string | null;
  passwordHash: string | null;
  tokenHash: string | null;
  isAdmin: boolean;
  isOrgAdmin: boolean;
  orgId: string | null;
  createdAtMs: number;
}

/** Accounts joined with what their organization adds; `toAccount` reads its rows. */
export const accountsWithOrganization = (db: Queryable) =>
  db
    .selectFrom("accounts as a")
    .leftJoin("organizations as o", "o.id", "a.org_id")
    .selectAll("a")
    .select(["o.name as org_name", "o.require_totp as org_require_totp"]);

type AccountRow = AccountsTable & { org_name: string | null; org_require_totp: Flag | null };

export const toAccount = (row: AccountRow): Account => ({
  id: row.id,
  username: row.username,
  usernameKey: row.username_key,
  email: row.email,
  passwordHash: row.password_hash,
  passwordChangedAtMs: row.password_changed_at,
  isAdmin: row.is_admin === 1,
  isOrgAdmin: row.is_org_admin === 1,
  orgId: row.org_id,
  orgName: row.org_name,
  orgRequiresTotp: row.org_require_totp === 1,
  active: row.active === 1,
  totpSecret: row.totp_secret,
  createdAtMs: row.created_at,
  lastUsedAtMs: row.last_used_at,
});

async function findOne(query: ReturnType<typeof accountsWithOrganization>): Promise<Account | null> {
  const row = await query.executeTakeFirst();
  return row === undefined ? null : toAccount(row);
}

export const findAccount = (db: Queryable, id: string): Promise<Account | null> =>
  findOne(accountsWithOrganization(db).where("a.id", "=", id));

export const findAccountByUsername = (db: Queryable, usernameKey: string): Promise<Account | null> =>
  findOne(accountsWithOrganization(db).where("a.username_key", "=", usernameKey));

export const findAccountByTokenHash = (db: Queryable, tokenHash: string): Promise<Account | null> =>
  findOne(accountsWithOrganization(db).where("a.token_hash", "=", tokenHash));

/** The account of an organization; null when it is another's or none. `orgId` null means any organization. */
export function findAccountWithin(db: Queryable, orgId: string | null, id: string): Promise<Account | null> {
  const query = accountsWithOrganization(db).where("a.id", "=", id);
  return findOne(orgId === null ? query : query.where("a.org_id", "=", orgId));
}

export async function insertAccount(trx: Trx, account: NewAccount): Promise<void> {
  await trx
    .insertInto("accounts")
    .values({
      id: account.id,
      username: account.username,
      username_key: account.usernameKey,
      email: account.email ?? null,
      password_hash: account.passwordHash,
      password_changed_at: account.passwordHash === null ? null : account.createdAtMs,
      token_hash: account.tokenHash,
      is_admin: account.isAdmin ? 1 : 0,
      is_org_admin: account.isOrgAdmin ? 1 : 0,
      org_id: account.orgId,
      active: 1,
      totp_secret: null,
      totp_enrolled_at: null,
      created_at: account.createdAtMs,
      last_used_at: 0,
    })
    .execute();
}

/** Puts another hash of the same password in the place of `hash`; false when that is no longer there. */
export async function replacePasswordHash(db: Queryable, id: string, hash: string, by: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("accounts")
    .set({ password_hash: by })
    .where("id", "=", id)
    .where("password_hash", "=", hash)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Changes columns of one account. */
export async function updateAccount(
  db: Queryable,
  id: string,
  change: Partial<Omit<AccountsTable, "id" | "created_at">>,
): Promise<void> {
  await db.updateTable("accounts").set(change).where("id", "=", id).execute();
}

export async function deleteAccount(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom("accounts").where("id", "=", id).execute();
}

/**
 * Makes every other transaction that may remove an admin wait for this one, and answers how many active admins there
 * are besides `id`. Writing the rows is the lock that both engines have.
 */
export async function countOtherActiveAdmins(trx: Trx, id: string): Promise<number> {
  await trx
    .updateTable("accounts")
    .set((eb) => ({ is_admin: eb.ref("is_admin") }))
    .where("is_admin", "=", 1)
    .execute();
  const row = await trx
    .selectFrom("accounts")
    .select(sql<number | string>`count(*)`.as("count"))
    .where("is_admin", "=", 1)
    .where("active", "=", 1)
    .where("id", "!=", id)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Whether somebody can log in as admin on the web, which is what ends set-up. */
export async function hasAdminWithPassword(db: Queryable): Promise<boolean> {
  const row = await db
    .selectFrom("accounts")
    .select("id")
    .where("is_admin", "=", 1)
    .where("active", "=", 1)
    .where("password_hash", "is not", null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function countActiveAccounts(db: Queryable): Promise<number> {
  const row = await db
    .selectFrom("accounts")
    .select(sql<number | string>`count(*)`.as("count"))
    .where("active", "=", 1)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
