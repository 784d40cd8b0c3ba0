// Queries of the failure limiters that differ from the default, one per application at most.

import type { Trx } from "./database.ts";
import type { RateLimitsTable } from "./tables.ts";

/** Stores the limiter of its application, replacing the one before. */
export async function saveRateLimit(trx: Trx, row: RateLimitsTable): Promise<void> {
  const { app_id: _app, ...changes } = row;
  await trx
    .insertInto("rate_limits")
    .values(row)
    .onConflict((conflict) => conflict.column("app_id").doUpdateSet(changes))
    .execute();
}

/** Removes it; the default applies again. False when there was none. */
export async function removeRateLimit(trx: Trx, appId: string): Promise<boolean> {
  const result = await trx.deleteFrom("rate_limits").where("app_id", "=", appId).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
