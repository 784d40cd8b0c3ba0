// The only file that imports bun:sqlite: opening a file safely, running statements, copying a live database.

import { constants, Database as SqliteFile, SQLiteError, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { chmodSync, existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DatabaseUnusable, ForeignKeyViolation, StorageFailure, UniqueViolation } from "./engine.ts";
import { makePrivate } from "./private-file.ts";
import { unusableFile } from "./unusable.ts";

/** Older releases can lose commits when a WAL is reset (fixed in 3.51.3). */
const oldestSqlite = [3, 51, 3] as const;
/** SQLite waits this long inside one call, blocking the thread; longer waits happen outside (see sqlite-dialect). */
const busyTimeoutMs = 20;
const cachedStatements = 256;
/** A longer text inserts many rows. Each number of rows is a statement of its own, of 1.5 KB per row: not worth keeping. */
const longestCached = 2_000;

export interface SqliteResult {
  rows: Record<string, unknown>[];
  changes: number;
}

/** One open SQLite database. All calls are synchronous. */
export interface SqliteConnection {
  run(sql: string, parameters: readonly unknown[]): SqliteResult;
  /** Whether a transaction is open: a statement that fails for want of space may have ended it. */
  isInTransaction(): boolean;
  /** Rises when another connection (another process included) has committed; unchanged by our own commits. */
  dataVersion(): number;
  /** Writes a consistent copy to `path`, which must not exist, while others read and write. */
  copyTo(path: string): void;
  close(): void;
}

/**
 * Opens (and creates) the database at `path`: WAL, foreign keys, `synchronous=NORMAL`; file mode 0600, a directory
 * that it creates 0700. Throws `DatabaseUnusable` with one sentence when that is impossible. The caller closes it.
 */
export function openSqlite(path: string): SqliteConnection {
  const file = path === ":memory:" ? configured(new SqliteFile(path, { strict: true })) : openPrivately(path);
  const version = readVersion(file);
  if (compareVersions(version, oldestSqlite) < 0) {
    file.close();
    throw new DatabaseUnusable(`SQLite ${version.join(".")} is too old: ${oldestSqlite.join(".")} or newer is needed.`);
  }
  const statements = new Map<string, Statement>();
  const prepared = (sql: string): Statement => {
    const known = statements.get(sql);
    if (known !== undefined) {
      statements.delete(sql);
      statements.set(sql, known);
      return known;
    }
    const statement = file.prepare(sql);
    statements.set(sql, statement);
    if (statements.size > cachedStatements) {
      const [oldestSql, oldest] = statements.entries().next().value!;
      statements.delete(oldestSql);
      oldest.finalize();
    }
    return statement;
  };
  return {
    run(sql, parameters) {
      const isCached = sql.length <= longestCached;
      let statement: Statement | null = null;
      try {
        statement = isCached ? prepared(sql) : file.prepare(sql);
        const bindings = parameters as SQLQueryBindings[];
        if (statement.columnNames.length > 0) {
          const rows = statement.all(...bindings) as Record<string, unknown>[];
          return { rows, changes: rows.length };
        }
        return { rows: [], changes: statement.run(...bindings).changes };
      } catch (error) {
        throw mapError(error);
      } finally {
        if (!isCached) statement?.finalize();
      }
    },
    isInTransaction: () => file.inTransaction,
    dataVersion() {
      const row = prepared("PRAGMA data_version").get() as { data_version: number };
      return row.data_version;
    },
    copyTo: (copyPath) => copyInto(file, copyPath),
    close() {
      for (const statement of statements.values()) statement.finalize();
      statements.clear();
      file.close();
    },
  };
}

/** The tables of the file at `path`, which is looked at as it is: without a lock, and without anything beside it. None where only opening it can tell what is wrong. Throws `DatabaseUnusable` when it is no database. */
export function tablesOf(path: string): string[] {
  let file: SqliteFile | null = null;
  try {
    file = openImmutable(path);
    using names = file.prepare<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table'");
    return names.all().map(({ name }) => name);
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_NOTADB") throw unusableFile(path, error);
    return [];
  } finally {
    file?.close();
  }
}

function openImmutable(path: string): SqliteFile {
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_URI } = constants;
  return new SqliteFile(`${pathToFileURL(resolve(path)).href}?immutable=1`, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

/** As `SqliteConnection.copyTo`, from a disk that can only be read, too. Throws `DatabaseUnusable` when the copy would lack something. */
export function copySqlite(path: string, copyPath: string): void {
  let sqlite: SqliteConnection;
  try {
    sqlite = openSqlite(path);
  } catch (error) {
    const why = error instanceof DatabaseUnusable ? error.cause : error;
    if (!(why instanceof Error && "code" in why && why.code === "EROFS")) throw error;
    return copyUnwritable(path, copyPath);
  }
  try {
    sqlite.copyTo(copyPath);
  } finally {
    sqlite.close();
  }
}

function copyUnwritable(path: string, copyPath: string): void {
  const log = `${path}-wal`;
  // Whoever writes it has both, and whoever was killed has left both; SQLite reads them, and can't make them here.
  const isShared = existsSync(log) && existsSync(`${path}-shm`);
  if (!isShared && existsSync(log) && statSync(log).size > 0)
    throw new DatabaseUnusable(
      `${path} can't be copied from a read-only disk: its latest changes are still in ${log}. Copy both files to a disk that can be written, and back up that one.`,
    );
  const file = isShared ? new SqliteFile(path, { readonly: true }) : openImmutable(path);
  try {
    copyInto(file, copyPath);
  } finally {
    file.close();
  }
  if (!isShared && existsSync(log))
    throw new DatabaseUnusable(`${path} began to be written from elsewhere while it was copied: try again.`);
}

function copyInto(file: SqliteFile, copyPath: string): void {
  const statement = file.prepare("VACUUM INTO ?");
  try {
    statement.run(copyPath);
  } finally {
    statement.finalize();
  }
  chmodSync(copyPath, 0o600);
}

/** Whether `error` says that another connection holds the lock and trying again helps. */
export function isBusy(error: unknown): boolean {
  return error instanceof SQLiteError && (error.code?.startsWith("SQLITE_BUSY") ?? false);
}

function openPrivately(path: string): SqliteFile {
  let file: SqliteFile | undefined;
  try {
    // SQLite gives its -wal and -shm files the mode of the main file, so that one has to exist with the right mode first.
    makePrivate(path);
    file = new SqliteFile(path, { strict: true, create: true, readwrite: true });
    readOnce(file, "SELECT count(*) FROM sqlite_schema");
    return configured(file);
  } catch (error) {
    file?.close();
    throw unusableFile(path, error);
  }
}

function configured(file: SqliteFile): SqliteFile {
  file.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  file.run("PRAGMA journal_mode = WAL");
  file.run("PRAGMA synchronous = NORMAL");
  file.run("PRAGMA foreign_keys = ON");
  file.run("PRAGMA temp_store = MEMORY");
  file.run("PRAGMA cache_size = -65536");
  return file;
}

function readVersion(file: SqliteFile): number[] {
  const row = readOnce(file, "SELECT sqlite_version() AS version") as { version: string };
  return row.version.split(".").map(Number);
}

/** A statement that is left to the garbage collector keeps the file open, and locked, after `close`. */
function readOnce(file: SqliteFile, sql: string): unknown {
  const statement = file.prepare(sql);
  try {
    return statement.get();
  } finally {
    statement.finalize();
  }
}

function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < b.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function mapError(error: unknown): unknown {
  if (!(error instanceof SQLiteError)) return error;
  if (error.code === "SQLITE_CONSTRAINT_UNIQUE" || error.code === "SQLITE_CONSTRAINT_PRIMARYKEY") {
    // "UNIQUE constraint failed: table.column, table.column"
    const keys = error.message.slice(error.message.indexOf(":") + 1).split(",");
    const columns = keys.map((key) => key.trim().split(".")[1] ?? key.trim());
    return new UniqueViolation(keys[0]?.trim().split(".")[0] ?? "", columns, error);
  }
  if (error.code === "SQLITE_CONSTRAINT_FOREIGNKEY") return new ForeignKeyViolation(error);
  // SQLite says so also when a read fails (EIO), and who reads the log would look for the damage and not at the disk.
  if (error.code?.startsWith("SQLITE_CORRUPT") === true)
    return new StorageFailure(
      new Error(`its file is damaged, or a read of it failed (${error.message})`, { cause: error }),
    );
  if (/^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOTADB)/.test(error.code ?? "")) return new StorageFailure(error);
  return error;
}
