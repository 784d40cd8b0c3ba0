// Kysely on Bun.SQL: one reserved connection per query or transaction, integers as numbers, errors as on SQLite.

import {
  CompiledQuery,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  type TransactionSettings,
} from "kysely";
import { SQL, type ReservedSQL } from "bun";
import { ForeignKeyViolation, StorageFailure, UniqueViolation } from "./engine.ts";

/** Opens a pool. `bigint` makes every int8 recognisable, so that the dialect can turn it into a number. */
export function openPostgres(url: string, maxConnections: number, connectSeconds = 10): SQL {
  return new SQL(url, {
    max: maxConnections,
    bigint: true,
    connectionTimeout: connectSeconds,
    connection: { application_name: "digit-link" },
  });
}

/**
 * A dialect for `pool`, which stays the caller's to close after Kysely's `destroy()`. A statement, or the wait for a connection, that
 * takes longer than `limitMs()` ends in a StorageFailure; the connection is closed with it, as its answer may still come.
 */
export function createPostgresDialect(pool: SQL, limitMs: () => number = () => Infinity): Dialect {
  return {
    createDriver: () => createDriver(pool, limitMs),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  };
}

function createDriver(pool: SQL, limitMs: () => number): Driver {
  const connections = new WeakMap<DatabaseConnection, Reserved>();
  return {
    async init() {},
    async acquireConnection() {
      const waiting = new AbortController();
      const sql = await inTime(limitMs(), pool.reserve({ signal: waiting.signal }), () => waiting.abort());
      const connection = createReserved(sql, limitMs);
      connections.set(connection, connection);
      return connection;
    },
    async releaseConnection(connection) {
      await connections.get(connection)?.release();
    },
    async beginTransaction(connection, { isolationLevel, accessMode }: TransactionSettings) {
      const level = isolationLevel === undefined ? "" : ` isolation level ${isolationLevel}`;
      await connection.executeQuery(CompiledQuery.raw(`begin${level} ${accessMode ?? ""}`));
    },
    async commitTransaction(connection) {
      const command = await connections.get(connection)?.commit();
      // A transaction that a failed statement has aborted answers COMMIT with ROLLBACK, without an error.
      if (command === "ROLLBACK") throw new Error("the transaction had failed and was rolled back");
    },
    async rollbackTransaction(connection) {
      // One that is lost is rolled back by that; complaining would hide why.
      if (connections.get(connection)?.isLost() === false) await connection.executeQuery(CompiledQuery.raw("rollback"));
    },
    async destroy() {},
  };
}

interface Reserved extends DatabaseConnection {
  begin(statement: string): Promise<void>;
  /** What PostgreSQL calls what it did. */
  commit(): Promise<string>;
  /** Whether it ended, or was closed for want of an answer. */
  isLost(): boolean;
  release(): Promise<void>;
}

function createReserved(reserved: ReservedSQL, limitMs: () => number): Reserved {
  let isClosed = false;
  let isLost = false;
  let isInTransaction = false;
  const close = (): void => {
    isClosed = true;
    // Whether or not it could be closed, it is used no more.
    reserved.close({ timeout: 0 }).catch(() => undefined);
  };
  /** `commits`: what the statement does stays, when it was done. */
  const run = async (text: string, parameters?: unknown[], commits = false) => {
    try {
      return await inTime(limitMs(), reserved.unsafe(text, parameters), close);
    } catch (error) {
      if (!(error instanceof StorageFailure) || isRefusal(error.cause)) throw error;
      isLost = true;
      throw commits ? new StorageFailure(error.cause, true) : error;
    }
  };
  return {
    async begin(statement) {
      await run(statement);
      isInTransaction = true;
    },
    commit: async () => (await run("commit", undefined, true)).command,
    isLost: () => isLost,
    release: async () => {
      if (!isClosed) await reserved.release();
    },
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const commits = !isInTransaction && query.query.kind !== "SelectQueryNode";
      const rows = await run(query.sql, query.parameters as unknown[], commits);
      const affected = BigInt(rows.count ?? 0);
      for (const row of rows) numbersOf(row);
      return { rows: rows as R[], numAffectedRows: affected };
    },
    // oxlint-disable-next-line require-yield -- both engines read page by page
    async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
      throw new Error("streaming is not offered: read page by page");
    },
  };
}

/** Times in ms, counters and byte counts are below 2^53, so an int8 is a number everywhere above this file. */
function numbersOf(row: Record<string, unknown>): void {
  for (const key in row) {
    const value = row[key];
    if (typeof value === "bigint") row[key] = Number(value);
  }
}

/** What `answer` resolves to; its error as on SQLite. After `limitMs` it is given up: `giveUp` must make it reject. */
async function inTime<T>(limitMs: number, answer: Promise<T>, giveUp: () => void): Promise<T> {
  let isLate = false;
  const whenLate = (): void => {
    isLate = true;
    giveUp();
  };
  const timer = limitMs === Infinity ? undefined : setTimeout(whenLate, limitMs);
  try {
    return await answer;
  } catch (error) {
    throw isLate ? new StorageFailure(new Error(`no answer in ${limitMs} ms`, { cause: error })) : mapError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether PostgreSQL itself said that it can't: then nothing was done. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof SQL.PostgresError && /^(40|53|58)/.test(cause.errno ?? "");
}

function mapError(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  if (error.errno === "23505") {
    // Our unique indexes are called ux_table__column__column; the message itself may be in any language.
    const columns = error.constraint?.startsWith("ux_") ? error.constraint.split("__").slice(1) : [];
    return new UniqueViolation(error.table ?? "", columns, error);
  }
  if (error.errno === "23503") return new ForeignKeyViolation(error);
  // Lost connections, transactions that waited for each other, no room, a server that ends, its disk.
  if (/^(08|40|53|57P|58)/.test(error.errno ?? "") || error.code.startsWith("ERR_POSTGRES_CONNECTION"))
    return new StorageFailure(error);
  return error;
}
