// Lists of accounts: pages in an order that has an index, under filters that keep it usable.

import type { Queryable } from "./database.ts";
import { toAccount, accountsWithOrganization, type Account } from "./accounts.ts";
import { afterKeyset, prefixEnd, type Keyset } from "./keyset.ts";

/** Public names of the columns that accounts may be sorted by. */
export const accountSorts = { username: "a.username_key", createdAt: "a.created_at", lastUsed: "a.last_used_at" };

export interface AccountFilter {
  /** Only of this organization. */
  orgId: string | null;
  active: boolean | null;
  isAdmin: boolean | null;
  /** Canonical beginning of the username. */
  usernamePrefix: string | null;
}

/** One page, and one row more when there is a next one. */
export async function listAccounts(
  db: Queryable,
  filter: AccountFilter,
  column: string,
  page: Keyset,
): Promise<Account[]> {
  let query = accountsWithOrganization(db).where(afterKeyset(column, "a.id", page));
  if (filter.orgId !== null) query = query.where("a.org_id", "=", filter.orgId);
  if (filter.active !== null) query = query.where("a.active", "=", filter.active ? 1 : 0);
  if (filter.isAdmin !== null) query = query.where("a.is_admin", "=", filter.isAdmin ? 1 : 0);
  if (filter.usernamePrefix !== null) {
    query = query
      .where("a.username_key", ">=", filter.usernamePrefix)
      .where("a.username_key", "<", prefixEnd(filter.usernamePrefix));
  }
  const direction = page.descending ? "desc" : "asc";
  const rows = await query
    .orderBy(column as "a.created_at", direction)
    .orderBy("a.id", direction)
    .limit(page.limit + 1)
    .execute();
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
