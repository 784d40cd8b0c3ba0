// Lists of accounts: pages in an order that has an index, under filters that keep it usable.

import type { Queryable } from "./database.ts";
import { toAccount, accountsWithOrganization, type Account } from "./accounts.ts";
import type { Keyset } from "./keyset.ts";
import { beginsOtherwise, beginsWith, differs, readPage, type Choice, type FoundPage } from "./list-page.ts";

/** Public names of the columns that accounts may be sorted by. */
export const accountSorts = { username: "a.username_key", createdAt: "a.created_at", lastUsed: "a.last_used_at" };

export interface AccountFilter {
  org: Choice | null;
  active: boolean | null;
  isAdmin: boolean | null;
  /** Canonical beginning of the username. */
  username: Choice | null;
}

/** One page. */
export async function listAccounts(
  db: Queryable,
  { org, active, isAdmin, username }: AccountFilter,
  column: string,
  page: Keyset,
): Promise<FoundPage<Account>> {
  let query = accountsWithOrganization(db);
  if (org?.not === false) query = query.where("a.org_id", "=", org.value);
  if (active !== null) query = query.where("a.active", "=", active ? 1 : 0);
  if (isAdmin !== null) query = query.where("a.is_admin", "=", isAdmin ? 1 : 0);
  if (username?.not === false) query = query.where(beginsWith("a.username_key", username.value));
  const checked = [
    ...(org?.not ? [differs("a.org_id", org.value)] : []),
    ...(username?.not ? [beginsOtherwise("a.username_key", username.value)] : []),
  ];
  const isUnique = column === accountSorts.username;
  const { rows, end } = await readPage(query, { column, idColumn: "a.id", isUnique }, page, checked);
  return { rows: rows.map(toAccount), end };
}

/** Every account, by name. */
export async function listAllAccounts(db: Queryable): Promise<Account[]> {
  const rows = await accountsWithOrganization(db).orderBy("a.username_key").execute();
  return rows.map(toAccount);
}

/** Every system admin, by name. */
export async function listAdmins(db: Queryable): Promise<Account[]> {
  const rows = await accountsWithOrganization(db).where("a.is_admin", "=", 1).orderBy("a.username_key").execute();
  return rows.map(toAccount);
}

/** The value that a sort compares, for the cursor. */
export function accountSortValue(account: Account, column: string): string | number {
  if (column === accountSorts.username) return account.usernameKey;
  return column === accountSorts.createdAt ? account.createdAtMs : account.lastUsedAtMs;
}
