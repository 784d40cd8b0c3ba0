// Several reads that see the database as it was at the first of them, whatever is written meanwhile.

import type { Kysely } from "kysely";
import type { Trx } from "./database.ts";
import type { Tables } from "./tables.ts";

/**
 * Runs `read`, which writes nothing; no writer waits for it. On SQLite it has the process's one connection meanwhile: long reads
 * are for a process of their own, such as an operator's command.
 */
export function inSnapshot<T>(kysely: Kysely<Tables>, read: (trx: Trx) => Promise<T>): Promise<T> {
  return kysely.transaction().setIsolationLevel("repeatable read").setAccessMode("read only").execute(read);
}
