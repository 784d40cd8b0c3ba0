// Queries of the failure limiters that differ from the default, at most one per organization and application.

import type { Queryable, Trx } from "./database.ts";
import type { RateLimitsTable } from "./tables.ts";

/** The limiter of an organization or application itself. */
export async function findRateLimit(db: Queryable, ownerId: string): Promise<RateLimitsTable | null> {
  return (await db.selectFrom("rate_limits").selectAll().where("owner_id", "=", ownerId).executeTakeFirst()) ?? null;
}

/** The limiters of all. */
export async function listRateLimits(db: Queryable): Promise<RateLimitsTable[]> {
  return db.selectFrom("rate_limits").selectAll().execute();
}

/** Stores the limiter of its owner, replacing the one before. */
export async function saveRateLimit(trx: Trx, row: RateLimitsTable): Promise<void> {
  const { owner_id: _owner, ...changes } = row;
  await trx
    .insertInto("rate_limits")
    .values(row)
    .onConflict((conflict) => conflict.column("owner_id").doUpdateSet(changes))
    .execute();
}

/** Removes it; what is inherited applies again. False when there was none. */
export async function removeRateLimit(trx: Trx, ownerId: string): Promise<boolean> {
  const result = await trx.deleteFrom("rate_limits").where("owner_id", "=", ownerId).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
