// Opens the one database of the program, on either engine, with its schema up to date.

import { Kysely, sql, type Transaction } from "kysely";
import { createChangesFeed, type ChangesFeed } from "./changes.ts";
import { within } from "../lib/within.ts";
import { DatabaseUnusable, type Engine } from "./engine.ts";
import { migrate } from "./migrate.ts";
import { createPostgresDialect, openPostgres } from "./postgres-dialect.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";
import { openSqlite } from "./sqlite.ts";
import type { Tables } from "./tables.ts";

export type Trx = Transaction<Tables>;
/** What a query function takes: the database or a transaction of it. */
export type Queryable = Kysely<Tables>;

export interface Database {
  readonly engine: Engine;
  /** For single statements. Several that belong together go through `transaction`. */
  readonly kysely: Kysely<Tables>;
  readonly changes: ChangesFeed;
  /**
   * Runs `work` in one transaction (on SQLite the only one at a time: never await anything but `trx` inside, and never
   * use `kysely` there). After the commit the feed of changes is read. On PostgreSQL a failed statement, a unique
   * violation included, ends the whole transaction.
   */
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  /** Whether the database answers now: in two seconds at most. */
  isReady(): Promise<boolean>;
  /** Writes a consistent copy to a new file (SQLite only; throws otherwise). */
  copyTo(path: string): void;
  close(): Promise<void>;
}

const readyWaitMs = 2_000;

export interface DatabaseOptions {
  /** `postgres://…`; null means SQLite. */
  url: string | null;
  /** SQLite file; `:memory:` for tests. */
  path: string;
  maxConnections?: number;
  pollMs?: number;
  /** Hears of failures of the feed's background reads; they are tried again every second. */
  onError: (error: unknown) => void;
}

/**
 * Opens, migrates and returns the database; throws `DatabaseUnusable` with one sentence otherwise. The feed of changes
 * is not started. The caller closes it.
 */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const engine: Engine = options.url === null ? "sqlite" : "postgres";
  const sqlite = options.url === null ? openSqlite(options.path) : null;
  const postgres = options.url === null ? null : openPostgres(options.url, options.maxConnections ?? 10);
  const dialect = sqlite !== null ? createSqliteDialect(sqlite) : createPostgresDialect(postgres!);
  const kysely = new Kysely<Tables>({ dialect });
  const closeEngine = async (): Promise<void> => {
    await kysely.destroy();
    sqlite?.close();
    await postgres?.close({ timeout: 5 });
  };
  try {
    await migrate(kysely, engine);
  } catch (error) {
    await closeEngine();
    if (error instanceof DatabaseUnusable) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new DatabaseUnusable(
      `The ${engine === "sqlite" ? `database ${options.path}` : "PostgreSQL database"} cannot be used: ${why}.`,
      error,
    );
  }
  const changes = createChangesFeed({
    kysely,
    engine,
    sqlite,
    postgres,
    pollMs: options.pollMs ?? 250,
    onError: options.onError,
  });
  let answering: Promise<boolean> | null = null;
  // One question for all who ask: each takes a connection for as long as there is no answer.
  const answers = (): Promise<boolean> =>
    (answering ??= sql`select 1`
      .execute(kysely)
      .then(
        () => true,
        () => false,
      )
      .finally(() => (answering = null)));
  return {
    engine,
    kysely,
    changes,
    async transaction(work) {
      const result = await kysely.transaction().execute(work);
      changes.wake();
      return result;
    },
    isReady: () => within(readyWaitMs, answers(), false),
    copyTo(path) {
      if (sqlite === null) throw new DatabaseUnusable("A PostgreSQL database is backed up with pg_dump.");
      sqlite.copyTo(path);
    },
    async close() {
      await changes.stop();
      await closeEngine();
    },
  };
}
