// `digit-link restore`: puts a backup in the place of the SQLite database, and keeps the one that was there.

import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { createDatabase } from "../db/database.ts";
import { checkPlace } from "../db/database-path.ts";
import { DatabaseUnusable } from "../db/engine.ts";
import { isBusy, openSqlite, type SqliteConnection } from "../db/sqlite.ts";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { createAudit } from "../observe/audit.ts";
import { sync } from "./backup.ts";
import { byOperator } from "./by-operator.ts";

export interface RestoreDeps {
  config: Pick<Config, "databaseUrl" | "dbPath">;
  log: Logger;
  nowMs: () => number;
}

/** What SQLite may keep beside a database. */
const companions = ["-wal", "-shm"];

/**
 * Checks a copy of `file`, brings it to this program's schema and renames it into place; until that moment the database
 * is as it was. Logins of the backup's time end: some of them were revoked since. Answers what the operator must know.
 * Throws AppError, also when a server (or anything else) has the database open.
 */
export async function restore({ config, log, nowMs }: RestoreDeps, file: string): Promise<{ notes: string[] }> {
  if (config.databaseUrl !== null) {
    throw new AppError(
      "conflict",
      "The database is PostgreSQL: restore it with pg_restore into a new, empty database, while no server runs (docs/operations.md, Backups).",
    );
  }
  const path = resolve(config.dbPath);
  checkPlace(path);
  checkSource(file, path);
  const aside = `${path}.restoring-${crypto.randomUUID()}`;
  const folder = dirname(path);
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    copyPrivately(file, aside);
    checkCopy(file, aside);
    await prepare(aside, file, log, nowMs);
    handOver(aside, path);
    const kept = keepOld(path, new Date(nowMs()));
    try {
      renameSync(aside, path);
    } catch (error) {
      if (kept !== null) moveAll(kept, path);
      throw error;
    }
    sync(folder);
    return {
      notes: [
        ...(kept === null ? [] : [`The database that was there is kept as ${kept}.`]),
        "Everybody has to log in again. Tokens, keys, people and addresses that were revoked or removed since the backup are let in " +
          "again: revoke them once more. ENCRYPTION_KEY must be the one of the backup's time.",
      ],
    };
  } catch (error) {
    if (error instanceof AppError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("conflict", `Nothing was restored: ${why.replace(/\.$/, "")}.`, { cause: error });
  } finally {
    removeAll(aside);
    if (made !== undefined) removeEmpty(folder, made);
  }
}

function checkSource(file: string, path: string): void {
  if (!existsSync(file) || !statSync(file).isFile()) throw new AppError("not_found", `There is no file ${file}.`);
  if (existsSync(path) && statSync(file).ino === statSync(path).ino && statSync(file).dev === statSync(path).dev) {
    throw new AppError("conflict", `${file} is the database itself.`);
  }
  if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0) {
    throw new AppError(
      "conflict",
      `${file} is in use (there is a ${file}-wal): make a copy of it with digit-link backup.`,
    );
  }
}

function copyPrivately(file: string, aside: string): void {
  closeSync(openSync(aside, "wx", 0o600));
  copyFileSync(file, aside);
  // copyFile may hand on the mode of its source.
  chmodSync(aside, 0o600);
}

/** What root restores belongs to whom the database, or else its folder, belonged: the server could not open what is root's. */
function handOver(aside: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(existsSync(path) ? path : dirname(path));
  chownSync(aside, uid, gid);
}

/** Whether the copy is a whole database of this program. */
function checkCopy(file: string, aside: string): void {
  let sqlite: SqliteConnection | null = null;
  try {
    sqlite = openSqlite(aside);
    const verdict = sqlite.run("pragma integrity_check(1)", []).rows[0]?.["integrity_check"];
    if (verdict !== "ok") throw new AppError("conflict", `${file} is damaged: ${String(verdict)}.`);
    const table = sqlite.run("select 1 from sqlite_schema where name = 'schema_migrations'", []).rows;
    if (table.length === 0) throw new AppError("conflict", `${file} is no backup of a digit-link database.`);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("conflict", `${file} is no backup of a digit-link database.`, { cause: error });
  } finally {
    sqlite?.close();
  }
}

/** Migrates the copy, ends its logins, and notes where it came from; one file is left. */
async function prepare(aside: string, file: string, log: Logger, nowMs: () => number): Promise<void> {
  const onError = (error: unknown) => log.error("the copy could not be read", { error: String(error) });
  const db = await createDatabase({ url: null, path: aside, onError });
  const audit = createAudit({ db, log, flushMs: 1 });
  try {
    await db.transaction(async (trx) => {
      const live = trx.updateTable("dashboard_sessions").set({ revoked_at: nowMs() }).where("revoked_at", "is", null);
      await live.execute();
      for (const table of ["pending_logins", "oauth_states", "visitor_states", "visitor_sessions"] as const) {
        await trx.deleteFrom(table).execute();
      }
      await audit.within(trx, { ...byOperator, action: "database.restored", details: { from: file } });
    });
  } finally {
    await audit.close();
    await db.close();
  }
  becomeOneFile(openSqlite(aside));
  sync(aside);
}

/** Moves the database aside under a name with the time, with all that belongs to it; null when there is none. */
function keepOld(path: string, now: Date): string | null {
  if (!existsSync(path)) return null;
  const kept = `${path}.before-restore-${now.toISOString().replaceAll(/[:.]/g, "-")}`;
  try {
    becomeOneFile(openSqlite(path));
  } catch (error) {
    const cause = error instanceof DatabaseUnusable ? error.cause : error;
    if (isBusy(cause)) throw new AppError("conflict", `${path} is in use: stop the server first.`, { cause });
    // A broken database is the best reason for a restore: it is kept as it is.
    if (!isDamaged(cause)) throw error;
  }
  moveAll(path, kept);
  return kept;
}

/** Takes in what waits in the -wal file; that needs the database for itself, which is how a running server is noticed. Closes it. */
function becomeOneFile(sqlite: SqliteConnection): void {
  try {
    sqlite.run("pragma journal_mode = delete", []);
  } finally {
    sqlite.close();
  }
}

function isDamaged(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
}

function moveAll(from: string, to: string): void {
  for (const end of ["", ...companions]) if (existsSync(from + end)) renameSync(from + end, to + end);
}

/** Removes `folder`, and what is above it up to `top`, unless something is in it. */
function removeEmpty(folder: string, top: string): void {
  for (let one = folder; one.length >= top.length && readdirSync(one).length === 0; one = dirname(one)) rmdirSync(one);
}

function removeAll(path: string): void {
  for (const end of ["", "-journal", ...companions]) rmSync(path + end, { force: true });
}
