// kill -9 in the middle of writes and of migrations: nothing that was acknowledged is lost, nothing is broken.

import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { sql } from "kysely";
import { createDatabase, type Database, type DatabaseOptions } from "../../src/db/database.ts";
import type { Engine } from "../../src/db/engine.ts";
import { migrate, migrations } from "../../src/db/migrate.ts";
import { verifyDatabase } from "../../src/operator/audit-verdict.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { longMigrations } from "../helpers/long-migrations.ts";
import { freshPostgresUrl } from "../helpers/postgres.ts";
import { onlyValue, requestOnce } from "../helpers/raw-client.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { type Acknowledged, addressOf, startStorm } from "../helpers/write-storm.ts";

setDefaultTimeout(600_000);

const isSoak = process.env.SOAK !== undefined;
const kills: Record<Engine, number> = isSoak ? { sqlite: 100, postgres: 50 } : { sqlite: 6, postgres: 4 };
/** The longest that an audit event may have waited in memory. */
const auditWindowMs = 1_000;
/** The part of it that a shard may take until main has heard. */
const shardWindowMs = 500;

// Both at once: each waits for starts and for the window most of the time.
test.concurrent.each(["sqlite", "postgres"] as const)(
  "kill -9 of the server during writes (%s): every acknowledged change is there, nothing is half done, the chain verifies",
  async (engine) => {
    const url = engine === "sqlite" ? null : await freshPostgresUrl();
    const secrets = { JWT_SECRET: "j".repeat(43), ENCRYPTION_KEY: "e".repeat(43) };
    const settings = { shards: 1, env: url === null ? {} : { ...secrets, DATABASE_URL: url } };
    let server: ServerProcess = await startServerProcess(settings);
    await using stack = new AsyncDisposableStack();
    // Each removes the folder they share; the last one started goes first.
    stack.use(server);
    const path = join(server.folder, "digit-link.db");
    const orgId = await adminApi(server).createOrganization("storm");
    const apps = [];
    for (const name of ["one", "two"]) apps.push(await adminApi(server).createApplication(orgId, name, "custom"));
    // The storm leaves this one alone.
    const guarded = await adminApi(server).createApplication(orgId, "guarded", "custom");
    await adminApi(server).setPolicy(guarded, { authType: "api_key", denyIps: ["127.7.0.0/16"] });
    let written = 0;
    let turnedAway = 0;
    for (let round = 0; round < kills[engine]; round++) {
      const storm = startStorm(adminApi(server), orgId, apps, 1 + round * 100_000);
      const refusals = keepBeingRefused(server.port, "guarded", round);
      const { calls } = storm.acknowledged;
      const afterRefusal = (call: Call): boolean => isAfter(call, refusals.seen[0]?.atMs);
      const isOld = (): boolean =>
        calls.length > 10 && (calls.find(afterRefusal)?.atMs ?? Infinity) < performance.now() - auditWindowMs;
      // In every third round some events are older than the window.
      await eventually(() => (round % 3 === 2 ? isOld() : calls.length > 10), "the storm has begun", 60_000);
      await Bun.sleep(Math.random() * 200);
      const killedAtMs = performance.now();
      server.signal("SIGKILL");
      await server.exited;
      await Promise.all([storm.stop(), refusals.stopped]);
      written += calls.length;
      turnedAway += await expectWhole({ url, path }, storm.acknowledged, refusals.seen, killedAtMs);
      server = stack.use(await startServerProcess({ ...settings, again: server }));
    }
    expect(turnedAway).toBeGreaterThan(0);
    console.log(
      `${engine}: ${kills[engine]} kills, ${written} acknowledged changes, ${turnedAway} refusals of a shard`,
    );
  },
);

type Call = Acknowledged["calls"][number];
interface Refusal {
  requestId: string;
  atMs: number;
}

/** Whether main has recorded the event of `call` when it had long heard of what a shard did at `atMs`. */
function isAfter(call: Call, atMs: number | undefined): boolean {
  return atMs !== undefined && call.beganAtMs > atMs + shardWindowMs;
}

/** A visitor whom the shard of `name` refuses, each time from another address, until the server is gone. */
function keepBeingRefused(port: number, name: string, round: number) {
  const seen: Refusal[] = [];
  const request = `GET / HTTP/1.1\r\nHost: ${name}.localhost\r\nConnection: close\r\n\r\n`;
  const visit = async (): Promise<void> => {
    for (let i = 0; ; i++) {
      const localAddress = `127.7.${round % 250}.${(i % 250) + 1}`;
      const answer = await requestOnce({ port, localAddress }, request).catch(() => null);
      if (answer?.status !== 403) return;
      // From the same address again it would be counted and not have an entry of its own.
      if (i < 250) seen.push({ requestId: onlyValue(answer, "X-Request-Id"), atMs: performance.now() });
    }
  };
  return { seen, stopped: visit() };
}

