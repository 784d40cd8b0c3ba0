// Two changes at once: one whose transaction is still open, and a call that comes meanwhile.

import { sql } from "kysely";
import type { Database, Trx } from "../../src/db/database.ts";
import { eventually } from "./eventually.ts";

/**
 * Makes `change` in a transaction, begins `call`, and commits once the call waits for a lock, or has been answered; the answer. On
 * SQLite, which has one transaction at a time, the call always waits. `rest`: what the change does when the call waits already.
 */
export async function meanwhile<T>(
  db: Database,
  change: (trx: Trx) => Promise<unknown>,
  call: () => Promise<T>,
  rest?: (trx: Trx) => Promise<unknown>,
): Promise<T> {
  const waiting = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  const { answer } = await db.transaction(async (trx) => {
    await change(trx);
    let isAnswered = false;
    const began = call().finally(() => (isAnswered = true));
    if (db.engine === "postgres")
      await eventually(async () => isAnswered || (await waiting.execute(db.kysely)).rows.length > 0, "the call waits");
    await rest?.(trx);
    return { answer: began };
  });
  return answer;
}
