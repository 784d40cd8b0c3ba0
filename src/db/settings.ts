// Single values the server keeps between its lives.

import type { Queryable, Trx } from "./database.ts";

export async function readSetting(db: Queryable, key: string): Promise<string | null> {
  const row = await db.selectFrom("settings").select("value").where("key", "=", key).executeTakeFirst();
  return row?.value ?? null;
}

export async function writeSetting(db: Queryable, key: string, value: string, nowMs: number): Promise<void> {
  await db
    .insertInto("settings")
    .values({ key, value, updated_at: nowMs })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value, updated_at: nowMs }))
    .execute();
}

/** Removes the value; true for the one caller that it was still there for. */
export async function removeSetting(trx: Trx, key: string): Promise<boolean> {
  const result = await trx.deleteFrom("settings").where("key", "=", key).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
