// Runs one suite on both database engines.

import { describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, type Database, type DatabaseOptions } from "../../src/db/database.ts";
import type { Engine } from "../../src/db/engine.ts";
import { freshPostgresUrl } from "./postgres.ts";

/** A migrated, empty database that disappears with `await using`. `options` open it once more (another process's view). */
export interface TestDatabase extends AsyncDisposable {
  readonly db: Database;
  readonly options: DatabaseOptions;
}

/** Declares `body` twice: with `open` for SQLite files and for PostgreSQL databases. */
export function describeEngines(name: string, body: (open: () => Promise<TestDatabase>, engine: Engine) => void): void {
  describe(`${name} (sqlite)`, () => body(openTestSqlite, "sqlite"));
  describe(`${name} (postgres)`, () => body(openTestPostgres, "postgres"));
}

export async function openTestSqlite(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-db-"));
  const options: DatabaseOptions = { url: null, path: join(folder, "data", "test.db"), pollMs: 20, onError };
  const db = await createDatabase(options);
  return {
    db,
    options,
    async [Symbol.asyncDispose]() {
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// On globalThis because each test file may get its own copy of this module.
const holder = globalThis as { digitLinkTestMigrated?: Promise<string> };

/** The URL of a migrated database that others are copied from, for a third of what the migrations cost PostgreSQL. */
async function createMigrated(): Promise<string> {
  const url = await freshPostgresUrl();
  await (await createDatabase({ url, path: "", onError })).close();
  return url;
}

export async function openTestPostgres(): Promise<TestDatabase> {
  const url = await freshPostgresUrl(await (holder.digitLinkTestMigrated ??= createMigrated()));
  const options: DatabaseOptions = { url, path: "", maxConnections: 5, onError };
  const db = await createDatabase(options);
  return {
    db,
    options,
    async [Symbol.asyncDispose]() {
      await db.close();
    },
  };
}

function onError(error: unknown): never {
  throw error;
}
