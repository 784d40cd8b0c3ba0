// What holds for everything that an organization has: pages, the audit log, members, other organizations.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { verifyExport } from "../../../src/observe/audit-export.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import { errorOf, openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { liveTunnel } from "../../helpers/tenants.ts";

describeEngines("tenants", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let member: Acme["member"];
  let otherBoss: Acme["otherBoss"];
  let orgId: Acme["orgId"];
  let otherOrgId: Acme["otherOrgId"];
  let as: Acme["as"];
  let asAdmin: Acme["asAdmin"];
  let asBoss: Acme["asBoss"];
  let createApp: Acme["createApp"];
  let auditFails = false;
  let count = 0;

  beforeAll(async () => {
    acme = await openAcme(open, { auditFails: () => auditFails });
    ({ database, api, member, otherBoss, orgId, otherOrgId, as, asAdmin, asBoss, createApp } = acme);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());
  beforeEach(() => {
    auditFails = false;
    api.closed.length = 0;
    api.tunnels.length = 0;
    api.clock.nowMs += 1_000;
  });

  test("every list pages through everything once, in each order", async () => {
    for (let i = 0; i < 5; i++) {
      api.clock.nowMs += i % 2;
      await createApp(`page${i}`);
      await asBoss("POST", "/org/api-keys", { description: `page${i}` });
      await asAdmin("POST", "/admin/organizations", { name: `Page ${i}` });
      await asBoss("POST", "/org/whitelist", { ipRange: `198.51.100.${i}` });
      api.tunnels.push(liveTunnel({ name: `page${i}`, orgId, openedAtMs: api.clock.nowMs }));
    }
    const lists: [string, string, string[]][] = [
      ["/org/applications", "applications", ["subdomain", "name", "createdAt"]],
      [`/admin/applications?org=${orgId}`, "applications", ["subdomain", "name", "createdAt"]],
      ["/admin/applications?q=page", "applications", ["subdomain"]],
      ["/admin/organizations", "organizations", ["name", "createdAt"]],
      ["/admin/organizations?q=PAGE", "organizations", ["name"]],
      ["/org/api-keys", "keys", ["createdAt", "lastUsed"]],
      ["/admin/api-keys", "keys", ["createdAt", "lastUsed"]],
      ["/org/whitelist", "entries", ["createdAt"]],
      ["/org/tunnels", "tunnels", ["openedAt", "subdomain", "requests"]],
    ];
    for (const [path, key, sorts] of lists) {
      for (const sort of ["", ...sorts, ...sorts.map((name) => `-${name}`)]) {
        const base = `${path}${path.includes("?") ? "&" : "?"}${sort === "" ? "" : `sort=${sort}&`}`;
        const all = await asAdminOrBoss(path, `${base}limit=200`);
        const seen: string[] = [];
        for (let cursor: string | null = ""; cursor !== null;) {
          const page = await asAdminOrBoss(path, `${base}limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
          expect({ base, status: page.status }).toEqual({ base, status: 200 });
          seen.push(...(page.body[key] as Shown[]).map(({ id }) => id));
          cursor = page.body["nextCursor"] as string | null;
        }
        expect({ base, seen }).toEqual({ base, seen: (all.body[key] as Shown[]).map(({ id }) => id) });
        expect(seen.length).toBeGreaterThanOrEqual(5);
      }
      const refused = await asAdminOrBoss(path, `${path}${path.includes("?") ? "&" : "?"}sort=secret`);
      expect({ path, status: refused.status }).toEqual({ path, status: 422 });
    }
  });
  const asAdminOrBoss = (list: string, path: string) => (list.startsWith("/admin") ? asAdmin : asBoss)("GET", path);

  describe("security", () => {
    test("nothing changes when the audit log cannot be written", async () => {
      const { id } = await createApp();
      const { key } = (await asBoss("POST", "/org/api-keys", { description: "k" })).body as { key: Shown };
      const before = await tables();
      auditFails = true;
      const attempts: [string, string, unknown?][] = [
        ["POST", "/org/applications", { subdomain: "never", name: "Never" }],
        ["PUT", `/org/applications/${id}`, { name: "Never", subdomain: "never" }],
        ["DELETE", `/org/applications/${id}`],
        ["PUT", `/org/applications/${id}/policy`, { authType: "api_key" }],
        [
          "PUT",
          `/org/applications/${id}/rate-limit`,
          { enabled: true, maxAttempts: 1, windowDurationSeconds: 60, blockDurationSeconds: 60 },
        ],
        [
          "PUT",
          "/org/rate-limit",
          { enabled: false, maxAttempts: 1, windowDurationSeconds: 60, blockDurationSeconds: 60 },
        ],
        ["POST", "/org/api-keys", { description: "never" }],
        ["DELETE", `/org/api-keys/${key.id}`],
        ["POST", "/org/whitelist", { ipRange: "192.0.2.200" }],
        ["PUT", "/org/settings", { name: "Never" }],
      ];
      for (const [method, path, body] of attempts) {
        const answer = await asBoss(method, path, body);
        expect({ method, path, status: answer.status, code: errorOf(answer).code }).toEqual({
          method,
          path,
          status: 503,
          code: "audit_unavailable",
        });
      }
      expect(await tables()).toEqual(before);
      expect(api.closed).toEqual([]);
    });

    async function tables(): Promise<string> {
      const { kysely } = database.db;
      const all = [];
      for (const table of [
        "organizations",
        "applications",
        "policies",
        "rate_limits",
        "api_keys",
        "whitelist_entries",
        "changes",
      ] as const) {
        all.push(await kysely.selectFrom(table).selectAll().execute());
      }
      return JSON.stringify(all);
    }

    test("a member changes nothing", async () => {
      const { id } = await createApp();
      const before = await tables();
      for (const [method, path, body] of [
        ["POST", "/org/applications", { subdomain: "mine", name: "Mine" }],
        ["PUT", `/org/applications/${id}`, { name: "Mine" }],
        ["DELETE", `/org/applications/${id}`],
        ["PUT", `/org/applications/${id}/policy`, { authType: "api_key" }],
        ["PUT", "/org/policy", { authType: "api_key" }],
        ["POST", "/org/api-keys", { description: "mine" }],
        ["POST", "/org/whitelist", { ipRange: "192.0.2.1" }],
        ["PUT", "/org/settings", { requireTotp: false }],
        ["DELETE", "/org/tunnels/tun_x"],
        ["GET", "/org/audit"],
        ["GET", "/org/settings"],
      ] as const) {
        const answer = await as(member)(method, path, body);
        expect({ method, path, status: answer.status }).toEqual({ method, path, status: 403 });
      }
      expect(await tables()).toEqual(before);
    });

    test("a filter by another organization's application finds nothing of it", async () => {
      const foreign = await as(otherBoss)("POST", "/org/applications", { subdomain: `hidden${++count}`, name: "x" });
      const appId = (foreign.body["application"] as Shown).id;
      await as(otherBoss)("POST", "/org/api-keys", { appId, description: "hidden" });
      api.tunnels.push(liveTunnel({ name: `hidden${count}`, appId, orgId: otherOrgId }));
      expect((await asBoss("GET", `/org/api-keys?app=${appId}`)).body["keys"]).toEqual([]);
      expect((await asBoss("GET", `/org/tunnels?app=${appId}`)).body["tunnels"]).toEqual([]);
      expect((await asBoss("GET", `/org/requests?app=${appId}`)).body["requests"]).toEqual([]);
      expect((await asBoss("GET", `/org/traffic?app=${appId}`)).status).toBe(404);
      expect((await asBoss("GET", `/org/tunnels?org=${otherOrgId}`)).status).toBe(422);
    });
  });

  test("an export of the whole log proves itself; CSV runs no formula", async () => {
    const audit = createAudit({ db: database.db, log: api.deps.log, flushMs: 10 });
    for (let i = 0; i < 30; i++) {
      audit.record({
        action: "visitor.auth",
        success: i % 2 === 0,
        orgId,
        identity: i === 3 ? "=cmd|' /C calc'!A0" : "x",
      });
    }
    await audit.close();
    const jsonl = await asAdmin("GET", "/admin/audit/export?format=jsonl");
    expect(jsonl.headers.get("content-type")).toContain("application/jsonl");
    expect(jsonl.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(verifyExport(jsonl.text.split("\n"))).toMatchObject({ intact: true, rows: 30 });
    const csv = await asBoss("GET", "/org/audit/export?format=csv&outcome=failure");
    expect(api.audited.at(-1)).toMatchObject({ action: "audit.exported", actorName: "boss" });
    const lines = csv.text.trim().split("\r\n");
    expect(lines).toHaveLength(18);
    expect(lines[1]).toContain(',export.begin,,1,,,,,,"{""whole"":false,""outcome"":""failure"",""org"":');
    expect(lines.at(-1)).toContain(',export.end,,1,,,,,,"{""rows"":15}"');
    const whole = jsonl.text.trim().split("\n");
    const cuts: [string, readonly string[]][] = [
      ["at its beginning", whole.toSpliced(1, 3)],
      ["with its first line", whole.slice(4)],
      ["at its end", whole.toSpliced(-4, 3)],
      ["with its last line", whole.slice(0, -4)],
      ["in a filtered export", (await asAdmin("GET", "/admin/audit/export?outcome=failure")).text.split("\n")],
    ];
    for (const [where, cut] of cuts) expect({ where, ...verifyExport(cut) }).toMatchObject({ where, intact: false });
    const wholeCsv = (await asAdmin("GET", "/admin/audit/export?format=csv")).text.trim().split("\r\n");
    expect(wholeCsv).toHaveLength(whole.length + 1);
    expect(csv.text).toContain("'=cmd");
    expect(csv.text).not.toMatch(/(^|,|")=cmd/m);
  });
});
