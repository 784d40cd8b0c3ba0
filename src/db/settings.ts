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

/** Replaces a value that is still `before`; true for the one caller that it was. */
export async function replaceSetting(
  db: Queryable,
  key: string,
  before: string,
  value: string,
  nowMs: number,
): Promise<boolean> {
  const result = await db
    .updateTable("settings")
    .set({ value, updated_at: nowMs })
    .where("key", "=", key)
    .where("value", "=", before)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export async function removeSetting(trx: Trx, key: string): Promise<void> {
  await trx.deleteFrom("settings").where("key", "=", key).execute();
}

/** Removes a value that is still `value`; true for the one caller that it was. */
export async function takeSetting(trx: Trx, key: string, value: string): Promise<boolean> {
  const result = await trx.deleteFrom("settings").where("key", "=", key).where("value", "=", value).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
