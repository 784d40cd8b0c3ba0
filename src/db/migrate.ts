// Brings a database to this program's schema: numbered migrations, forward only, one transaction each, under a lock.

import { sql, type Kysely, type Transaction } from "kysely";
import { DatabaseUnusable, type Engine } from "./engine.ts";
import { initial } from "./migrations/0001-initial.ts";
import { targets } from "./migrations/0002-targets.ts";
import { listOrders } from "./migrations/0003-list-orders.ts";
import { organizationLimits } from "./migrations/0004-organization-limits.ts";
import { memberCounts } from "./migrations/0005-member-counts.ts";
import { anchorTime } from "./migrations/0006-anchor-time.ts";
import { usedSteps } from "./migrations/0007-used-steps.ts";

/** How the few words of SQL that differ are spelled. `text` sorts by bytes on both engines. */
export interface ColumnTypes {
  text: string;
  int: string;
  /** 64 bits: times, counters, sizes. */
  big: string;
  /** A whole primary key column that counts by itself and never reuses a number. */
  serial: string;
  strict: string;
}

const columnTypes: Record<Engine, ColumnTypes> = {
  sqlite: {
    text: "text",
    int: "integer",
    big: "integer",
    serial: "integer primary key autoincrement",
    strict: " strict",
  },
  postgres: {
    text: 'text collate "C"',
    int: "integer",
    big: "bigint",
    serial: "bigint generated always as identity primary key",
    strict: "",
  },
};

export type Migration = (types: ColumnTypes) => string[];

/** Position + 1 is the version. Append only. */
export const migrations: readonly { name: string; statements: Migration }[] = [
  { name: "initial", statements: initial },
  { name: "targets", statements: targets },
  { name: "list-orders", statements: listOrders },
  { name: "organization-limits", statements: organizationLimits },
  { name: "member-counts", statements: memberCounts },
  { name: "anchor-time", statements: anchorTime },
  { name: "used-steps", statements: usedSteps },
];

/** Any number, the same in every release: migrations of all processes on one PostgreSQL database take turns. */
const lockKey = 7_203_411;

interface MigrationTables {
  schema_migrations: { version: number; name: string; applied_at: number };
}

/**
 * Runs what is missing. A process that dies halfway leaves whole migrations only; several processes at once take turns.
 * Throws `DatabaseUnusable` when the database was written by a newer program. Returns the versions it applied.
 */
export async function migrate<DB>(
  database: Kysely<DB>,
  engine: Engine,
  list: readonly { name: string; statements: Migration }[] = migrations,
): Promise<number[]> {
  const db = database as unknown as Kysely<MigrationTables>;
  const applied: number[] = [];
  for (;;) {
    const version = await db.transaction().execute(async (trx) => applyNext(trx, engine, list));
    if (version === null) return applied;
    applied.push(version);
  }
}

async function applyNext(
  trx: Transaction<MigrationTables>,
  engine: Engine,
  list: readonly { name: string; statements: Migration }[],
): Promise<number | null> {
  // On SQLite every transaction holds the write lock already (BEGIN IMMEDIATE).
  if (engine === "postgres") await sql`select pg_advisory_xact_lock(${sql.lit(lockKey)})`.execute(trx);
  await sql`create table if not exists schema_migrations (version integer primary key, name text not null, applied_at bigint not null)`.execute(
    trx,
  );
  const newest = await trx
    .selectFrom("schema_migrations")
    .select("version")
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  const current = newest?.version ?? 0;
  if (current > list.length) {
    throw new DatabaseUnusable(
      `The database has schema ${current}, this program knows ${list.length}: it was written by a newer digit-link. Update the program, or restore a backup.`,
    );
  }
  const next = list[current];
  if (next === undefined) return null;
  for (const statement of next.statements(columnTypes[engine])) await sql.raw(statement).execute(trx);
  const version = current + 1;
  await trx.insertInto("schema_migrations").values({ version, name: next.name, applied_at: Date.now() }).execute();
  return version;
}
