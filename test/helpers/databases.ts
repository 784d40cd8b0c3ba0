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

async function openTestPostgres(): Promise<TestDatabase> {
  const options: DatabaseOptions = { url: await freshPostgresUrl(), path: "", maxConnections: 5, onError };
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
