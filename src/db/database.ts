// Opens the one database of the program, on either engine, with its schema up to date.

import { Kysely, sql, type Transaction } from "kysely";
import { checkDatabasePath } from "./database-path.ts";
import { createChangesFeed, type ChangesFeed } from "./changes.ts";
import { within } from "../lib/within.ts";
import { DatabaseUnusable, type Engine } from "./engine.ts";
import { migrate } from "./migrate.ts";
import { createPostgresDialect, openPostgres } from "./postgres-dialect.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";
import { openSqlite } from "./sqlite.ts";
import type { Tables } from "./tables.ts";
import { unusableFile, unusablePostgres } from "./unusable.ts";

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
  /** Whether the database answers now, in two seconds at most, and the feed of changes is current. */
  isReady(): Promise<boolean>;
  close(): Promise<void>;
}

const readyWaitMs = 2_000;
const usualTimeoutMs = 15_000;
/** The feed finds out soon that its connection is dead, and takes another. */
const feedTimeoutMs = 2_000;

export interface DatabaseOptions {
  /** `postgres://…`; null means SQLite. */
  url: string | null;
  /** SQLite file; `:memory:` for tests. */
  path: string;
  maxConnections?: number;
  /** How long PostgreSQL may take for one statement, or to give a connection. Migrations take what they take. */
  timeoutMs?: number;
  /** How often the feed of changes asks whether another process has written. */
  pollMs?: number;
  /** Hears of failures of the feed's background reads; they are tried again every second. */
  onError: (error: unknown) => void;
  /** Hears when a read of the feed worked. */
  onRead?: () => void;
}

/**
 * Opens, migrates and returns the database; throws `DatabaseUnusable` with one sentence otherwise. The feed of changes
 * is not started. The caller closes it.
 */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const engine: Engine = options.url === null ? "sqlite" : "postgres";
  if (options.url === null) checkDatabasePath(options.path);
  const sqlite = options.url === null ? openSqlite(options.path) : null;
  const postgres = options.url === null ? null : openPostgres(options.url, options.maxConnections ?? 10);
  let limitMs = Infinity;
  const dialect = sqlite !== null ? createSqliteDialect(sqlite) : createPostgresDialect(postgres!, () => limitMs);
  const kysely = new Kysely<Tables>({ dialect });
  // A connection of the feed's own: it waits for nobody's statements.
  const ofFeed = options.url === null ? null : openPostgres(options.url, 1);
  const reader =
    ofFeed === null ? kysely : new Kysely<Tables>({ dialect: createPostgresDialect(ofFeed, () => feedTimeoutMs) });
  const closeEngine = async (): Promise<void> => {
    await reader.destroy();
    await kysely.destroy();
    sqlite?.close();
    await Promise.all([postgres?.close({ timeout: 5 }), ofFeed?.close({ timeout: 5 })]);
  };
  try {
    await migrate(kysely, engine);
  } catch (error) {
    await closeEngine();
    if (error instanceof DatabaseUnusable) throw error;
    throw options.url === null ? unusableFile(options.path, error) : unusablePostgres(options.url, error);
  }
  limitMs = options.timeoutMs ?? usualTimeoutMs;
  const changes = createChangesFeed({
    kysely: reader,
    engine,
    sqlite,
    pollMs: options.pollMs ?? 250,
    onError: options.onError,
    ...(options.onRead === undefined ? {} : { onRead: options.onRead }),
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
    isReady: async () => changes.isCurrent() && (await within(readyWaitMs, answers(), false)),
    async close() {
      await changes.stop();
      await closeEngine();
    },
  };
}
