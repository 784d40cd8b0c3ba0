// Queries of agents' whitelists, the same for all four levels: an entry has one owner.

import { sql } from "kysely";
import type { Queryable, Trx } from "./database.ts";
import type { WhitelistEntriesTable } from "./tables.ts";

export type WhitelistRow = WhitelistEntriesTable;

/** Whose list: the system (all null), an organization, an application, or an account. */
export interface ListOwner {
  level: WhitelistRow["level"];
  /** The owner's id; empty text for the system. */
  ownerId: string;
  orgId: string | null;
  appId: string | null;
  accountId: string | null;
}

export const systemList: ListOwner = { level: "system", ownerId: "", orgId: null, appId: null, accountId: null };

/** Throws UniqueViolation when the owner's list has the range already. */
export async function insertWhitelistEntry(trx: Trx, row: WhitelistRow): Promise<void> {
  await trx.insertInto("whitelist_entries").values(row).execute();
}

export async function countWhitelist(db: Queryable, ownerId: string): Promise<number> {
  const row = await db
    .selectFrom("whitelist_entries")
    .select(sql<number | string>`count(*)`.as("count"))
    .where("owner_id", "=", ownerId)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** As insertWhitelistEntry, but a range that is there already stays as it is; false then. */
export async function ensureWhitelistEntry(trx: Trx, row: WhitelistRow): Promise<boolean> {
  const result = await trx
    .insertInto("whitelist_entries")
    .values(row)
    .onConflict((conflict) => conflict.columns(["owner_id", "cidr"]).doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Removes an entry of the owner's list; the removed row, or null. */
export async function deleteWhitelistEntry(trx: Trx, ownerId: string, id: string): Promise<WhitelistRow | null> {
  const row = await trx
    .deleteFrom("whitelist_entries")
    .where("id", "=", id)
    .where("owner_id", "=", ownerId)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** An owner's whole list, oldest first. */
export function listWholeWhitelist(db: Queryable, ownerId: string): Promise<WhitelistRow[]> {
  return db
    .selectFrom("whitelist_entries")
    .selectAll()
    .where("owner_id", "=", ownerId)
    .orderBy("created_at")
    .orderBy("id")
    .execute();
}

/** Removes a range (canonical form) of the owner's list; the removed row, or null. */
export async function deleteWhitelistRange(trx: Trx, ownerId: string, cidr: string): Promise<WhitelistRow | null> {
  const row = await trx
    .deleteFrom("whitelist_entries")
    .where("owner_id", "=", ownerId)
    .where("cidr", "=", cidr)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** An account's own entries are seen by the organization it is in. */
export async function moveAccountWhitelist(trx: Trx, accountId: string, orgId: string | null): Promise<void> {
  await trx.updateTable("whitelist_entries").set({ org_id: orgId }).where("account_id", "=", accountId).execute();
}
