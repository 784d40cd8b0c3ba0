// Prunes the audit log from its old end, leaving an anchor that the oldest kept entry continues.

import { takeOrderLock } from "../db/changes.ts";
import type { Database } from "../db/database.ts";
import type { Audit } from "./audit.ts";

const dayMs = 86_400_000;
/** Small transactions, so that others get their turn in between: each entry stands in a dozen indexes. */
const chunkRows = 200;

/**
 * Removes entries older than `days`, as far as none younger stands before them; an entry tells how many. Returns that number.
 * `signal`: the server leaves, and the next call does the rest.
 */
export async function pruneAudit(options: {
  db: Database;
  audit: Audit;
  days: number;
  nowMs: number;
  signal?: AbortSignal;
}): Promise<number> {
  const { db, audit, days, nowMs, signal } = options;
  const beforeMs = nowMs - days * dayMs;
  const newest = await db.kysely
    .selectFrom("audit_log")
    .select("seq")
    .where("at", "<", beforeMs)
    .orderBy("at", "desc")
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  if (newest === undefined) return 0;
  let removed = 0;
  let upTo = 0;
  for (let seen = 0, isMore = true; isMore;) {
    const fromMs = performance.now();
    await db.transaction(async (trx) => {
      await takeOrderLock(trx, db.engine);
      const chunk = await trx
        .selectFrom("audit_log")
        .select(["seq", "at", "hash"])
        .where("seq", ">", seen)
        .where("seq", "<=", newest.seq)
        .orderBy("seq")
        .limit(chunkRows)
        .execute();
      // The clock may have been wrong. A time that is still to come tells no age, and must not hold up the others for ever.
      const young = chunk.findIndex(({ at }) => at >= beforeMs && at <= nowMs);
      const last = chunk.slice(0, young === -1 ? chunk.length : young).findLast(({ at }) => at < beforeMs);
      seen = chunk.at(-1)?.seq ?? seen;
      isMore = young === -1 && chunk.length === chunkRows;
      if (last === undefined) return;
      const result = await trx.deleteFrom("audit_log").where("seq", "<=", last.seq).executeTakeFirst();
      await trx
        .updateTable("audit_chain")
        .set({ anchor_seq: last.seq, anchor_hash: last.hash })
        .where("id", "=", 1)
        .execute();
      removed += Number(result.numDeletedRows);
      upTo = last.seq;
    });
    // Nobody waits for it, and millions may be due: it takes half of the thread at most.
    isMore &&= signal?.aborted !== true;
    if (isMore) await Bun.sleep(performance.now() - fromMs);
  }
  if (removed > 0) audit.record({ action: "audit.pruned", details: { entries: removed, upTo, days } });
  return removed;
}
