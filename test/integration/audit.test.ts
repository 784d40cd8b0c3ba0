// The audit log on both engines: one chain over events and changes, tampering, retention, an unwritable database.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { createDatabase, type Database } from "../../src/db/database.ts";
import { AppError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { AuditLogTable } from "../../src/db/tables-record.ts";
import { auditHash, exportLine, readAnchor, verifyChain } from "../../src/observe/audit-chain.ts";
import { createExportFrame, verifyExport } from "../../src/observe/audit-export.ts";
import { pruneAudit } from "../../src/observe/audit-retention.ts";
import { createAudit } from "../../src/observe/audit.ts";
import { describeEngines } from "../helpers/databases.ts";

const lines: string[] = [];
const log = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line) });
const auditOf = (db: Database) => createAudit({ db, log, flushMs: 10 });

async function exported(db: Database): Promise<string[]> {
  const rows = await db.kysely.selectFrom("audit_log").selectAll().orderBy("seq").execute();
  const frame = createExportFrame({ filters: {}, nowMs: Date.now });
  const begin = frame.begin(await readAnchor(db.kysely), rows[0]);
  frame.passed(rows);
  return [JSON.stringify(begin), ...rows.map(exportLine), JSON.stringify(frame.end())];
}

describeEngines("audit", (open) => {
  test("events and changes of several writers share one chain", async () => {
    await using fresh = await open();
    const other = await createDatabase(fresh.options);
    const audits = [auditOf(fresh.db), auditOf(other)];
    for (let i = 0; i < 700; i++) audits[i % 2]!.record({ action: "visitor.admitted", identity: `v${i}` });
    const changes = Array.from({ length: 10 }, (_, i) => {
      const db = i % 2 ? other : fresh.db;
      return db.transaction(async (trx) =>
        audits[i % 2]!.within(trx, { action: "account.created", details: { i } }, { action: "account.renamed" }),
      );
    });
    await Promise.all(changes);
    await Promise.all(audits.map((audit) => audit.close()));
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 720, firstSeq: 1, lastSeq: 720 });
    expect(verifyExport(await exported(fresh.db))).toMatchObject({ intact: true, rows: 720 });
    await other.close();
  });

  test("an event is stored within the flush interval, with its own time", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    audit.record({ action: "login.failed", success: false, atMs: 12_345, address: "10.0.0.1", orgId: "o" });
    for (const end = performance.now() + 5_000; (await exported(fresh.db)).length === 2; await Bun.sleep(5))
      expect(performance.now()).toBeLessThan(end);
    const row = await fresh.db.kysely.selectFrom("audit_log").selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({
      seq: 1,
      at: 12_345,
      action: "login.failed",
      success: 0,
      address: "10.0.0.1",
      org_id: "o",
    });
    await audit.close();
  });

  test("refusals that repeat: the first is an entry at once, the others one with their number, at the end too", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    const address = (i: number) => (i % 2 === 0 ? "192.0.2.1" : `2001:db8::${i}`);
    for (let i = 1; i <= 500; i++)
      audit.refused({ action: "login.password", reason: "r", address: address(i), identity: `n${i}`, atMs: i });
    await audit.flush();
    const rows = () =>
      fresh.db.kysely
        .selectFrom("audit_log")
        .select(["at", "success", "identity", "details_json as details"])
        .execute();
    const first = [1, 2].map((i) => ({ at: i, success: 0 as const, identity: `n${i}`, details: null }));
    expect(await rows()).toEqual(first);
    await audit.close();
    const last = [499, 500].map((i) => ({ at: i, success: 0 as const, identity: `n${i}`, details: `{"times":249}` }));
    expect(await rows()).toEqual([...first, ...last]);
  });

  test("a change that is rolled back leaves no entry, and the chain goes on", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    const failed = fresh.db.transaction(async (trx) => {
      await audit.within(trx, { action: "account.created" });
      throw new Error("no");
    });
    await failed.catch(() => {});
    await fresh.db.transaction(async (trx) => audit.within(trx, { action: "account.deleted" }));
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 1 });
    await audit.close();
  });

  test("retention prunes the old end and the rest still verifies", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    const day = 86_400_000;
    for (let i = 0; i < 2_500; i++) audit.record({ action: "x.y", atMs: i * 1_000 });
    audit.record({ action: "x.z", atMs: 200 * day });
    await audit.flush();
    expect(await pruneAudit({ db: fresh.db, audit, days: 90, nowMs: 200 * day })).toBe(2_500);
    expect(await pruneAudit({ db: fresh.db, audit, days: 90, nowMs: 200 * day })).toBe(0);
    await audit.close();
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 2, firstSeq: 2_501, lastSeq: 2_502 });
    const rows = await exported(fresh.db);
    expect(verifyExport(rows)).toMatchObject({ intact: true, rows: 2 });
    expect(rows[2]).toContain("audit.pruned");
    const { details_json } = JSON.parse(rows[2]!) as { details_json: string };
    expect(JSON.parse(details_json)).toEqual({ entries: 2_500, upTo: 2_500, days: 90 });
  });

  test("retention that a stop of the server ends midway tells how many it has removed", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    const day = 86_400_000;
    for (let i = 0; i < 1_000; i++) audit.record({ action: "x.y", atMs: i * 1_000 });
    await audit.flush();
    const leaving = new AbortController();
    const pruning = pruneAudit({ db: fresh.db, audit, days: 90, nowMs: 200 * day, signal: leaving.signal });
    leaving.abort();
    const entries = await pruning;
    expect(entries).toBeWithin(1, 1_000);
    await audit.close();
    const rows = await exported(fresh.db);
    const { details_json } = JSON.parse(rows.at(-2)!) as { details_json: string };
    expect(JSON.parse(details_json)).toEqual({ entries, upTo: entries, days: 90 });
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 1_001 - entries });
  });

  test("retention takes no entry before its age, wherever the clock was meanwhile", async () => {
    const day = 86_400_000;
    const cases: [what: string, atDays: number[], removed: number][] = [
      ["all in their order", [10, 20, 109, 110, 150], 3],
      ["nothing old", [110, 150], 0],
      ["the clock was far back", [150, 160, 0, 170], 0],
      ["it was far back after old ones", [10, 20, 150, 0, 160], 2],
      ["it was a little back", [10, 150, 20, 30, 160], 1],
      ["it was a little back, far behind", [10, 150, ...Array.from({ length: 2_100 }, () => 20)], 1],
      ["it was far ahead, which holds up nothing", [10, 9_000, 9_001, 20, 150], 4],
      ["it was far ahead for long", [...Array.from({ length: 2_100 }, () => 9_000), 20, 150], 2_101],
      ["it was far ahead at first", [9_000, 150, 160], 0],
      ["it was far ahead among young ones", [10, 9_000, 150, 20, 160], 1],
    ];
    const removed = [];
    for (const [what, atDays] of cases) {
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      for (const at of atDays) audit.record({ action: "x.y", atMs: at * day });
      await audit.flush();
      removed.push([what, atDays, await pruneAudit({ db: fresh.db, audit, days: 90, nowMs: 200 * day })]);
      await audit.close();
      expect(await verifyChain(fresh.db)).toMatchObject({ intact: true });
    }
    expect(removed).toEqual(cases);
  });

  test("the chain is intact whatever retention removes while it is verified", async () => {
    await using fresh = await open();
    const other = await createDatabase(fresh.options);
    const audit = auditOf(other);
    for (let i = 0; i < 2_500; i++) audit.record({ action: "x.y", atMs: i });
    await audit.flush();
    const removed: number[] = [];
    // Each answer of the database comes after the whole log was pruned.
    const kysely = fresh.db.kysely.withPlugin({
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        removed.push(await pruneAudit({ db: other, audit, days: 90, nowMs: 200 * 86_400_000 }));
        await audit.flush();
        return result;
      },
    });
    expect(await verifyChain({ ...fresh.db, kysely })).toMatchObject({ intact: true, rows: 2_500 });
    expect(removed[0]).toBe(2_500);
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 1, firstSeq: 2_501 });
    await audit.close();
    await other.close();
  });

  describe("security", () => {
    test("a changed, removed, inserted or cut entry is found", async () => {
      const tamperings: [string, RegExp, number][] = [
        ["update audit_log set actor_name = 'mallory' where seq = 3", /content was changed/, 3],
        ["update audit_log set success = 1 where seq = 5", /content was changed/, 5],
        ["update audit_log set prev_hash = 'x' where seq = 7", /does not continue the entry before it/, 7],
        ["delete from audit_log where seq = 4", /entry after 3 is missing/, 5],
        ["delete from audit_log where seq > 6", /rows after it are missing/, 6],
        ["delete from audit_log where seq = 1", /entry after 0 is missing/, 2],
      ];
      for (const [statement, problem, seq] of tamperings) {
        await using fresh = await open();
        const audit = auditOf(fresh.db);
        for (let i = 0; i < 8; i++) audit.record({ action: "x.y", success: false, actorName: "eve" });
        await audit.close();
        await sql.raw(statement).execute(fresh.db.kysely);
        const verdict = await verifyChain(fresh.db);
        expect(verdict).toMatchObject({ intact: false, seq });
        expect(verdict.intact ? "" : verdict.problem).toMatch(problem);
      }
      // Whoever hashes it anew is found by the end that the log had.
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      audit.record({ action: "x.y", success: false, actorName: "eve" });
      await audit.close();
      const row = await fresh.db.kysely.selectFrom("audit_log").selectAll().executeTakeFirstOrThrow();
      const hash = auditHash(row.prev_hash, { ...row, actor_name: "mallory" });
      await fresh.db.kysely.updateTable("audit_log").set({ actor_name: "mallory", hash }).execute();
      expect(await verifyChain(fresh.db)).toMatchObject({ intact: false, seq: 1 });
    });

    test("an export that was changed or cut anywhere is found; one that doesn't say where it ends is not called whole", async () => {
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      for (let i = 0; i < 8; i++) audit.record({ action: "x.y", success: false, actorName: "eve" });
      await audit.close();
      const lines = await exported(fresh.db);
      expect(verifyExport(lines)).toMatchObject({ intact: true, rows: 8, firstSeq: 1, lastSeq: 8 });
      expect(verifyExport([])).toMatchObject({ intact: true, rows: 0 });
      const rows = lines.slice(1, -1);
      const last = JSON.parse(rows[7]!) as AuditLogTable;
      const forged = { ...last, hash: auditHash(last.prev_hash, { ...last, actor_name: "bob" }), actor_name: "bob" };
      const cases: [string, string[], RegExp, boolean][] = [
        ["cut at the front", lines.toSpliced(1, 2), /entry after 0 is missing/, false],
        ["cut at the end", lines.toSpliced(-3, 2), /entries are missing: it had 8, up to 8, and has 6/, false],
        ["cut in the middle", lines.toSpliced(4, 1), /entry after 3 is missing/, false],
        ["all entries cut", [lines[0]!, lines.at(-1)!], /entries are missing: it had 8/, false],
        ["changed", lines.with(3, lines[3]!.replace("eve", "bob")), /content was changed/, false],
        ["changed and hashed anew", lines.with(8, exportLine(forged)), /entries are missing/, false],
        ["more after the end", [...lines, rows[7]!], /lines after its end/, false],
        ["twice", [...lines.slice(0, -1), ...lines], /begins in the middle/, false],
        ["not JSON", lines.with(2, "{"), /not an audit entry/, false],
        ["neither end, as older versions wrote", rows, /lacks a first line and a last one/, true],
        ["front cut with the first line", lines.slice(3), /entries are missing: it had 8, up to 8, and has 6/, false],
        ["the first line cut", lines.slice(1), /lacks a first line that says/, true],
        ["end cut with the last line", lines.slice(0, -3), /lacks a last one that says/, true],
        [
          "filtered",
          lines.with(0, lines[0]!.replace('true,"filters":{}', 'false,"filters":{"org":"o"}')),
          /org=o/,
          true,
        ],
      ];
      for (const [what, cut, problem, isUnproven] of cases) {
        const verdict = verifyExport(cut);
        if (verdict.intact) throw new Error(`${what} passes`);
        expect({ what, problem: verdict.problem }).toEqual({ what, problem: expect.stringMatching(problem) });
        expect({ what, unproven: verdict.unproven === true }).toEqual({ what, unproven: isUnproven });
      }
    });

    test("text from outside can't forge a line, break the engine or grow without bound", async () => {
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      const hostile = 'a\r\n{"forged":1}\u0000\ud800\u2028';
      audit.record({
        action: "x.y",
        ...{ actorName: hostile, authType: hostile, address: hostile, identity: hostile },
        ...{ keyId: hostile, requestId: hostile },
        reason: "r".repeat(100_000),
        details: { text: "\u0000\n".repeat(50_000), hostile },
      });
      audit.record({ action: "x.z", details: { hostile, cut: "\ud83d\ude00".repeat(10_000) } });
      await audit.close();
      const stored = fresh.db.kysely.selectFrom("audit_log").selectAll().orderBy("seq");
      const row = await stored.executeTakeFirstOrThrow();
      for (const column of ["actor_name", "auth_type", "address", "identity", "key_id", "request_id"] as const)
        expect({ column, text: row[column] }).toEqual({
          column,
          text: expect.stringMatching(/^a\\u000d\\u000a\{"forged":1\}\\u0000/),
        });
      expect(row.success).toBe(1);
      expect(row.reason!.length).toBeLessThanOrEqual(512);
      expect(row.details_json!.length).toBeLessThan(40_000);
      expect(exportLine(row).split("\n")).toHaveLength(1);
      expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 2 });
    });

    test("while the log can't be written changes are refused, events wait, and nothing is lost afterwards", async () => {
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      await sql`alter table audit_log rename to audit_away`.execute(fresh.db.kysely);
      const change = fresh.db.transaction(async (trx) => {
        await trx.insertInto("settings").values({ key: "k", value: "v", updated_at: 0 }).execute();
        await audit.within(trx, { action: "settings.changed" });
      });
      const refusal = await change.catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(AppError);
      expect((refusal as AppError).code).toBe("audit_unavailable");
      expect(await fresh.db.kysely.selectFrom("settings").selectAll().execute()).toEqual([]);
      audit.record({ action: "visitor.refused", success: false });
      await audit.flush();
      await sql`alter table audit_away rename to audit_log`.execute(fresh.db.kysely);
      await audit.close();
      expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 1 });
      expect(lines.join("")).toContain("cannot be written");
    });
  });
});
