// What migrations do with rows that are there already, on both engines.

import { expect, test } from "bun:test";
import { sql } from "kysely";
import { migrate, migrations } from "../../src/db/migrate.ts";
import { describeEngines } from "../helpers/databases.ts";

describeEngines("rows of an older schema", (open) => {
  test("an application's limiter of an older schema is kept, under its organization", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    await kysely
      .insertInto("organizations")
      .values({ id: "org", name: "org", name_key: "org", require_totp: 0, created_at: 0 })
      .execute();
    const counts = { total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0, created_at: 0 };
    const app = {
      id: "app",
      org_id: "org",
      subdomain: "app",
      name: "App",
      auth_mode: "inherit",
      is_active: 1,
    } as const;
    await kysely
      .insertInto("applications")
      .values({ ...app, ...counts })
      .execute();
    const older = [
      "delete from schema_migrations where version >= 4",
      "drop table rate_limits",
      `create table rate_limits (app_id text primary key, enabled integer not null, max_attempts integer not null,
        window_seconds integer not null, block_seconds integer not null, updated_at bigint not null)`,
      "insert into rate_limits values ('app', 1, 3, 60, 120, 5)",
    ];
    for (const statement of older) await sql.raw(statement).execute(kysely);
    expect(await migrate(kysely, fresh.db.engine, migrations.slice(0, 4))).toEqual([4]);
    const ids = { owner_id: "app", org_id: "org", app_id: "app" };
    const numbers = { enabled: 1, max_attempts: 3, window_seconds: 60, block_seconds: 120, updated_at: 5 } as const;
    expect(await kysely.selectFrom("rate_limits").selectAll().execute()).toEqual([{ ...ids, ...numbers }]);
  });

  test("the end of the audit log, and where pruning has cut it, outlive the column of when that was", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    const ends = { id: 1, head_seq: 9, head_hash: "head", anchor_seq: 4, anchor_hash: "anchor" };
    await kysely.updateTable("audit_chain").set(ends).execute();
    await sql`alter table audit_chain add column anchored_at integer not null default 7`.execute(kysely);
    await sql`delete from schema_migrations where version >= 6`.execute(kysely);
    expect(await migrate(kysely, fresh.db.engine, migrations.slice(0, 6))).toEqual([6]);
    expect(await kysely.selectFrom("audit_chain").selectAll().executeTakeFirst()).toEqual(ends);
  });

  test("used codes are kept, without an index that nothing reads", async () => {
    await using fresh = await open();
    const { kysely, engine } = fresh.db;
    const account = { id: "acc", username: "a", username_key: "a", is_admin: 0, is_org_admin: 0, active: 1 } as const;
    await kysely
      .insertInto("accounts")
      .values({ ...account, created_at: 0, last_used_at: 0 })
      .execute();
    await kysely.insertInto("totp_used_steps").values({ account_id: "acc", step: 5, used_at: 7 }).execute();
    await sql`create index if not exists ix_totp_used_steps__used on totp_used_steps (used_at)`.execute(kysely);
    await sql`delete from schema_migrations where version >= 7`.execute(kysely);
    expect(await migrate(kysely, engine, migrations.slice(0, 7))).toEqual([7]);
    const steps = await kysely.selectFrom("totp_used_steps").select(["step", "used_at"]).execute();
    expect(steps).toEqual([{ step: 5, used_at: 7 }]);
    const indexes =
      engine === "sqlite"
        ? sql`select name from sqlite_master where name = 'ix_totp_used_steps__used'`
        : sql`select indexname from pg_indexes where indexname = 'ix_totp_used_steps__used'`;
    expect((await indexes.execute(kysely)).rows).toEqual([]);
  });
});
