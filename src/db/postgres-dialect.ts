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

/** A dialect for `pool`, which stays the caller's to close after Kysely's `destroy()`. */
export function createPostgresDialect(pool: SQL): Dialect {
  return {
    createDriver: () => createDriver(pool),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  };
}

function createDriver(pool: SQL): Driver {
  const reservations = new WeakMap<DatabaseConnection, ReservedSQL>();
  return {
    async init() {},
    async acquireConnection() {
      const reserved = await mapped(pool.reserve());
      const connection = createConnection(reserved);
      reservations.set(connection, reserved);
      return connection;
    },
    async releaseConnection(connection) {
      await reservations.get(connection)?.release();
    },
    async beginTransaction(connection, settings: TransactionSettings) {
      const level = settings.isolationLevel === undefined ? "" : ` isolation level ${settings.isolationLevel}`;
      await connection.executeQuery(CompiledQuery.raw(`begin${level}`));
    },
    async commitTransaction(connection) {
      const reserved = reservations.get(connection);
      const result = reserved === undefined ? undefined : await mapped(reserved.unsafe("commit"));
      // A transaction that a failed statement has aborted answers COMMIT with ROLLBACK, without an error.
      if (result?.command === "ROLLBACK") throw new Error("the transaction had failed and was rolled back");
    },
    async rollbackTransaction(connection) {
      await connection.executeQuery(CompiledQuery.raw("rollback"));
    },
    async destroy() {},
  };
}

function createConnection(reserved: ReservedSQL): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const rows = await mapped(reserved.unsafe(query.sql, query.parameters as unknown[]));
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

async function mapped<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw mapError(error);
  }
}

function mapError(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  if (error.errno === "23505") {
    // Our unique indexes are called ux_table__column__column; the message itself may be in any language.
    const columns = error.constraint?.startsWith("ux_") ? error.constraint.split("__").slice(1) : [];
    return new UniqueViolation(error.table ?? "", columns, error);
  }
  if (error.errno === "23503") return new ForeignKeyViolation(error);
  // Lost connections, no room, a server that ends, its disk.
  if (/^(08|53|57P|58)/.test(error.errno ?? "") || error.code.startsWith("ERR_POSTGRES_CONNECTION"))
    return new StorageFailure(error);
  return error;
}
