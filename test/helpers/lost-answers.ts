// A PostgreSQL whose answer to a commit is lost: what was committed stays, and whoever waits for it never hears.

import { sql } from "kysely";
import { createDatabase, type Database } from "../../src/db/database.ts";
import { openTestPostgres, type TestDatabase } from "./databases.ts";
import { eventually } from "./eventually.ts";
import { startRelay } from "./relay.ts";

export interface LosingAnswers extends AsyncDisposable {
  /** Beside the relay. */
  readonly fresh: TestDatabase;
  /** Through the relay; gives a statement up after a second. */
  readonly impatient: Database;
  /**
   * Does `work`, and loses the answer to its commit of new rows of `table` with all connections of `impatient`. The commit is done, or
   * broken off, when this resolves with what `work` makes of it; new connections lead to the database as before.
   */
  loseAnswer<T>(table: string, work: () => Promise<T>, commit?: "done" | "undone"): Promise<T>;
}

export async function openLosingAnswers(): Promise<LosingAnswers> {
  const fresh = await openTestPostgres();
  const { kysely } = fresh.db;
  const url = new URL(fresh.options.url!);
  const relay = await startRelay(Number(url.port));
  url.port = String(relay.port);
  const impatient = await createDatabase({ ...fresh.options, url: url.href, timeoutMs: 1_000, onError: () => {} });
  const run = (statement: string) => sql.raw(statement).execute(kysely);
  // Once in a transaction, however many rows it has.
  await run(`create function slow() returns trigger language plpgsql as $$ begin
    if current_setting('test.slept', true) is distinct from 'yes' then
      perform set_config('test.slept', 'yes', true);
      perform pg_sleep(3);
    end if;
    return null;
  end $$`);
  return {
    fresh,
    impatient,
    async loseAnswer(table, work, commit = "done") {
      const trigger = `create constraint trigger slow after insert on ${table} initially deferred`;
      await run(`${trigger} for each row execute function slow()`);
      const outcome = work();
      // Before anybody waits for it, as well.
      outcome.catch(() => undefined);
      const committing = "pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
      const isCommitting = async () => (await run(`select 1 from ${committing}`)).rows.length > 0;
      await eventually(isCommitting, "it is being committed");
      // No other way either: whoever gives a statement up asks for its end.
      relay.refusing = true;
      for (const connection of relay.connections) connection.stall();
      if (commit === "undone") await run(`select pg_terminate_backend(pid) from ${committing}`);
      // Waits for the end of the transaction.
      await run(`drop trigger slow on ${table}`);
      for (const connection of relay.connections) connection.cut();
      relay.refusing = false;
      return await outcome;
    },
    async [Symbol.asyncDispose]() {
      await impatient.close();
      await relay[Symbol.asyncDispose]();
      await fresh[Symbol.asyncDispose]();
    },
  };
}
