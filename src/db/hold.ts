// Locks one row for the rest of a transaction, for whoever reads it, decides, and then writes.

import { sql } from "kysely";
import type { Trx } from "./database.ts";

/** Makes every other transaction that changes the row wait for this one. Writing it is the lock that both engines have. */
export async function holdRow(
  trx: Trx,
  table: "accounts" | "applications" | "organizations",
  id: string,
): Promise<void> {
  await sql`update ${sql.table(table)} set created_at = created_at where id = ${id}`.execute(trx);
}
