// API keys and whitelists over the API.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { errorOf, openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";

describeEngines("keys and lists", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let otherBoss: Acme["otherBoss"];
  let orgId: Acme["orgId"];
  let otherOrgId: Acme["otherOrgId"];
  let as: Acme["as"];
  let asAdmin: Acme["asAdmin"];
  let asBoss: Acme["asBoss"];
  let createApp: Acme["createApp"];
  let count = 0;

  beforeAll(async () => {
    acme = await openAcme(open, { agentWhitelist: ["10.0.0.0/8"] });
    ({ database, api, otherBoss, orgId, otherOrgId, as, asAdmin, asBoss, createApp } = acme);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());
  beforeEach(() => {
    api.closed.length = 0;
    api.tunnels.length = 0;
    api.clock.nowMs += 1_000;
  });

  const lastChange = () =>
    database.db.kysely.selectFrom("changes").selectAll().orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();

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
      // By which every server of the database hears of it.
      const changes = database.db.kysely.selectFrom("changes").select(["kind", "action"]).where("ref_id", "=", key.id);
      expect((await changes.orderBy("id").execute()).map(({ kind, action }) => `${kind} ${action}`)).toEqual([
        "api_key created",
        "api_key deleted",
      ]);
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

  describe("security", () => {
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

    test("a tenant's list has at most 1,000 entries, however many are added at once", async () => {
      const { id: appId } = await createApp();
      const { kysely } = database.db;
      for (const [path, level, owner] of [
        ["/org/whitelist", "organization", otherOrgId],
        [`/org/applications/${appId}/whitelist`, "application", appId],
        [`/org/accounts/${acme.member.id}/whitelist`, "account", acme.member.id],
        ["/admin/whitelist", "system", ""],
      ] as const) {
        const rows = Array.from({ length: 999 }, (_, i) => ({
          ...{ id: `wl_${level}_${i}`, level, owner_id: owner, org_id: null, app_id: null, account_id: null },
          ...{ cidr: `10.${i >> 8}.${i & 255}.1`, description: "", created_by: null, created_at: 0 },
        }));
        await kysely.insertInto("whitelist_entries").values(rows).execute();
        const call = level === "system" ? asAdmin : level === "organization" ? as(otherBoss) : asBoss;
        const add = (n: number) => call("POST", path, { ipRange: `192.0.2.${n}` });
        const answers = await Promise.all([1, 2, 3, 4].map(add));
        const refused = answers.filter(({ status }) => status === 409);
        expect([level, refused.length]).toEqual([level, level === "system" ? 0 : 3]);
        if (level === "system") continue;
        expect(refused[0]!.body["error"]).toMatchObject({ code: "conflict", field: "ipRange" });
        expect((await call("DELETE", `${path}/wl_${level}_0`)).status).toBe(200);
        expect((await add(9)).status).toBe(201);
      }
    });
  });
});
