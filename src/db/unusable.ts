// Why the database can't be used at a start, in a sentence for whoever starts it: which file, why, and what helps.

import { existsSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseUnusable, StorageFailure } from "./engine.ts";

/** Less than SQLite needs to open a database: its index of 32 KiB that processes share, and a page or two. */
const leastRoomBytes = 64 * 1024;

/** The refusal of a SQLite file that `error` is about. */
export function unusableFile(path: string, error: unknown): DatabaseUnusable {
  const cause = error instanceof StorageFailure ? error.cause : error;
  return new DatabaseUnusable(`The database file ${path} cannot be used: ${reasonOf(path, cause)}.`, cause);
}

/** The refusal of a PostgreSQL database because of `why`: which one, without its user and password. */
export function unusablePostgres(url: string, why: unknown, cause = why): DatabaseUnusable {
  const host = URL.parse(url)?.host ?? "";
  const where = host === "" ? "" : ` at ${host}`;
  return new DatabaseUnusable(`The PostgreSQL database${where} cannot be used: ${textOf(why)}.`, cause);
}

/** What a failed start says: `error` itself, unless it, or what caused it, is a failure of the storage. */
export function explainStorage(
  error: unknown,
  { databaseUrl, dbPath }: { databaseUrl: string | null; dbPath: string },
) {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++) {
    if (!(one instanceof StorageFailure)) continue;
    if (databaseUrl === null) return unusableFile(dbPath, one);
    return unusablePostgres(databaseUrl, one.cause, one);
  }
  return error;
}

function reasonOf(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "EROFS" || code.startsWith("SQLITE_READONLY"))
    return "its disk is read-only: make it writable and start again, or set DB_PATH to a file elsewhere";
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code) || (/^SQLITE_(IOERR|CANTOPEN)/.test(code) && isFull(dirname(path))))
    return `its disk is full (${textOf(error)}): make room there and start again`;
  if (code.startsWith("SQLITE_IOERR"))
    return `its disk fails (${textOf(error)}, ${code}): look into the system's log, and at quotas`;
  if (code === "EISDIR") return `it is a folder: set DB_PATH to a file, such as ${join(path, "digit-link.db")}`;
  if (code === "SQLITE_NOTADB")
    return "it is not a database: set DB_PATH to the server's, or to a file that is not there yet";
  if (code === "ENOTDIR") return `${fileAbove(path)} is a file and no folder: set DB_PATH to a file in a folder`;
  if (code === "EACCES" || code === "EPERM")
    return `this user may not use it (${textOf(error)}): give it to this user, or set DB_PATH to a file elsewhere`;
  return textOf(error);
}

/** What `path` leads through as if it were a folder. */
function fileAbove(path: string): string {
  let above = dirname(path);
  while (!existsSync(above)) above = dirname(above);
  return above;
}

/** SQLite says of a full disk that its input or output failed when it is about the index. */
function isFull(folder: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(folder);
    return bavail * bsize < leastRoomBytes || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
