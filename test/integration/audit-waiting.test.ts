// Events of the audit log that wait to be stored: what is told of them at once, in which order they end up there, and what is lost.

import { expect, spyOn, test } from "bun:test";
import { sql } from "kysely";
import type { Database } from "../../src/db/database.ts";
import { createLogger } from "../../src/lib/log.ts";
import { verifyChain } from "../../src/observe/audit-chain.ts";
import { createAudit, type AuditEntry } from "../../src/observe/audit.ts";
import { describeEngines, openTestSqlite } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";

const said: { level: string; message: string }[] = [];
const log = createLogger({ level: "info", format: "json", write: (line) => void said.push(JSON.parse(line)) });
const rowsOf = (db: Database) =>
  db.kysely.selectFrom("audit_log").select(["at", "action", "reason", "details_json as details"]).orderBy("seq");
const takeAway = (db: Database) => sql`alter table audit_log rename to audit_away`.execute(db.kysely);
const putBack = (db: Database) => sql`alter table audit_away rename to audit_log`.execute(db.kysely);

describeEngines("waiting audit events", (open) => {
  test("an event is told at once with its time, a change is not; several flushes store it once", async () => {
    await using fresh = await open();
    const told: AuditEntry[] = [];
    const onRecord = (entry: AuditEntry): void => void told.push(entry);
    const audit = createAudit({ db: fresh.db, log, flushMs: 60_000, clock: () => 5_000, onRecord });
    audit.record({ action: "a.first" });
    const first = audit.flush();
    audit.record({ action: "b.second", atMs: 4_000 });
    await Promise.all([first, audit.flush(), audit.flush()]);
    await fresh.db.transaction(async (trx) => audit.within(trx));
    await fresh.db.transaction(async (trx) => audit.within(trx, { action: "c.change" }));
    await audit.close();
    const nothing = { reason: null, details: null };
    expect(await rowsOf(fresh.db).execute()).toEqual([
      { at: 5_000, action: "a.first", ...nothing },
      { at: 4_000, action: "b.second", ...nothing },
      { at: 5_000, action: "c.change", ...nothing },
    ]);
    expect(told).toEqual([
      { action: "a.first", atMs: 5_000 },
      { action: "b.second", atMs: 4_000 },
    ]);
  });

  test("what could not be stored is tried again by itself, a second later, and stored once", async () => {
    await using fresh = await open();
    const triedAt: number[] = [];
    const transaction: Database["transaction"] = (work) => {
      triedAt.push(performance.now());
      return fresh.db.transaction(work);
    };
    const audit = createAudit({ db: { ...fresh.db, transaction }, log, flushMs: 10 });
    await takeAway(fresh.db);
    said.length = 0;
    audit.record({ action: "a.kept" });
    await eventually(() => triedAt.length === 2, "it was tried twice");
    expect(triedAt[1]! - triedAt[0]!).toBeGreaterThan(900);
    await Promise.all([audit.flush(), putBack(fresh.db), audit.flush(), audit.flush()]);
    await eventually(async () => (await rowsOf(fresh.db).execute()).length > 0, "it is stored");
    await audit.close();
    expect((await rowsOf(fresh.db).execute()).map(({ action }) => action)).toEqual(["a.kept"]);
    expect(said.map(({ level, message }) => [level, message])).toEqual([
      ["error", "the audit log cannot be written; events are kept in memory"],
      ["info", "the audit log is written again"],
    ]);
  });

  test("refusals that repeat are counted to the end of their minute, with the time of the last one", async () => {
    await using fresh = await open();
    let nowMs = 1_000;
    const audit = createAudit({ db: fresh.db, log, flushMs: 10, clock: () => nowMs });
    const real = performance.now.bind(performance);
    let aheadMs = 0;
    const monotonic = spyOn(performance, "now").mockImplementation(() => real() + aheadMs);
    using _ = { [Symbol.dispose]: () => monotonic.mockRestore() };
    const refuse = (reason: string): void => {
      for (let i = 0; i < 3; i++) audit.refused({ action: "login.password", reason });
    };
    const isTold = async (reason: string): Promise<boolean> =>
      (await rowsOf(fresh.db).execute()).some((row) => row.reason === reason && row.details === '{"times":2}');
    // One after the other, so that there is something left to wait for when the first is over.
    refuse("early");
    aheadMs = 30_000;
    refuse("late");
    nowMs = 9_000;
    aheadMs = 60_001;
    await eventually(async () => await isTold("early"), "the first minute is over");
    aheadMs = 90_002;
    await eventually(async () => await isTold("late"), "the second minute is over");
    await audit.close();
    expect((await rowsOf(fresh.db).execute()).map(({ at }) => at)).toEqual([1_000, 1_000, 1_000, 1_000]);
  });
});

test("of more events than memory is for the oldest are lost, and an entry tells how many", async () => {
  await using fresh = await openTestSqlite();
  const audit = createAudit({ db: fresh.db, log, flushMs: 60_000 });
  await takeAway(fresh.db);
  for (let i = 1; i <= 100_003; i++) audit.record({ action: "a.b", atMs: i });
  await audit.flush();
  await putBack(fresh.db);
  await audit.close();
  const rows = await rowsOf(fresh.db).execute();
  const lost = rows.filter(({ action }) => action === "audit.lost");
  expect(lost.map(({ reason }) => reason)).toEqual(["3 events could not be stored"]);
  const times = rows.filter(({ action }) => action === "a.b").map(({ at }) => at);
  expect([times.length, times[0], times.at(-1)]).toEqual([100_000, 4, 100_003]);
  expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 100_001 });
});
