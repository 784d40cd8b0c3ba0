// The database layer on both engines: schema, transactions, unique violations, numbers, the feed of changes.

import { Database as SqliteFile } from "bun:sqlite";
import { describe, expect, spyOn, test } from "bun:test";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, sql } from "kysely";
import { createDatabase } from "../../src/db/database.ts";
import { DatabaseUnusable, ForeignKeyViolation, isUniqueViolation, StorageFailure } from "../../src/db/engine.ts";
import { createPostgresDialect, openPostgres } from "../../src/db/postgres-dialect.ts";
import { openSqlite } from "../../src/db/sqlite.ts";
import { migrate, migrations } from "../../src/db/migrate.ts";
import type { Change } from "../../src/db/changes.ts";
import { describeEngines, openTestSqlite } from "../helpers/databases.ts";

const organization = (id: string) => ({
  id,
  name: id,
  name_key: id,
  require_totp: 0 as const,
  created_at: 1_800_000_000_123,
});

async function until(fact: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !fact(); await Bun.sleep(5))
    if (performance.now() > end) throw new Error("never became true");
}

describeEngines("database", (open, engine) => {
  test("migrations run once, also when two processes start together", async () => {
    await using fresh = await open();
    const others = await Promise.all([createDatabase(fresh.options), createDatabase(fresh.options)]);
    expect(await migrate(fresh.db.kysely, fresh.db.engine)).toEqual([]);
    for (const other of others) await other.close();
  });

  test("a schema newer than the program is refused with one sentence", async () => {
    await using fresh = await open();
    await sql`insert into schema_migrations (version, name, applied_at) values (999, 'later', 0)`.execute(
      fresh.db.kysely,
    );
    const refused = createDatabase(fresh.options);
    expect(refused).rejects.toThrow(DatabaseUnusable);
    expect(refused).rejects.toThrow(/schema 999.*newer digit-link/);
    await refused.catch(() => {});
  });

  test("a migration that fails leaves nothing of itself", async () => {
    await using fresh = await open();
    const broken = [
      ...migrations,
      { name: "broken", statements: () => ["create table half (a integer)", "create nonsense"] },
    ];
    expect(migrate(fresh.db.kysely, fresh.db.engine, broken)).rejects.toThrow();
    await migrate(fresh.db.kysely, fresh.db.engine, broken).catch(() => {});
    const fixed = [...migrations, { name: "fixed", statements: () => ["create table half (a integer)"] }];
    expect(await migrate(fresh.db.kysely, fresh.db.engine, fixed)).toEqual([migrations.length + 1]);
  });

  test("a long line of statements leaves the event loop its turns", async () => {
    await using fresh = await open();
    let others = 0;
    const timer = setInterval(() => others++, 1);
    for (let i = 0; i < 3_000; i++) await fresh.db.isReady();
    clearInterval(timer);
    expect(others).toBeGreaterThan(0);
  });

  test("64-bit integers, sums and counts are numbers", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    await kysely
      .insertInto("organizations")
      .values([organization("a"), organization("b")])
      .execute();
    const row = await kysely
      .selectFrom("organizations")
      .selectAll()
      .where("created_at", ">", 1_800_000_000_000)
      .orderBy("id")
      .executeTakeFirstOrThrow();
    expect(row.created_at).toBe(1_800_000_000_123);
    const counted = await kysely
      .selectFrom("organizations")
      .select((eb) => eb.fn.countAll<number>().as("n"))
      .executeTakeFirstOrThrow();
    expect(counted.n).toBe(2);
    const updated = await kysely.updateTable("organizations").set({ require_totp: 1 }).executeTakeFirst();
    expect(Number(updated.numUpdatedRows)).toBe(2);
  });

  test("violations are the same on both engines", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    await kysely.insertInto("organizations").values(organization("a")).execute();
    const twice = await kysely
      .insertInto("organizations")
      .values({ ...organization("b"), name_key: "a" })
      .execute()
      .catch((error: unknown) => error);
    expect(isUniqueViolation(twice, "name_key")).toBe(true);
    expect(isUniqueViolation(twice, "id")).toBe(false);
    const sameId = await kysely
      .insertInto("organizations")
      .values({ ...organization("a"), name_key: "c" })
      .execute()
      .catch((error: unknown) => error);
    expect(isUniqueViolation(sameId)).toBe(true);
    const application = {
      id: "x",
      org_id: "a",
      subdomain: "x",
      name: "x",
      auth_mode: "inherit" as const,
      is_active: 1 as const,
      created_at: 1,
    };
    await kysely
      .insertInto("applications")
      .values({ ...application, ...zero })
      .execute();
    const orphan = await kysely
      .deleteFrom("organizations")
      .where("id", "=", "a")
      .execute()
      .catch((error: unknown) => error);
    expect(orphan).toBeInstanceOf(ForeignKeyViolation);
  });

  // SQLite has none.
  const forPostgres = engine === "postgres" ? test : (): void => {};
  forPostgres("a connection that is lost is a failure of the storage, and the next one works", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    const lost = fresh.db.transaction(async (trx) => {
      await trx.insertInto("settings").values({ key: "k", value: "v", updated_at: 0 }).execute();
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(trx);
      await trx.insertInto("settings").values({ key: "l", value: "v", updated_at: 0 }).execute();
    });
    expect(await lost.catch((error: unknown) => error)).toBeInstanceOf(StorageFailure);
    expect(await kysely.selectFrom("settings").select("key").where("key", "in", ["k", "l"]).execute()).toEqual([]);
  });

  forPostgres("a server that can't be reached, or that says nothing, is a failure of the storage", async () => {
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    for (const port of [1, silent.port]) {
      await using pool = openPostgres(`postgres://nobody:x@127.0.0.1:${port}/none`, 1, 1);
      const kysely = new Kysely({ dialect: createPostgresDialect(pool) });
      expect(await sql`select 1`.execute(kysely).catch((error: unknown) => error), String(port)).toBeInstanceOf(
        StorageFailure,
      );
    }
  });

  test("text sorts by bytes", async () => {
    await using fresh = await open();
    const { kysely } = fresh.db;
    await kysely.insertInto("organizations").values(["b", "A", "a-", "a", "_", "ä", "Z"].map(organization)).execute();
    const rows = await kysely.selectFrom("organizations").select("name_key").orderBy("name_key").execute();
    expect(rows.map((row) => row.name_key)).toEqual(["A", "Z", "_", "a", "a-", "b", "ä"]);
  });

  test("a transaction is all or nothing, and many at once take turns", async () => {
    await using fresh = await open();
    const failed = fresh.db.transaction(async (trx) => {
      await trx.insertInto("organizations").values(organization("gone")).execute();
      throw new Error("no");
    });
    expect(failed).rejects.toThrow("no");
    await failed.catch(() => {});
    await fresh.db.kysely.insertInto("settings").values({ key: "n", value: "0", updated_at: 0 }).execute();
    const increment = () =>
      fresh.db.transaction(async (trx) => {
        const query = trx.selectFrom("settings").select("value").where("key", "=", "n");
        const { value } = await (fresh.db.engine === "postgres" ? query.forUpdate() : query).executeTakeFirstOrThrow();
        await trx
          .updateTable("settings")
          .set({ value: String(Number(value) + 1) })
          .where("key", "=", "n")
          .execute();
      });
    await Promise.all(Array.from({ length: 40 }, increment));
    const { value } = await fresh.db.kysely
      .selectFrom("settings")
      .select("value")
      .where("key", "=", "n")
      .executeTakeFirstOrThrow();
    expect(value).toBe("40");
    expect(await fresh.db.kysely.selectFrom("organizations").selectAll().execute()).toEqual([]);
  });

  test("changes of every process arrive, in order, and only committed ones", async () => {
    await using fresh = await open();
    const other = await createDatabase(fresh.options);
    const seen: Change[] = [];
    fresh.db.changes.subscribe((changes) => seen.push(...changes));
    await fresh.db.changes.start();
    const write = async (db: typeof other, refId: string) =>
      db.transaction(async (trx) => db.changes.record(trx, { kind: "account", refId, orgId: "o", action: "updated" }));
    await Promise.all(Array.from({ length: 20 }, async (_, i) => write(i % 2 ? other : fresh.db, `a${i}`)));
    const failed = fresh.db.transaction(async (trx) => {
      await fresh.db.changes.record(trx, { kind: "account", refId: "never", action: "deleted" });
      throw new Error("no");
    });
    await failed.catch(() => {});
    await write(other, "last");
    await until(() => seen.some((change) => change.refId === "last"));
    expect(seen.map((change) => change.id)).toEqual(seen.map((change) => change.id).sort((a, b) => a - b));
    expect(seen.length).toBe(21);
    expect(seen.at(-1)).toMatchObject({ kind: "account", refId: "last", orgId: "o", action: "updated" });
    await other.close();
  });

  test("a change whose transaction ends late is not passed over", async () => {
    await using fresh = await open();
    const other = await createDatabase(fresh.options);
    const seen: string[] = [];
    fresh.db.changes.subscribe((changes) => seen.push(...changes.map((change) => change.refId)));
    await fresh.db.changes.start();
    const recorded = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const slow = other.transaction(async (trx) => {
      await other.changes.record(trx, { kind: "account", refId: "slow", action: "updated" });
      recorded.resolve();
      await release.promise;
    });
    await recorded.promise;
    const quick = fresh.db.transaction(async (trx) =>
      fresh.db.changes.record(trx, { kind: "account", refId: "quick", action: "updated" }),
    );
    // Long enough for the quick one to commit and be read, if nothing made it wait.
    await Promise.race([until(() => seen.includes("quick")), Bun.sleep(300)]);
    release.resolve();
    await Promise.all([slow, quick]);
    await until(() => seen.length === 2);
    expect(seen).toEqual(["slow", "quick"]);
    await other.close();
  });
});

