// kill -9 in the middle of writes and of migrations: nothing that was acknowledged is lost, nothing is broken.

import { Database } from "bun:sqlite";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { createDatabase } from "../../src/db/database.ts";
import { migrate, migrations } from "../../src/db/migrate.ts";
import { verifyDatabase } from "../../src/operator/audit-verdict.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { longMigrations } from "../helpers/long-migrations.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { type Acknowledged, addressOf, startStorm } from "../helpers/write-storm.ts";

setDefaultTimeout(600_000);

const kills = process.env.SOAK === undefined ? 8 : 100;
/** The longest that an audit event may have waited in memory. */
const auditWindowMs = 1_000;

test(`kill -9 during writes, ${kills} times: every acknowledged change is there, the chain verifies`, async () => {
  let server: ServerProcess = await startServerProcess({ shards: 1 });
  await using stack = new AsyncDisposableStack();
  // Each removes the folder they share; the last one started goes first.
  stack.use(server);
  const orgId = await adminApi(server).createOrganization("storm");
  const apps = [];
  for (const name of ["one", "two"]) apps.push(await adminApi(server).createApplication(orgId, name, "custom"));
  let written = 0;
  for (let round = 0; round < kills; round++) {
    const storm = startStorm(adminApi(server), orgId, apps, 1 + round * 100_000);
    await eventually(() => storm.acknowledged.calls.length > 10, "the storm has begun");
    // Long enough that some events are older than the window, in every other round.
    await Bun.sleep(round % 2 === 0 ? Math.random() * 300 : auditWindowMs + 300 + Math.random() * 200);
    const killedAtMs = performance.now();
    server.signal("SIGKILL");
    await server.exited;
    await storm.stop();
    written += storm.acknowledged.calls.length;
    await expectWhole(join(server.folder, "digit-link.db"), storm.acknowledged, killedAtMs);
    server = stack.use(await startServerProcess({ shards: 1, again: server }));
  }
  console.log(`${kills} kills, ${written} acknowledged changes`);
});

async function expectWhole(path: string, acknowledged: Acknowledged, killedAtMs: number): Promise<void> {
  {
    using db = new Database(path);
    expect(db.query("pragma integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    expect(db.query("pragma foreign_key_check").all()).toEqual([]);
    const lost = acknowledged.rows.filter(
      ({ table, id }) => db.query(`select 1 from ${table} where id = ?`).get(id) === null,
    );
    expect(lost).toEqual([]);
    for (const [appId, { done, sent }] of acknowledged.policies) {
      const row = db.query("select deny_ips_json as denied from policies where app_id = ?").get(appId) as {
        denied: string;
      };
      // What was under way at the kill may have been done without an answer.
      const possible = Array.from({ length: sent - done + 1 }, (_, i) => JSON.stringify([addressOf(done + i)]));
      expect(possible).toContain(row.denied);
    }
    const rowOf = db.query(
      "select count(*) as count from audit_log where request_id = ? and (action = 'admin.token') = ?",
    );
    const has = (requestId: string, isEvent: 0 | 1): boolean =>
      (rowOf.get(requestId, isEvent) as { count: number }).count > 0;
    // The change's own row is in its transaction; the caller's event waits in memory for a moment.
    expect(acknowledged.calls.filter(({ requestId }) => !has(requestId, 0))).toEqual([]);
    const due = acknowledged.calls.filter(({ atMs }) => atMs < killedAtMs - auditWindowMs);
    expect(due.filter(({ requestId }) => !has(requestId, 1))).toEqual([]);
  }
  const db = await createDatabase({ url: null, path, pollMs: 1_000, onError: (error) => expect(error).toBeNull() });
  expect(await verifyDatabase(db)).toMatchObject({ intact: true });
  await db.close();
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
