// `digit-link backup`: a copy of the SQLite database while the server runs.

import { closeSync, fsyncSync, openSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { copySqlite } from "../db/sqlite.ts";
import { AppError } from "../lib/errors.ts";

type Storage = Pick<Config, "databaseUrl" | "dbPath" | "encryptionKeys" | "jwtSecret">;

/**
 * Writes a consistent copy to `file` (mode 0600), which must not exist; it is on the disk when this returns. The schema
 * stays as it is, so that a newer program can copy the database of an older server that runs. Answers what the operator
 * must know. Throws AppError.
 */
export function backUp(config: Storage, file: string): { notes: string[] } {
  if (config.databaseUrl !== null) {
    throw new AppError(
      "conflict",
      "The database is PostgreSQL: copy it with pg_dump, for example pg_dump -Fc -f FILE DATABASE_URL.",
    );
  }
  requireDatabase(config.dbPath);
  reserve(file);
  try {
    copySqlite(config.dbPath, file);
    sync(file);
    sync(dirname(resolve(file)));
  } catch (error) {
    rmSync(file, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("conflict", `The copy could not be written to ${file}: ${why.replace(/\.$/, "")}.`, {
      cause: error,
    });
  }
  return { notes: [keysNote(config)] };
}

/** Refuses where a command would make an empty database instead of working on the server's. */
export function requireDatabase(path: string): void {
  const where = resolve(path);
  try {
    statSync(path);
    return;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") {
      const sentence = `The database ${where} can't be reached (${code}): run this as the user that the server runs as.`;
      throw new AppError("conflict", sentence, { cause: error });
    }
  }
  throw new AppError(
    "not_found",
    `There is no database ${where}. Run this with the server's settings (DB_PATH) and folder.`,
  );
}

/** What is on the disk stays there after a power failure: a file's bytes, or a folder's names. */
export function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** SQLite writes into an empty file as it is, so nobody else can read the copy at any moment. */
function reserve(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === "EEXIST";
    const why = exists ? "it exists already" : error instanceof Error ? error.message : String(error);
    throw new AppError("conflict", `${file} can't be the copy: ${why}.`, { cause: error });
  }
}

function keysNote({ dbPath, encryptionKeys, jwtSecret }: Storage): string {
  const folder = dirname(resolve(dbPath));
  const encryption = encryptionKeys === null ? join(folder, "encryption-key") : "ENCRYPTION_KEY";
  const signing = jwtSecret === null ? join(folder, "jwt-secret") : "JWT_SECRET";
  return (
    `The keys are not in the copy: keep ${encryption} and ${signing} in another place. ` +
    "Without the first, two-factor seeds and client secrets in the copy can't be read."
  );
}
