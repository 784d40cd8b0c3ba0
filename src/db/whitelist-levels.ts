// Lists of whitelist entries across owners: all of one level, with the name of what each belongs to.

import { sql } from "kysely";
import type { Queryable } from "./database.ts";
import { afterKeyset, type Keyset } from "./keyset.ts";
import type { WhitelistRow } from "./whitelist-entries.ts";

export interface WhitelistListed extends WhitelistRow {
  owner_name: string | null;
}

/** One page of a level, of one organization when given, and one row more when there is a next one. */
export function listWhitelistLevel(
  db: Queryable,
  level: "organization" | "application",
  orgId: string | null,
  page: Keyset,
): Promise<WhitelistListed[]> {
  let query = db
    .selectFrom("whitelist_entries as w")
    .leftJoin("organizations as o", "o.id", "w.org_id")
    .leftJoin("applications as a", "a.id", "w.app_id")
    .selectAll("w")
    .select(sql<string | null>`coalesce(a.name, o.name)`.as("owner_name"))
    .where("w.level", "=", level)
    .where(afterKeyset("w.created_at", "w.id", page));
  if (orgId !== null) query = query.where("w.org_id", "=", orgId);
  const direction = page.descending ? "desc" : "asc";
  return query
    .orderBy("w.created_at", direction)
    .orderBy("w.id", direction)
    .limit(page.limit + 1)
    .execute();
}
