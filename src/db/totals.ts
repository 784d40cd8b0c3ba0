// Counts for the numbers on the overview: of the whole server, or of one organization.

import { sql } from "kysely";
import type { Queryable } from "./database.ts";

export interface Totals {
  accounts: number;
  activeAccounts: number;
  whitelistEntries: number;
  /** Tunnels opened, as far back as the history goes. */
  tunnels: number;
}

/** `orgId` null counts everything. Index scans of up to a few milliseconds: callers keep the answer for a while. */
export async function countTotals(db: Queryable, orgId: string | null): Promise<Totals> {
  const count = sql<number | string>`count(*)`.as("count");
  const scoped = <T extends "accounts" | "whitelist_entries" | "tunnels">(table: T) => {
    const query = db.selectFrom(table as "accounts").select(count);
    return orgId === null ? query : query.where("org_id", "=", orgId);
  };
  const accounts = await scoped("accounts").executeTakeFirstOrThrow();
  const inactive = await scoped("accounts").where("active", "=", 0).executeTakeFirstOrThrow();
  const entries = await scoped("whitelist_entries").executeTakeFirstOrThrow();
  const tunnels = await scoped("tunnels").executeTakeFirstOrThrow();
  return {
    accounts: Number(accounts.count),
    activeAccounts: Number(accounts.count) - Number(inactive.count),
    whitelistEntries: Number(entries.count),
    tunnels: Number(tunnels.count),
  };
}

/** Usernames by account id. */
export async function findUsernames(db: Queryable, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom("accounts").select(["id", "username"]).where("id", "in", ids).execute();
  return new Map(rows.map((row) => [row.id, row.username]));
}
