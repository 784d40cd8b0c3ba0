// Applications over the API: their subdomain, what a change closes, what goes with them, their policy and limiter.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { errorOf, openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";

describeEngines("applications", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let otherBoss: Acme["otherBoss"];
  let orgId: Acme["orgId"];
  let as: Acme["as"];
  let asBoss: Acme["asBoss"];
  let createApp: Acme["createApp"];
  let count = 0;

  beforeAll(async () => {
    acme = await openAcme(open);
    ({ database, api, otherBoss, orgId, as, asBoss, createApp } = acme);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());
  beforeEach(() => {
    api.closed.length = 0;
    api.tunnels.length = 0;
    api.clock.nowMs += 1_000;
  });

  const lastChange = () =>
    database.db.kysely.selectFrom("changes").selectAll().orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();

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
      ...(await kysely.selectFrom("rate_limits").select("owner_id").where("app_id", "=", id).execute()),
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

  test("have the server's limiter, their organization's, or their own, and say which", async () => {
    const { id } = await createApp();
    const path = `/org/applications/${id}/rate-limit`;
    const limit = async (of: string) => (await asBoss("GET", of)).body["rateLimit"];
    const usual = { enabled: true, maxAttempts: 10, windowDurationSeconds: 900, blockDurationSeconds: 1_800 };
    const ofServer = { ...usual, source: "default" };
    const unset = { isDefault: true, updatedAt: null };
    expect(await limit(path)).toEqual({ ...usual, ...unset, source: "default", inherited: ofServer });
    expect(await limit("/org/rate-limit")).toEqual(await limit(path));

    const shared = { enabled: true, maxAttempts: 4, windowDurationSeconds: 120, blockDurationSeconds: 600 };
    const changed = await asBoss("PUT", "/org/rate-limit", shared);
    const ofOrganization = { ...shared, source: "organization" };
    const set = { isDefault: false, updatedAt: new Date(api.clock.nowMs).toISOString() };
    expect(changed.body["rateLimit"]).toEqual({ ...ofOrganization, ...set, inherited: ofServer });
    expect(await lastChange()).toMatchObject({ kind: "rate_limit", ref_id: orgId, org_id: orgId, action: "created" });
    expect(api.audited.at(-1)).toMatchObject({
      action: "rate_limit.changed",
      orgId,
      appId: null,
      details: { before: null, after: shared },
    });
    expect(await limit(path)).toEqual({ ...ofOrganization, ...unset, inherited: ofOrganization });

    const own = { enabled: false, maxAttempts: 100, windowDurationSeconds: 60, blockDurationSeconds: 86_400 };
    const ofApplication = { ...own, ...set, source: "application", inherited: ofOrganization };
    expect((await asBoss("PUT", path, own)).body["rateLimit"]).toEqual(ofApplication);
    expect(await lastChange()).toMatchObject({ kind: "rate_limit", ref_id: id, org_id: orgId });
    const effective = await asBoss("GET", `/org/applications/${id}/policy/effective`);
    expect(effective.body["effective"]).toMatchObject({ limiter: { enabled: false, source: "application" } });
    for (const bad of [
      { maxAttempts: 0 },
      { maxAttempts: 101 },
      { windowDurationSeconds: 59 },
      { windowDurationSeconds: 3_601 },
      { blockDurationSeconds: 59 },
      { blockDurationSeconds: 86_401 },
    ]) {
      for (const of of [path, "/org/rate-limit"]) {
        const answer = await asBoss("PUT", of, { ...own, ...bad });
        expect({ bad, field: errorOf(answer).field }).toEqual({ bad, field: Object.keys(bad)[0]! });
      }
    }
    const empty = await asBoss("PUT", path, {});
    expect({ status: empty.status, error: empty.body["error"] }).toMatchObject({
      status: 422,
      error: {
        message: "body must have at least one of enabled, maxAttempts, windowDurationSeconds, blockDurationSeconds.",
      },
    });
    await asBoss("PUT", "/org/rate-limit", { ...shared, maxAttempts: 5 });
    expect(api.audited.at(-1)).toMatchObject({ details: { before: shared, after: { ...shared, maxAttempts: 5 } } });
    expect((await asBoss("DELETE", path)).status).toBe(200);
    expect(await limit(path)).toMatchObject({ maxAttempts: 5, isDefault: true, source: "organization" });
    const back = await asBoss("DELETE", "/org/rate-limit");
    expect(back.body["rateLimit"]).toEqual({ ...usual, ...unset, source: "default", inherited: ofServer });
    expect(api.audited.at(-1)).toMatchObject({ action: "rate_limit.removed", orgId, details: { after: null } });
    const audits = api.audited.length;
    expect((await asBoss("DELETE", "/org/rate-limit")).status).toBe(200);
    expect(api.audited).toHaveLength(audits);
  });

  describe("security", () => {
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
      const theirs = await as(otherBoss)("POST", "/org/applications", { subdomain: "theirs", name: "x" });
      const { id } = theirs.body["application"] as Shown;
      for (const [subdomain, status] of [
        ["MYSHOP", 409],
        ["-edge", 422],
        ["under_score", 422],
        ["admin", 422],
        ["ours", 422],
        ["xn--pple-43d", 422],
        ["a".repeat(64), 422],
      ] as const) {
        for (const [method, path] of [
          ["POST", "/org/applications"],
          ["PUT", `/org/applications/${id}`],
        ] as const) {
          const answer = await as(otherBoss)(method, path, { subdomain, name: "x" });
          expect({ method, subdomain, status: answer.status, field: errorOf(answer).field }).toEqual({
            ...{ method, subdomain, status },
            field: "subdomain",
          });
        }
      }
    });
  });
});
