// Prunes the audit log from its old end, leaving an anchor that the oldest kept entry continues.

import { takeOrderLock } from "../db/changes.ts";
import type { Database } from "../db/database.ts";
import type { Audit } from "./audit.ts";

const dayMs = 86_400_000;
/** Small transactions, so that others get their turn in between. */
const chunkRows = 2_000;

/** Removes entries older than `days`; an entry tells how many. Returns that number. */
export async function pruneAudit(options: {
  db: Database;
  audit: Audit;
  days: number;
  nowMs: number;
}): Promise<number> {
  const { db, audit, days, nowMs } = options;
  const newest = await db.kysely
    .selectFrom("audit_log")
    .select("seq")
    .where("at", "<", nowMs - days * dayMs)
    .orderBy("at", "desc")
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  if (newest === undefined) return 0;
  let removed = 0;
  for (;;) {
    const count = await db.transaction(async (trx) => {
      await takeOrderLock(trx, db.engine);
      const chunk = await trx
        .selectFrom("audit_log")
        .select(["seq", "hash"])
        .where("seq", "<=", newest.seq)
        .orderBy("seq")
        .limit(chunkRows)
        .execute();
      const last = chunk.at(-1);
      if (last === undefined) return 0;
      await trx.deleteFrom("audit_log").where("seq", "<=", last.seq).execute();
      await trx
        .updateTable("audit_chain")
        .set({ anchor_seq: last.seq, anchor_hash: last.hash, anchored_at: nowMs })
        .where("id", "=", 1)
        .execute();
      return chunk.length;
    });
    removed += count;
    if (count < chunkRows) break;
  }
  if (removed > 0) audit.record({ action: "audit.pruned", details: { entries: removed, upTo: newest.seq, days } });
  return removed;
}
