// Storing, showing and removing visitor policies: secrets that stay, what comes back, what is in force, what is audited.

import { describe, expect, test } from "bun:test";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import { describeEngines } from "../helpers/databases.ts";
import { startProvider } from "../helpers/oidc-provider.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

const app = { orgId, appId: "app_app" };
const org = { orgId, appId: null };
const by = { actorId: "acc_1", actorName: "root", address: "127.0.0.1", requestId: "r" };
const basic: PolicyBody = { authType: "basic", basicUsername: "ada", basicPassword: "planted-password" };
const oidc: PolicyBody = {
  authType: "oidc",
  oidcIssuerUrl: "https://id.example.com",
  oidcClientId: "client",
  oidcClientSecret: "planted-secret",
  oidcAllowedDomains: ["example.com"],
  oidcRequiredClaims: { groups: "staff" },
  denyIps: ["192.0.2.0/24"],
};

describeEngines("policies", (openDatabase) => {
  test("are stored, replaced, shown without secrets, and removed", async () => {
    await using server = await startVisitorServer({ openDatabase });
    const { policies } = server;
    expect(await policies.getPolicyView(app)).toBeNull();
    expect(await policies.putPolicy(app, basic, by)).toMatchObject({
      authType: "basic",
      basicUsername: "ada",
      hasBasicPassword: true,
    });
    const view = await policies.putPolicy(app, oidc, by);
    expect(view).toMatchObject({
      authType: "oidc",
      problem: null,
      basicUsername: null,
      hasBasicPassword: false,
      hasOidcClientSecret: true,
      oidcScopes: ["openid", "email", "profile"],
      oidcRequiredClaims: { groups: "staff" },
      denyIps: ["192.0.2.0/24"],
    });
    expect(await policies.getPolicyView(app)).toEqual(view);
    await policies.putPolicy(org, { authType: "api_key", apiKeyEnabled: false }, by);
    expect(await policies.getPolicyView(org)).toMatchObject({ authType: "api_key", apiKeyEnabled: true });
    await policies.deletePolicy(app, by);
    expect(await policies.getPolicyView(app)).toBeNull();
    expect(await policies.getPolicyView(org)).not.toBeNull();
    await expect(policies.deletePolicy(app, by)).rejects.toMatchObject({ code: "not_found" });
    const changes = await server.db.kysely
      .selectFrom("changes")
      .select(["kind", "ref_id", "org_id", "action"])
      .orderBy("id")
      .execute();
    expect(changes.map(({ kind, ref_id, action }) => `${kind} ${ref_id} ${action}`)).toEqual([
      "policy app_app created",
      "policy app_app updated",
      "policy org_a created",
      "policy app_app deleted",
    ]);
  });

  test("what is in force, and where each part comes from", async () => {
    await using server = await startVisitorServer({ openDatabase });
    const { policies } = server;
    const mode = (auth_mode: "inherit" | "disabled" | "custom") =>
      server.db.kysely.updateTable("applications").set({ auth_mode }).execute();
    expect(await policies.effectiveView("app_app")).toMatchObject({ kind: "deny", isPublic: false });
    await mode("inherit");
    expect(await policies.effectiveView("app_app")).toMatchObject({
      kind: "open",
      isPublic: true,
      reason: "The organization has no policy.",
    });
    await policies.putPolicy(org, { ...basic, allowIps: ["10.0.0.0/8"] }, by);
    expect(await policies.effectiveView("app_app")).toMatchObject({
      kind: "protected",
      authentication: { authType: "basic", sessionHours: 24, source: "organization" },
      addresses: { allowIps: ["10.0.0.0/8"], source: "organization" },
      limiter: {
        enabled: true,
        maxAttempts: 10,
        windowDurationSeconds: 900,
        blockDurationSeconds: 1_800,
        source: "default",
      },
    });
    await mode("disabled");
    expect(await policies.effectiveView("app_app")).toMatchObject({
      kind: "open",
      authentication: { source: "application" },
    });
    await expect(policies.effectiveView("app_none")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("testing a provider", () => {
  test("says what it found, or why not", async () => {
    await using provider = await startProvider([]);
    await using server = await startVisitorServer();
    const found = await server.policies.testProvider(provider.issuer);
    expect(found).toMatchObject({
      success: true,
      problem: null,
      issuer: provider.issuer,
      pkce: true,
      logout: true,
      keys: 1,
    });
    expect(found.redirectUri).toBe("http://tunnel.localhost/auth/visitor/callback");
    const missing = await server.policies.testProvider(`${provider.issuer}/nothing`);
    expect(missing).toMatchObject({ success: false, issuer: null });
    expect(missing.problem).toBeString();
    await expect(server.policies.testProvider("gopher://x")).rejects.toMatchObject({
      code: "validation",
      field: "issuerUrl",
    });
  });
});

describe("security", () => {
  test("a secret left out keeps the stored one, and only for the same provider", async () => {
    await using server = await startVisitorServer();
    const { policies } = server;
    await policies.putPolicy(app, basic, by);
    const hash = async () =>
      (await server.db.kysely.selectFrom("policies").selectAll().executeTakeFirstOrThrow()).basic_password_hash;
    const before = await hash();
    await policies.putPolicy(app, { authType: "basic", basicUsername: "bob" }, by);
    expect(await hash()).toBe(before);

    const { oidcClientSecret: _, ...without } = oidc;
    await policies.putPolicy(app, oidc, by);
    expect(await policies.putPolicy(app, { ...without, sessionHours: 2 }, by)).toMatchObject({
      hasOidcClientSecret: true,
    });
    // Pointed at somebody else's provider, the stored secret would be sent there.
    for (const moved of [{ oidcIssuerUrl: "https://evil.example" }, { oidcClientId: "other" }]) {
      await expect(policies.putPolicy(app, { ...without, ...moved }, by)).rejects.toMatchObject({
        code: "validation",
        field: "oidcClientSecret",
      });
    }
    expect(await policies.putPolicy(app, { ...without, oidcClientSecret: null }, by)).toMatchObject({
      hasOidcClientSecret: false,
    });
    // A password of one type is none of another, and doesn't come back with the type.
    await policies.putPolicy(app, { authType: "api_key" }, by);
    await expect(policies.putPolicy(app, { authType: "basic", basicUsername: "ada" }, by)).rejects.toMatchObject({
      field: "basicPassword",
    });
  });

  test("secrets are sealed for their row, and in no view, audit row or log", async () => {
    await using server = await startVisitorServer({ apps: ["app", "two"] });
    const { policies, db } = server;
    const views = [
      await policies.putPolicy(app, basic, by),
      await policies.putPolicy(app, oidc, by),
      await policies.getPolicyView(app),
    ];
    const rows = await db.kysely.selectFrom("policies").selectAll().execute();
    const shown = JSON.stringify([views, server.audited, server.logs]);
    for (const secret of ["planted-password", "planted-secret", "$2b$", "v1."]) expect(shown).not.toContain(secret);
    expect(JSON.stringify(rows)).not.toContain("planted");
    // Copied to another row, the sealed value opens nothing: the policy denies.
    const [row] = rows;
    if (row === undefined) throw new Error("no row");
    await db.kysely
      .insertInto("policies")
      .values({ ...row, id: "pol_x", owner_id: "app_two", app_id: "app_two" })
      .execute();
    expect((await server.inForce.compileForName("two")).kind).toBe("deny");
    expect(await policies.getPolicyView({ orgId, appId: "app_two" })).toMatchObject({
      problem: "the policy can't be read",
    });
  });

  test("a change and its audit row are one transaction", async () => {
    await using server = await startVisitorServer();
    await server.policies.putPolicy(app, basic, by);
    const audited = server.audited.length;
    expect(server.audited[0]).toMatchObject({ action: "policy.changed", actorName: "root", appId: "app_app", orgId });
    server.failAudit = true;
    await expect(server.policies.putPolicy(app, oidc, by)).rejects.toMatchObject({ code: "audit_unavailable" });
    await expect(server.policies.deletePolicy(app, by)).rejects.toMatchObject({ code: "audit_unavailable" });
    expect(await server.policies.getPolicyView(app)).toMatchObject({ authType: "basic" });
    expect(server.audited).toHaveLength(audited);
  });

  test("of two changes at once one wins, and the other is told", async () => {
    await using server = await startVisitorServer();
    await server.policies.putPolicy(app, basic, by);
    const results = await Promise.allSettled([
      server.policies.putPolicy(app, { ...basic, sessionHours: 1 }, by),
      server.policies.putPolicy(app, { ...basic, sessionHours: 2 }, by),
    ]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "conflict" } });
  });
});
