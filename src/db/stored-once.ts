// What is written again until it is stored: once, though the answer to its commit be lost.

import { sql } from "kysely";
import type { Database, Queryable, Trx } from "./database.ts";
import { StorageFailure } from "./engine.ts";

export class StoredOnce {
  /** PostgreSQL's number of the transaction of which nobody knows whether it was done. */
  #doubtful: number | null = null;

  constructor(private readonly db: Database) {}

  /**
   * Runs `work` in a transaction. When this fails, the next call must be for the same work, whatever has come meanwhile: it does nothing
   * when the work was done all the same. One call at a time.
   */
  async store(work: (trx: Trx) => Promise<void>): Promise<void> {
    const { db } = this;
    if (this.#doubtful !== null && (await isDone(db.kysely, this.#doubtful))) {
      this.#doubtful = null;
      return;
    }
    this.#doubtful = null;
    let number: number | null = null;
    try {
      await db.transaction(async (trx) => {
        await work(trx);
        if (db.engine === "postgres") number = await numberOf(trx);
      });
    } catch (error) {
      if (error instanceof StorageFailure && error.mayBeDone) this.#doubtful = number;
      throw error;
    }
  }
}

async function numberOf(trx: Trx): Promise<number> {
  const { rows } = await sql<{ number: number }>`select txid_current() as number`.execute(trx);
  return rows[0]!.number;
}

/** Throws while nobody can tell. One that PostgreSQL doesn't know, as after a failover to a server that never had it, was not done. */
async function isDone(db: Queryable, number: number): Promise<boolean> {
  let state: string | null;
  try {
    const asked = sql<{ state: string | null }>`select txid_status(${sql.lit(number)}) as state`;
    state = (await asked.execute(db)).rows[0]?.state ?? null;
  } catch (error) {
    if (error instanceof StorageFailure) throw error;
    return false;
  }
  if (state === "in progress") throw new StorageFailure(new Error("what was to be committed before is not over yet"));
  return state === "committed";
}
