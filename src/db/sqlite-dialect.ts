// Kysely on our one SQLite connection: transactions take turns, a lock held by another process is waited for without blocking,
// and a long line of statements lets everything else of the thread have its turns.

import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
} from "kysely";
import { StorageFailure } from "./engine.ts";
import { isBusy, type SqliteConnection } from "./sqlite.ts";

/** How long a writer waits for another process before it gives up. */
const busyDeadlineMs = 5_000;
/** A turn that takes longer means that a query outside a transaction waits for that very transaction. */
const turnDeadlineMs = 30_000;
/** Statements run at once, so that awaiting them gives the event loop no turn: after so much time on it, one is waited for. */
const longestRunMs = 10;

/** A dialect for `connection`, which stays the caller's to close after Kysely's `destroy()`. */
export function createSqliteDialect(connection: SqliteConnection): Dialect {
  return {
    createDriver: () => createDriver(connection),
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
  };
}

function createDriver(sqlite: SqliteConnection): Driver {
  const takeTurn = createTurns();
  const breathe = createBreaths();
  const endTurns = new WeakMap<DatabaseConnection, () => void>();
  return {
    async init() {},
    async acquireConnection() {
      const endTurn = await takeTurn();
      await breathe();
      const connection = createConnection(sqlite);
      endTurns.set(connection, endTurn);
      return connection;
    },
    async releaseConnection(connection) {
      endTurns.get(connection)?.();
    },
    async beginTransaction(connection, { accessMode }) {
      // IMMEDIATE: a transaction that begins as a reader and then writes can fail with BUSY halfway.
      await connection.executeQuery(CompiledQuery.raw(accessMode === "read only" ? "begin" : "begin immediate"));
    },
    async commitTransaction(connection) {
      await connection.executeQuery(CompiledQuery.raw("commit"));
    },
    async rollbackTransaction(connection) {
      // A failure to write has done it already; complaining about that would hide why.
      if (sqlite.isInTransaction()) await connection.executeQuery(CompiledQuery.raw("rollback"));
    },
    async destroy() {},
  };
}

function createConnection(sqlite: SqliteConnection): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, changes } = await retryWhileBusy(() => sqlite.run(query.sql, query.parameters));
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },
    // oxlint-disable-next-line require-yield -- a stream would hold the only connection; lists are read page by page
    async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error("streaming would hold the only SQLite connection: read page by page");
    },
  };
}

async function retryWhileBusy<T>(run: () => T): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() - startedAt > busyDeadlineMs) throw new StorageFailure(error);
      await Bun.sleep(5 + Math.random() * 20);
    }
  }
}

/** Resolves at once, or in the next turn of the event loop when this one has lasted too long already. */
function createBreaths(): () => Promise<void> | void {
  let turnSinceMs: number | null = null;
  return () => {
    const nowMs = performance.now();
    if (turnSinceMs === null) {
      turnSinceMs = nowMs;
      setImmediate(() => (turnSinceMs = null));
    } else if (nowMs - turnSinceMs > longestRunMs) {
      // The one above was asked for earlier: the clock starts anew with whoever comes first.
      return new Promise((resolve) => setImmediate(resolve));
    }
  };
}

/** A queue in which one caller at a time has its turn, first come first served. The result ends the turn. */
function createTurns(): () => Promise<() => void> {
  let busy = false;
  const waiting: (() => void)[] = [];
  const endTurn = (): void => {
    const next = waiting.shift();
    if (next === undefined) busy = false;
    else next();
  };
  const once = (): (() => void) => {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      endTurn();
    };
  };
  return async () => {
    if (!busy) {
      busy = true;
      return once();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const index = waiting.indexOf(resolve);
      if (index < 0) return;
      waiting.splice(index, 1);
      reject(new StorageFailure(new Error("busy for too long: does a transaction wait for a query outside of it?")));
    }, turnDeadlineMs);
    waiting.push(resolve);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
    return once();
  };
}
