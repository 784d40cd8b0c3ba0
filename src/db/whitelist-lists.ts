// Lists of whitelist entries, of one owner or of a whole level, with the name of what each belongs to.

import { sql, type Expression, type SqlBool } from "kysely";
import { rangesAround } from "../lib/cidr.ts";
import type { Queryable } from "./database.ts";
import type { Keyset } from "./keyset.ts";
import { differs, hasText, readPage, type Choice, type FoundPage } from "./list-page.ts";
import type { WhitelistRow } from "./whitelist-entries.ts";

export interface WhitelistListed extends WhitelistRow {
  owner_name: string | null;
}

/** Public names of the columns that entries may be sorted by. */
export const whitelistSorts = { createdAt: "w.created_at", ipRange: "w.cidr" };

/** Whose entries: one owner's, or a level's, of all organizations or some. */
export type WhitelistsOf = { ownerId: string } | { level: WhitelistRow["level"]; org: Choice | null };

/** Words that must and must not be found, in lower case; a word that is an address is found in what contains it. */
export interface WhitelistWords {
  wanted: readonly string[];
  unwanted: readonly string[];
}

/** One page. */
export function listWhitelist(
  db: Queryable,
  of: WhitelistsOf,
  { wanted, unwanted }: WhitelistWords,
  column: string,
  page: Keyset,
): Promise<FoundPage<WhitelistListed>> {
  let query = db
    .selectFrom("whitelist_entries as w")
    .leftJoin("organizations as o", "o.id", "w.org_id")
    .leftJoin("applications as a", "a.id", "w.app_id")
    .leftJoin("accounts as c", "c.id", "w.account_id")
    .selectAll("w")
    .select(sql<string | null>`coalesce(c.username, a.name, o.name)`.as("owner_name"));
  const checked = [...wanted.map(found), ...unwanted.map((word) => sql<SqlBool>`not ${found(word)}`)];
  if ("ownerId" in of) query = query.where("w.owner_id", "=", of.ownerId);
  else {
    query = query.where("w.level", "=", of.level);
    if (of.org?.not === false) query = query.where("w.org_id", "=", of.org.value);
    if (of.org?.not) checked.push(differs("w.org_id", of.org.value));
  }
  const isUnique = "ownerId" in of && column === whitelistSorts.ipRange;
  return readPage(query, { column, idColumn: "w.id", isUnique }, page, checked);
}

/** The word stands in range or description; an address or range, in the description, or it is contained in the range. */
function found(word: string): Expression<SqlBool> {
  const around = rangesAround(word);
  if (around.length === 0) return hasText(["w.cidr", "w.description"], word);
  return sql<SqlBool>`(w.cidr in (${sql.join(around)}) or ${hasText(["w.description"], word)})`;
}
