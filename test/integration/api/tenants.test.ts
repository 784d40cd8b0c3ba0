// Organizations, applications, keys, limiters and lists over the API: what changes, what is refused, what is closed.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { verifyExport } from "../../../src/observe/audit-chain.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import type { TestAnswer } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";
import { createTenantApi, liveTunnel, type TenantApi } from "../../helpers/tenants.ts";

const errorOf = (answer: TestAnswer) => (answer.body["error"] ?? {}) as { code?: string; field?: string };
type Shown = Record<string, unknown> & { id: string };

describeEngines("tenants", (open) => {
  let database: TestDatabase;
  let api: TenantApi;
  let admin: Person;
  let boss: Person;
  let member: Person;
  let orgId: string;
  let otherOrgId: string;
  let otherBoss: Person;
  let auditFails = false;
  let count = 0;

  beforeAll(async () => {
    database = await open();
    api = createTenantApi(database, { auditFails: () => auditFails, agentWhitelist: ["10.0.0.0/8"] });
    admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    orgId = await createOrganization(api, "Acme");
    otherOrgId = await createOrganization(api, "Other");
    boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
    member = await createPerson(api, { username: "member", orgId });
    otherBoss = await createPerson(api, { username: "stranger", orgId: otherOrgId, isOrgAdmin: true });
  });
  afterAll(async () => {
    await api.tenants.close();
    await database[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    auditFails = false;
    api.closed.length = 0;
    api.tunnels.length = 0;
    api.clock.nowMs += 1_000;
  });

  const as = (person: Person) => (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: person.session, ...(body === undefined ? {} : { body }) });
  const asAdmin = (method: string, path: string, body?: unknown) => as(admin)(method, path, body);
  const asBoss = (method: string, path: string, body?: unknown) => as(boss)(method, path, body);
  const createApp = async (subdomain = `app${++count}`): Promise<Shown> => {
    const created = await asBoss("POST", "/org/applications", { subdomain, name: `App ${subdomain}` });
    expect(created.status).toBe(201);
    return created.body["application"] as Shown;
  };
  const lastChange = () =>
    database.db.kysely.selectFrom("changes").selectAll().orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();

  describe("organizations", () => {
    test("are created, renamed, listed with their counts, and deleted when empty", async () => {
      const created = await asAdmin("POST", "/admin/organizations", { name: "  Fresh   Start " });
      expect(created.status).toBe(201);
      const organization = created.body["organization"] as Shown;
      expect(organization).toMatchObject({ name: "Fresh Start", requireTotp: false, hasPolicy: false, authType: null });
      const taken = await asAdmin("POST", "/admin/organizations", { name: "FRESH start" });
      expect({ status: taken.status, field: errorOf(taken).field }).toEqual({ status: 409, field: "name" });
      const changed = await asAdmin("PUT", `/admin/organizations/${organization.id}`, { requireTotp: true });
      expect(changed.body["organization"]).toMatchObject({ name: "Fresh Start", requireTotp: true });
      expect(await lastChange()).toMatchObject({ kind: "organization", ref_id: organization.id, action: "updated" });
      expect(api.audited.at(-1)).toMatchObject({
        action: "organization.changed",
        actorName: "admin",
        details: { before: { requireTotp: false }, after: { requireTotp: true } },
      });
      const acme = (await asAdmin("GET", `/admin/organizations/${orgId}`)).body["organization"];
      expect(acme).toMatchObject({ accountCount: 2 });
      expect((await asAdmin("DELETE", `/admin/organizations/${organization.id}`)).status).toBe(200);
      expect(api.closed).toEqual([{ orgId: organization.id, reason: "credential_revoked" }]);
      expect((await asAdmin("GET", `/admin/organizations/${organization.id}`)).status).toBe(404);
    });

    test("with applications or members are not deleted", async () => {
      const { body } = await asAdmin("POST", "/admin/organizations", { name: `Full ${++count}` });
      const { id } = body["organization"] as Shown;
      const app = await asAdmin("POST", "/admin/applications", { orgId: id, subdomain: `full${count}`, name: "Full" });
      expect((await asAdmin("DELETE", `/admin/organizations/${id}`)).status).toBe(409);
      expect(api.closed).toEqual([]);
      await asAdmin("DELETE", `/admin/applications/${(app.body["application"] as Shown).id}`);
      const account = await createPerson(api, { username: `full${count}`, orgId: id, login: false });
      expect((await asAdmin("DELETE", `/admin/organizations/${id}`)).status).toBe(409);
      await asAdmin("DELETE", `/admin/accounts/${account.id}/hard`);
      expect((await asAdmin("DELETE", `/admin/organizations/${id}`)).status).toBe(200);
    });

    test("an organization's admins change its name and whether a second factor is needed", async () => {
      expect((await asBoss("GET", "/org/settings")).body["settings"]).toEqual({ name: "Acme", requireTotp: false });
      const changed = await asBoss("PUT", "/org/settings", { name: "Acme Ltd" });
      expect(changed.body["settings"]).toEqual({ name: "Acme Ltd", requireTotp: false });
      expect((await asBoss("PUT", "/org/settings", { name: "other" })).status).toBe(409);
      expect((await asBoss("PUT", "/org/settings", { name: "Acme" })).status).toBe(200);
      const boss2 = await createPerson(api, { username: "boss2", orgId: otherOrgId, isOrgAdmin: true, totp: true });
      expect((await as(boss2)("PUT", "/org/settings", { requireTotp: true })).status).toBe(200);
      expect(errorOf(await as(otherBoss)("GET", "/org/settings")).code).toBe("totp_required");
      expect((await as(boss2)("PUT", "/org/settings", { requireTotp: false })).status).toBe(200);
    });
  });

  describe("applications", () => {
    test("have a normalised, unique subdomain", async () => {
      const created = await asBoss("POST", "/org/applications", { subdomain: " MyShop ", name: "My Shop" });
      const application = created.body["application"] as Shown;
      expect(application).toMatchObject({
        subdomain: "myshop",
        url: "https://myshop.tunnel.test",
        authMode: "inherit",
        authType: null,
        orgName: "Acme",
        hasPolicy: false,
        isActive: true,
        activeTunnelCount: 0,
        stats: { totalConnections: 0, bytesSent: 0, bytesReceived: 0, requestCount: 0 },
      });
      expect(await lastChange()).toMatchObject({ kind: "application", ref_id: application.id, org_id: orgId });
      for (const [subdomain, status] of [
        ["MYSHOP", 409],
        ["-edge", 422],
        ["under_score", 422],
        ["admin", 422],
        ["ours", 422],
        ["xn--pple-43d", 422],
        ["a".repeat(64), 422],
      ] as const) {
        const answer = await as(otherBoss)("POST", "/org/applications", { subdomain, name: "x" });
        expect({ subdomain, status: answer.status, field: errorOf(answer).field }).toEqual({
          subdomain,
          status,
          field: "subdomain",
        });
      }
    });

    test("a new subdomain and deletion close the live tunnel; another name does not", async () => {
      const { id } = await createApp();
      expect((await asBoss("PUT", `/org/applications/${id}`, { name: "Renamed" })).status).toBe(200);
      expect(api.closed).toEqual([]);
      const moved = await asBoss("PUT", `/org/applications/${id}`, { subdomain: `moved${++count}` });
      expect(moved.body["application"]).toMatchObject({ subdomain: `moved${count}`, name: "Renamed" });
      expect(api.closed).toEqual([{ appId: id, reason: "application_changed" }]);
      const taken = await createApp();
      const conflict = await asBoss("PUT", `/org/applications/${id}`, { subdomain: taken["subdomain"] });
      expect({ status: conflict.status, field: errorOf(conflict).field }).toEqual({ status: 409, field: "subdomain" });
      api.closed.length = 0;
      expect((await asBoss("DELETE", `/org/applications/${id}`)).status).toBe(200);
      expect(api.closed).toEqual([{ appId: id, reason: "application_changed" }]);
      expect((await asBoss("GET", `/org/applications/${id}`)).status).toBe(404);
    });

    test("deletion takes keys, lists, policy and limiter with it", async () => {
      const { id } = await createApp();
      await asBoss("POST", "/org/api-keys", { appId: id, description: "agent" });
      await asBoss("POST", `/org/applications/${id}/whitelist`, { ipRange: "192.0.2.1" });
      await asBoss("PUT", `/org/applications/${id}/policy`, { authType: "api_key" });
      await asBoss("PUT", `/org/applications/${id}/rate-limit`, {
        enabled: true,
        maxAttempts: 3,
        windowDurationSeconds: 60,
        blockDurationSeconds: 60,
      });
      await asBoss("DELETE", `/org/applications/${id}`);
      const { kysely } = database.db;
      const left = [
        ...(await kysely.selectFrom("api_keys").select("id").where("app_id", "=", id).execute()),
        ...(await kysely.selectFrom("whitelist_entries").select("id").where("app_id", "=", id).execute()),
        ...(await kysely.selectFrom("policies").select("id").where("app_id", "=", id).execute()),
        ...(await kysely.selectFrom("rate_limits").select("app_id").where("app_id", "=", id).execute()),
      ];
      expect(left).toEqual([]);
    });

    test("say which policy visitors meet", async () => {
      const { id } = await createApp();
      const typeOf = async () => {
        const { application } = (await asBoss("GET", `/org/applications/${id}`)).body as { application: Shown };
        return application["authType"];
      };
      const set = (authMode: string) => asBoss("PUT", `/org/applications/${id}`, { authMode });
      expect(await typeOf()).toBeNull();
      await set("custom");
      expect(await typeOf()).toBe("deny");
      const policy = await asBoss("PUT", `/org/applications/${id}/policy`, { authType: "api_key" });
      expect(policy.body["policy"]).toMatchObject({ authType: "api_key", problem: null });
      expect(await typeOf()).toBe("api_key");
      await set("disabled");
      expect(await typeOf()).toBeNull();
      const own = { authType: "basic", basicUsername: "u", basicPassword: "planted-secret-1" };
      expect((await asBoss("PUT", "/org/policy", own)).body["success"]).toBe(true);
      await set("inherit");
      expect(await typeOf()).toBe("basic");
      const effective = await asBoss("GET", `/org/applications/${id}/policy/effective`);
      expect(effective.body["effective"]).toMatchObject({ kind: "protected", authentication: { authType: "basic" } });
      const shown = await asBoss("GET", "/org/policy");
      expect(shown.body["policy"]).toMatchObject({ authType: "basic", hasBasicPassword: true });
      expect(shown.text).not.toContain("planted-secret-1");
      expect((await asBoss("DELETE", "/org/policy")).status).toBe(200);
      expect((await asBoss("DELETE", "/org/policy")).status).toBe(404);
      expect((await asBoss("GET", "/org/policy")).body).toEqual({ policy: null });
    });

    test("have the usual limiter until they get their own", async () => {
      const { id } = await createApp();
      const path = `/org/applications/${id}/rate-limit`;
      const usual = {
        enabled: true,
        maxAttempts: 10,
        windowDurationSeconds: 900,
        blockDurationSeconds: 1_800,
        isDefault: true,
      };
      expect((await asBoss("GET", path)).body["rateLimit"]).toEqual(usual);
      const own = { enabled: false, maxAttempts: 100, windowDurationSeconds: 60, blockDurationSeconds: 86_400 };
      expect((await asBoss("PUT", path, own)).body["rateLimit"]).toEqual({ ...own, isDefault: false });
      expect(await lastChange()).toMatchObject({ kind: "rate_limit", ref_id: id, org_id: orgId });
      for (const bad of [
        { maxAttempts: 0 },
        { maxAttempts: 101 },
        { windowDurationSeconds: 59 },
        { blockDurationSeconds: 86_401 },
      ]) {
        const answer = await asBoss("PUT", path, { ...own, ...bad });
        expect({ bad, field: errorOf(answer).field }).toEqual({ bad, field: Object.keys(bad)[0]! });
      }
      expect((await asBoss("DELETE", path)).status).toBe(200);
      expect((await asBoss("GET", path)).body["rateLimit"]).toEqual(usual);
    });
  });

  describe("API keys", () => {
    test("are shown once, found by hash, and revoked", async () => {
      const { id: appId } = await createApp();
      const created = await asBoss("POST", "/org/api-keys", {
        appId,
        description: "deploy",
        scope: "both",
        expiresIn: 30,
      });
      expect(created.status).toBe(201);
      const rawKey = created.body["rawKey"] as string;
      const key = created.body["key"] as Shown;
      expect(rawKey).toMatch(/^dlk_[\w-]{49}$/);
      expect(key).toMatchObject({ appId, orgId, scope: "both", description: "deploy", lastUsed: null });
      expect(rawKey.startsWith(key["prefix"] as string)).toBe(true);
      expect(Date.parse(key["expiresAt"] as string)).toBe(api.clock.nowMs + 30 * 86_400_000);
      const list = await asBoss("GET", `/org/api-keys?app=${appId}`);
      expect(list.body["keys"]).toEqual([key]);
      expect(list.text).not.toContain(rawKey);
      expect(JSON.stringify(api.audited)).not.toContain(rawKey);
      expect((await asBoss("DELETE", `/org/api-keys/${key.id}`)).status).toBe(200);
      expect(api.closed).toEqual([{ keyId: key.id, reason: "credential_revoked" }]);
      expect((await asBoss("DELETE", `/org/api-keys/${key.id}`)).status).toBe(404);
      const plain = await asBoss("POST", "/org/api-keys", { description: "" });
      expect(plain.body["key"]).toMatchObject({ scope: "tunnel", appId: null, expiresAt: null });
    });
  });

  describe("whitelists", () => {
    test("of the system show AGENT_WHITELIST beside the stored entries", async () => {
      const everybody = await asAdmin("POST", "/admin/whitelist", { ipRange: "0.0.0.0/0", description: "oops" });
      expect(everybody.status).toBe(201);
      expect(typeof everybody.body["warning"]).toBe("string");
      const list = (await asAdmin("GET", "/admin/whitelist")).body["entries"] as Shown[];
      expect(list.map(({ ipRange, source }) => [ipRange, source])).toEqual([
        ["10.0.0.0/8", "env"],
        ["0.0.0.0/0", "database"],
      ]);
      expect((await asAdmin("DELETE", `/admin/whitelist/${list[0]!.id}`)).status).toBe(409);
      expect((await asAdmin("DELETE", `/admin/whitelist/${list[1]!.id}`)).status).toBe(200);
      expect(await lastChange()).toMatchObject({ kind: "whitelist", ref_id: list[1]!.id, action: "deleted" });
    });

    test("of organizations and applications are normalised, refuse duplicates, and are listed over owners", async () => {
      const { id: appId } = await createApp();
      const added = await asBoss("POST", "/org/whitelist", { ipRange: "2001:DB8::1/64", description: "office" });
      expect(added.body["entry"]).toMatchObject({ ipRange: "2001:db8::/64", level: "organization", ownerId: orgId });
      expect((await asBoss("POST", "/org/whitelist", { ipRange: "2001:db8::/64" })).status).toBe(409);
      expect(
        (await asAdmin("POST", `/admin/organizations/${orgId}/whitelist`, { ipRange: "2001:db8::/64" })).status,
      ).toBe(409);
      const path = `/org/applications/${appId}/whitelist`;
      const ofApp = await asBoss("POST", path, { ipRange: "192.0.2.7" });
      const entry = ofApp.body["entry"] as Shown;
      expect((await asBoss("GET", path)).body["entries"]).toMatchObject([{ id: entry.id, level: "application" }]);
      const orgs = await asAdmin("GET", "/admin/org-whitelists");
      expect(orgs.body["entries"]).toMatchObject([{ ipRange: "2001:db8::/64", ownerName: "Acme" }]);
      const apps = (await asBoss("GET", "/org/app-whitelist")).body["entries"] as Shown[];
      expect(apps).toMatchObject([{ id: entry.id, ownerId: appId }]);
      expect((await asAdmin("GET", `/admin/app-whitelists?org=${otherOrgId}`)).body["entries"]).toEqual([]);
      expect((await asBoss("DELETE", `${path}/${entry.id}`)).status).toBe(200);
      expect((await asBoss("DELETE", `${path}/${entry.id}`)).status).toBe(404);
    });
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
      ["/org/whitelist", "entries", []],
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

    test("a key is bound to an application of its own organization only", async () => {
      const foreign = await as(otherBoss)("POST", "/org/applications", { subdomain: `theirs${++count}`, name: "x" });
      const appId = (foreign.body["application"] as Shown).id;
      for (const [call, path, body] of [
        [asBoss, "/org/api-keys", { appId, description: "x" }],
        [asAdmin, "/admin/api-keys", { orgId, appId, description: "x" }],
        [asAdmin, "/admin/api-keys", { orgId, appId: "app_unknown", description: "x" }],
      ] as const) {
        const answer = await call("POST", path, body);
        expect({ path, status: answer.status, field: errorOf(answer).field }).toEqual({
          path,
          status: 422,
          field: "appId",
        });
      }
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

    test("organization names that look alike are one", async () => {
      for (const name of ["ACME", " acme ", "Ａｃｍｅ", "Ac​me", "Ac\nme", ""]) {
        const answer = await asAdmin("POST", "/admin/organizations", { name });
        expect({ name, refused: [409, 422].includes(answer.status) }).toEqual({ name, refused: true });
      }
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
    const lines = csv.text.trim().split("\r\n");
    expect(lines).toHaveLength(16);
    expect(csv.text).toContain("'=cmd");
    expect(csv.text).not.toMatch(/(^|,|")=cmd/m);
    expect(api.audited.at(-1)).toMatchObject({ action: "audit.exported", actorName: "boss" });
  });
});
