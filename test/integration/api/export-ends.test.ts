// An export of the audit log that is under way when its reader's rights are taken, or its entries.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { createAudit } from "../../../src/observe/audit.ts";
import { openAcme, type Acme } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { createPerson } from "../../helpers/people.ts";

/** More than is read before somebody has taken the first piece, and then once more. */
const entries = 4_500;

describeEngines("an export of the audit log", (open) => {
  let acme: Acme;
  let count = 0;
  beforeAll(async () => {
    acme = await openAcme(open);
    const audit = createAudit({ db: acme.database.db, log: acme.api.deps.log, flushMs: 5 });
    for (let i = 0; i < entries; i++) audit.record({ action: "x.y", orgId: acme.orgId });
    await audit.close();
  });
  afterAll(async () => acme[Symbol.asyncDispose]());

  /** Every piece, and whether that was all; `meanwhile` runs after the first one. */
  async function download(path: string, how: object, meanwhile: () => Promise<unknown>) {
    const response = await acme.api.open("GET", path, how);
    // Without a pipe, which would read on by itself.
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    await meanwhile();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return { rows: rowsOf(text), isWhole: true };
        text += decoder.decode(value);
      }
    } catch {
      return { rows: rowsOf(text), isWhole: false };
    }
  }
  const rowsOf = (text: string): number => text.split("\n").filter((line) => line.includes("x.y")).length;

  test("is whole for whoever may go on reading", async () => {
    const { session } = acme.boss;
    const got = await download("/org/audit/export", { session }, () => Promise.resolve());
    expect(got).toEqual({ rows: entries, isWhole: true });
  });

  test("that the database fails breaks off, and the log says why and of which request", async () => {
    const { api, database, boss } = acme;
    const rename = (from: string, to: string) =>
      sql`alter table ${sql.table(from)} rename to ${sql.table(to)}`.execute(database.db.kysely);
    const before = api.logs.length;
    const got = await download("/org/audit/export?format=csv", { session: boss.session }, () =>
      rename("audit_log", "audit_away"),
    );
    await rename("audit_away", "audit_log");
    expect(got.isWhole).toBe(false);
    expect(api.logs.slice(before).map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        ...{ level: "error", message: "a request failed", requestId: "req-1", path: "/org/audit/export" },
        error: expect.stringContaining("audit_log"),
      }),
    ]);
  });

  describe("security", () => {
    test.each([
      ["demoted", { is_org_admin: 0 }],
      ["moved", { org_id: "other" }],
      ["deactivated", { active: 0 }],
      ["signed out", null],
    ] as const)("breaks off for an organization's admin who is %s", async (_what, taken) => {
      const { api, database, orgId, otherOrgId } = acme;
      const { id, session } = await createPerson(api, { username: `boss${++count}`, orgId, isOrgAdmin: true });
      const { kysely } = database.db;
      const got = await download("/org/audit/export?format=csv", { session }, async () => {
        if (taken === null)
          return kysely.updateTable("dashboard_sessions").set({ revoked_at: 1 }).where("account_id", "=", id).execute();
        const change = "org_id" in taken ? { org_id: otherOrgId } : taken;
        return kysely.updateTable("accounts").set(change).where("id", "=", id).execute();
      });
      expect(got.isWhole).toBe(false);
      expect(got.rows).toBeWithin(1_000, entries);
    });

    test("breaks off for a system admin whose API token is another one by then, and leaves one entry of its use", async () => {
      const { api, database } = acme;
      const { id, token } = await createPerson(api, { username: `script${++count}`, isAdmin: true, login: false });
      const headers = { "x-admin-token": token };
      const before = api.audited.length;
      const got = await download("/admin/audit/export", { headers }, () =>
        database.db.kysely.updateTable("accounts").set({ token_hash: "new" }).where("id", "=", id).execute(),
      );
      expect(got.isWhole).toBe(false);
      expect(got.rows).toBeWithin(1_000, entries);
      expect(api.audited.slice(before).map(({ action }) => action)).toEqual(["admin.token", "audit.exported"]);
    });
  });

  // The last ones: they remove what is exported.
  test("that misses entries says so by its chain, unless retention removed them meanwhile: then it breaks off", async () => {
    const { kysely } = acme.database.db;
    const { session } = acme.admin;
    const remove = (from: number, to: number) => () =>
      kysely.deleteFrom("audit_log").where("seq", ">=", from).where("seq", "<=", to).execute();
    const tampered = await download("/admin/audit/export", { session }, remove(4_000, 4_010));
    expect(tampered).toEqual({ rows: entries - 11, isWhole: true });
    const pruned = await download("/admin/audit/export", { session }, async () => {
      const { seq, hash } = await kysely
        .selectFrom("audit_log")
        .select(["seq", "hash"])
        .where("seq", "=", 3_500)
        .executeTakeFirstOrThrow();
      await kysely.updateTable("audit_chain").set({ anchor_seq: seq, anchor_hash: hash }).execute();
      await remove(1, seq)();
    });
    expect(pruned.isWhole).toBe(false);
    const again = await download("/admin/audit/export", { session }, () => Promise.resolve());
    expect(again).toEqual({ rows: entries - 11 - 3_500, isWhole: true });
  });
});