const zero = { total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0 };

describe("security", () => {
  test("the SQLite files are for their owner only", async () => {
    await using fresh = await openTestSqlite();
    await fresh.db.kysely.insertInto("organizations").values(organization("a")).execute();
    const { path } = fresh.options;
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  });

  test("a SQLite that can lose commits is refused", () => {
    const { prepare } = SqliteFile.prototype;
    const saying = (version: string) =>
      spyOn(SqliteFile.prototype, "prepare").mockImplementation(function (this: SqliteFile, text: string) {
        return prepare.call(this, text.replace("sqlite_version()", `'${version}'`));
      } as typeof prepare);
    for (const [version, isOld] of [
      ["3.51.2", true],
      ["3.9.9", true],
      ["3.51.3", false],
      ["4.0.0", false],
    ] as const) {
      const spy = saying(version);
      try {
        if (isOld)
          expect(() => openSqlite(":memory:")).toThrow(`SQLite ${version} is too old: 3.51.3 or newer is needed.`);
        else openSqlite(":memory:").close();
      } finally {
        spy.mockRestore();
      }
    }
  });

  test("SQLite runs with WAL, foreign keys and NORMAL", async () => {
    await using fresh = await openTestSqlite();
    const read = async (pragma: string) =>
      Object.values((await sql.raw(`pragma ${pragma}`).execute(fresh.db.kysely)).rows[0] as object)[0];
    expect([await read("journal_mode"), await read("foreign_keys"), await read("synchronous")]).toEqual(["wal", 1, 1]);
  });
});

describe("one file on SQLite", () => {
  test("a writer in another process is waited for without blocking this one", async () => {
    await using fresh = await openTestSqlite();
    const script = `import { Database } from "bun:sqlite"; const d = new Database(process.argv[1]); d.run("begin immediate"); console.log("locked"); await Bun.stdin.text(); d.run("commit");`;
    const child = Bun.spawn([process.execPath, "-e", script, fresh.options.path], { stdin: "pipe", stdout: "pipe" });
    const reader = child.stdout.getReader();
    await reader.read();
    let done = false;
    const insert = fresh.db.kysely.insertInto("organizations").values(organization("a")).execute();
    void insert.finally(() => (done = true));
    // A wait that blocks this process would leave no turn for these, and end in a failure, as the other one is told here.
    for (let ticks = 0; ticks < 5; ticks++) await Bun.sleep(10);
    expect(done).toBe(false);
    await child.stdin.end();
    await insert;
    await child.exited;
  });
});
