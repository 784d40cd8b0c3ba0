// A process that migrates a database slowly, and says at each migration that it begins: `OPTIONS` of createDatabase.

import { Kysely } from "kysely";
import type { DatabaseOptions } from "../../src/db/database.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPostgresDialect, openPostgres } from "../../src/db/postgres-dialect.ts";
import { createSqliteDialect } from "../../src/db/sqlite-dialect.ts";
import { openSqlite } from "../../src/db/sqlite.ts";
import type { Tables } from "../../src/db/tables.ts";
import { longMigrations } from "./long-migrations.ts";

const { url, path } = JSON.parse(process.argv[2] ?? "{}") as Pick<DatabaseOptions, "url" | "path">;
const dialect = url === null ? createSqliteDialect(openSqlite(path)) : createPostgresDialect(openPostgres(url, 2));
const db = new Kysely<Tables>({ dialect });
const say = (step: number): void => void process.stdout.write(`${step}\n`);
await migrate(db, url === null ? "sqlite" : "postgres", longMigrations(say));
await db.destroy();
process.exit(0);