/** Returns how many refusals had to be in the log. */
async function expectWhole(
  where: Pick<DatabaseOptions, "url" | "path">,
  acknowledged: Acknowledged,
  refused: readonly Refusal[],
  killedAtMs: number,
): Promise<number> {
  const db = await createDatabase({
    ...where,
    maxConnections: 1,
    pollMs: 1_000,
    onError: (error) => expect(error).toBeNull(),
  });
  const { kysely } = db;
  if (db.engine === "sqlite") {
    expect((await sql`pragma integrity_check`.execute(kysely)).rows).toEqual([{ integrity_check: "ok" }]);
    expect((await sql`pragma foreign_key_check`.execute(kysely)).rows).toEqual([]);
  } else
    await eventually(
      async () => (await otherConnections(db)) === 0,
      "PostgreSQL has let go of the dead server",
      60_000,
    );

  for (const [table, action] of Object.entries(creations)) {
    const ids = new Set(
      (
        await kysely
          .selectFrom(table as keyof typeof creations)
          .select("id")
          .execute()
      ).map(({ id }) => id),
    );
    const lost = acknowledged.rows.filter((row) => row.table === table && !ids.has(row.id));
    expect({ table, lost }).toEqual({ table, lost: [] });
    // A row and the row of the log that tells of it are one transaction.
    const told = await kysely.selectFrom("audit_log").select("id").where("action", "=", action).execute();
    expect({ table, rows: ids.size }).toEqual({ table, rows: told.length });
  }
  for (const [appId, { done, sent }] of acknowledged.policies) {
    const { deny_ips_json: denied } = await kysely
      .selectFrom("policies")
      .select("deny_ips_json")
      .where("app_id", "=", appId)
      .executeTakeFirstOrThrow();
    // What was under way at the kill may have been done without an answer.
    const possible = Array.from({ length: sent - done + 1 }, (_, i) => JSON.stringify([addressOf(done + i)]));
    expect(possible).toContain(denied!);
  }
  const logged = await kysely.selectFrom("audit_log").select(["request_id", "action"]).execute();
  const requestsOf = (isEvent: boolean) =>
    new Set(logged.filter(({ action }) => (action === "admin.token") === isEvent).map((row) => row.request_id));
  const [changes, events] = [requestsOf(false), requestsOf(true)];
  // The change's own row is in its transaction; the caller's event waits in memory for a moment.
  expect(acknowledged.calls.filter(({ requestId }) => !changes.has(requestId))).toEqual([]);
  const due = acknowledged.calls.filter(({ atMs }) => atMs < killedAtMs - auditWindowMs);
  expect(due.filter(({ requestId }) => !events.has(requestId))).toEqual([]);
  // What a shard did waits there first, then on main with the events of the calls: in one order, so a slow machine loses no more of it.
  const stored = acknowledged.calls.filter(({ requestId }) => events.has(requestId));
  const dueOfShard = refused.filter(({ atMs }) => stored.some((call) => isAfter(call, atMs)));
  const byShard = new Set(logged.filter(({ action }) => action === "visitor.refused").map((row) => row.request_id));
  expect(dueOfShard.filter(({ requestId }) => !byShard.has(requestId))).toEqual([]);
  expect(await verifyDatabase(db)).toMatchObject({ intact: true });
  await db.close();
  return dueOfShard.length;
}

/** By table: what the log says when a row of it was made. */
const creations = {
  accounts: "account.created",
  api_keys: "api_key.created",
  whitelist_entries: "whitelist.added",
  organizations: "organization.created",
} as const;

async function otherConnections(db: Database): Promise<number> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(db.kysely);
  return rows.length;
}

const child = join(import.meta.dir, "../helpers/migrating-process.ts");

describeEngines("migrations", (open, engine) => {
  test(`killed again and again, they go on where whole ones ended`, async () => {
    await using fresh = await open();
    const { url, path } = fresh.options;
    const options = JSON.stringify({ url, path });
    const versions = new Set<number>();
    for (let kill = 0; kill < 6; kill++) {
      const migrating = Bun.spawn([process.execPath, child, options], { stdout: "pipe", stderr: "inherit" });
      const reader = migrating.stdout.getReader();
      // It says so at each migration that begins.
      for (let seen = 0; seen <= 3; seen++) await reader.read();
      migrating.kill("SIGKILL");
      await migrating.exited;
      const rows = await fresh.db.kysely.selectFrom("settings").select("key").where("key", "like", "step-%").execute();
      const steps = rows.map(({ key }) => Number(key.slice(5).split(".")[0]));
      const whole = Math.max(0, ...steps);
      versions.add(whole);
      // Each writes two rows with work in between: never one without the other.
      for (let step = 1; step <= whole; step++) expect(steps.filter((one) => one === step).length).toBe(2);
    }
    expect(versions.size).toBeGreaterThan(1);
    await migrate(fresh.db.kysely, engine, longMigrations());
    const rows = await fresh.db.kysely.selectFrom("settings").select("key").where("key", "like", "step-%").execute();
    expect(rows.length).toBe((longMigrations().length - migrations.length) * 2);
    expect(await migrate(fresh.db.kysely, engine, longMigrations())).toEqual([]);
  });
});
