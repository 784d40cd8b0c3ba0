// Where the failure limiter keeps its counts and blocks between two lives of the process.

import type { Queryable } from "./database.ts";

export interface StoredFailures {
  scope: string;
  subject: string;
  /** Start of a slot of time. */
  slotAtMs: number;
  failures: number;
}

export interface StoredBlock {
  scope: string;
  subject: string;
  untilMs: number;
}

/** Reads and writes for auth/limiter. `keptMs`: slots that began longer ago are in nobody's window any more. */
export function createLimiterStore(db: Queryable, keptMs: number) {
  return {
    async load(nowMs: number): Promise<{ failures: StoredFailures[]; blocks: StoredBlock[] }> {
      const failures = await db
        .selectFrom("limiter_failures")
        .selectAll()
        .where("slot_at", ">", nowMs - keptMs)
        .execute();
      const blocks = await db.selectFrom("limiter_blocks").selectAll().where("until_at", ">", nowMs).execute();
      return {
        failures: failures.map(({ scope, subject, slot_at, failures: count }) => ({
          scope,
          subject,
          slotAtMs: slot_at,
          failures: count,
        })),
        blocks: blocks.map(({ scope, subject, until_at }) => ({ scope, subject, untilMs: until_at })),
      };
    },
    async saveFailures(row: StoredFailures): Promise<void> {
      await db
        .insertInto("limiter_failures")
        .values({ scope: row.scope, subject: row.subject, slot_at: row.slotAtMs, failures: row.failures })
        .onConflict((conflict) =>
          conflict.columns(["scope", "subject", "slot_at"]).doUpdateSet({ failures: row.failures }),
        )
        .execute();
    },
    async saveBlock(row: StoredBlock, nowMs: number): Promise<void> {
      await db
        .insertInto("limiter_blocks")
        .values({ scope: row.scope, subject: row.subject, blocked_at: nowMs, until_at: row.untilMs })
        .onConflict((conflict) =>
          conflict.columns(["scope", "subject"]).doUpdateSet({ blocked_at: nowMs, until_at: row.untilMs }),
        )
        .execute();
      await removeFailures(db, row.scope, row.subject);
    },
    /** Removes what no window and no block reaches any more, and what a clock ahead began: after another start that would begin again. */
    async prune(nowMs: number): Promise<void> {
      await db
        .deleteFrom("limiter_failures")
        .where((eb) => eb.or([eb("slot_at", "<=", nowMs - keptMs), eb("slot_at", ">", nowMs)]))
        .execute();
      await db
        .deleteFrom("limiter_blocks")
        .where((eb) => eb.or([eb("until_at", "<=", nowMs), eb("blocked_at", ">", nowMs)]))
        .execute();
    },
  };
}

async function removeFailures(db: Queryable, scope: string, subject: string): Promise<void> {
  await db.deleteFrom("limiter_failures").where("scope", "=", scope).where("subject", "=", subject).execute();
}
