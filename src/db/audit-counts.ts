// How often what happened lately: counted in pieces, newest first, up to a bound.

import { sql } from "kysely";
import type { Queryable } from "./database.ts";

/** Entries per query, so that nothing waits long for one of them. */
const pieceRows = 10_000;
const mostRows = 200_000;

export interface ActionCounts {
  succeeded: number;
  failed: number;
}

/** Counts by action since a time; `complete` is false when only the newest `mostRows` entries were counted. */
export async function countAudit(
  db: Queryable,
  orgId: string | null,
  sinceMs: number,
): Promise<{ counts: Map<string, ActionCounts>; complete: boolean }> {
  const counts = new Map<string, ActionCounts>();
  let before = Number.MAX_SAFE_INTEGER;
  for (let looked = 0; looked < mostRows; looked += pieceRows) {
    let piece = db
      .selectFrom("audit_log")
      .select(["seq", "at", "action", "success"])
      .where("seq", "<", before)
      .orderBy("seq", "desc")
      .limit(pieceRows);
    if (orgId !== null) piece = piece.where("org_id", "=", orgId);
    const groups = await db
      .selectFrom(piece.as("p"))
      .select([
        "action",
        "success",
        sql<number | string>`sum(case when at >= ${sinceMs} then 1 else 0 end)`.as("recent"),
        sql<number | string>`count(*)`.as("count"),
        sql<number | string>`min(seq)`.as("first"),
      ])
      .groupBy(["action", "success"])
      .execute();
    let rows = 0;
    let recent = 0;
    for (const group of groups) {
      rows += Number(group.count);
      recent += Number(group.recent);
      before = Math.min(before, Number(group.first));
      if (Number(group.recent) === 0) continue;
      const count = counts.get(group.action) ?? { succeeded: 0, failed: 0 };
      count[group.success === 1 ? "succeeded" : "failed"] += Number(group.recent);
      counts.set(group.action, count);
    }
    if (rows < pieceRows || recent === 0) return { counts, complete: true };
    await Bun.sleep(0);
  }
  return { counts, complete: false };
}
