// Queries of sign-ins at providers: those under way, and which identity belongs to which account.

import { accountsWithOrganization, toAccount, type Account } from "./accounts.ts";
import type { Queryable, Trx } from "./database.ts";
import type { OauthLinksTable, OauthStatesTable } from "./tables-login.ts";

export type SignInState = OauthStatesTable;
export type SignInLink = OauthLinksTable;

export async function insertSignInState(db: Queryable, row: SignInState): Promise<void> {
  await db.insertInto("oauth_states").values(row).execute();
}

/** Takes a sign-in under way, once. */
export async function takeSignInState(
  db: Queryable,
  stateHash: string,
  provider: string,
  nowMs: number,
): Promise<SignInState | null> {
  const row = await db
    .deleteFrom("oauth_states")
    .where("state_hash", "=", stateHash)
    .where("provider", "=", provider)
    .where("expires_at", ">", nowMs)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** The account that an identity was linked with. */
export async function findLinkedAccount(db: Queryable, provider: string, subject: string): Promise<Account | null> {
  const row = await accountsWithOrganization(db)
    .innerJoin("oauth_links as l", "l.account_id", "a.id")
    .where("l.provider", "=", provider)
    .where("l.subject", "=", subject)
    .executeTakeFirst();
  return row === undefined ? null : toAccount(row);
}

/** The account with this address, which is unique; null when there is none. */
export async function findAccountByEmail(db: Queryable, email: string): Promise<Account | null> {
  const row = await accountsWithOrganization(db).where("a.email", "=", email).executeTakeFirst();
  return row === undefined ? null : toAccount(row);
}

/** Throws a unique violation when the identity belongs to an account already. */
export async function insertSignInLink(db: Queryable, row: SignInLink): Promise<void> {
  await db.insertInto("oauth_links").values(row).execute();
}

/** Forgets the identities that have this address and were linked with the account. */
export async function deleteSignInLinks(trx: Trx, accountId: string, email: string): Promise<void> {
  await trx.deleteFrom("oauth_links").where("account_id", "=", accountId).where("email", "=", email).execute();
}

export async function pruneSignInStates(db: Queryable, nowMs: number): Promise<void> {
  await db.deleteFrom("oauth_states").where("expires_at", "<=", nowMs).execute();
}
