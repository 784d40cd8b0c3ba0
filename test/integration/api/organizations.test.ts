// Organizations over the API: made, renamed, deleted, their settings, and names that look alike.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { errorOf, openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { createPerson } from "../../helpers/people.ts";
import { liveTunnel } from "../../helpers/tenants.ts";

describeEngines("organizations", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let otherBoss: Acme["otherBoss"];
  let orgId: Acme["orgId"];
  let otherOrgId: Acme["otherOrgId"];
  let as: Acme["as"];
  let asAdmin: Acme["asAdmin"];
  let asBoss: Acme["asBoss"];
  let count = 0;

  beforeAll(async () => {
    acme = await openAcme(open);
    ({ database, api, otherBoss, orgId, otherOrgId, as, asAdmin, asBoss } = acme);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());
  beforeEach(() => {
    api.closed.length = 0;
    api.tunnels.length = 0;
    api.clock.nowMs += 1_000;
  });

  const lastChange = () =>
    database.db.kysely.selectFrom("changes").selectAll().orderBy("id", "desc").limit(1).executeTakeFirstOrThrow();

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

  test("the limits that bound an organization, and how much of them is in use", async () => {
    const agent = (sessions: number) => ({
      ...{ agentId: "agt", version: "1.0.0", address: "198.51.100.9", target: null, actorName: "boss", sessions },
    });
    api.tunnels.push(
      liveTunnel({ name: "one", orgId, keyId: "key_a", streams: 7, agents: [agent(2), agent(3)] }),
      liveTunnel({ name: "two", orgId, keyId: "key_a", streams: 2 }),
      liveTunnel({ name: "three", orgId, accountId: "acc_a", state: "opening" }),
      // Whoever is away makes room, and others' tunnels are others'.
      liveTunnel({ name: "four", orgId, accountId: "acc_a", state: "away", streams: 90 }),
      liveTunnel({ name: "five", orgId: otherOrgId, streams: 900 }),
    );
    const expected = [
      ["tunnels", 3, 20, "MAX_TUNNELS_PER_ORGANIZATION"],
      ["tunnelsPerCredential", 2, 10, "MAX_TUNNELS_PER_ACCOUNT"],
      ["agentsPerTunnel", 2, 8, "MAX_AGENTS_PER_TUNNEL"],
      ["sessionsPerAgent", 3, 4, "MAX_SESSIONS_PER_AGENT"],
      ["requests", 9, 2_000, "MAX_CONNECTIONS_PER_ORGANIZATION"],
      ["requestsPerTunnel", 7, 1_000, "MAX_CONNECTIONS_PER_TUNNEL"],
      ["requestsPerSession", null, 500, "MAX_STREAMS_PER_SESSION"],
    ].map(([name, used, allowed, setting]) => ({ name, allowed, used, setting }));
    expect((await asBoss("GET", "/org/limits")).body["limits"]).toEqual(expected);
    expect((await asAdmin("GET", `/admin/organizations/${orgId}/limits`)).body["limits"]).toEqual(expected);
    expect((await asAdmin("GET", "/admin/organizations/org_none/limits")).status).toBe(404);
  });

  describe("security", () => {
    test("organization names that look alike are one", async () => {
      for (const name of ["ACME", " acme ", "Ａｃｍｅ", "Ac​me", "Ac\nme", ""]) {
        const answer = await asAdmin("POST", "/admin/organizations", { name });
        expect({ name, refused: [409, 422].includes(answer.status) }).toEqual({ name, refused: true });
      }
    });

    test("a required claim is a text, number or boolean under a visible name", async () => {
      const oidc = { authType: "oidc", oidcIssuerUrl: "https://id.example.com", oidcClientId: "c" };
      const put = (oidcRequiredClaims: object) => asBoss("PUT", "/org/policy", { ...oidc, oidcRequiredClaims });
      for (const claims of [
        { "a\nb": { x: 1 } },
        { "a\nb": "c" },
        { "": "c" },
        { [`${"a".repeat(257)}`]: "c" },
        { a: [] },
      ]) {
        const answer = await put(claims);
        expect({ claims, status: answer.status }).toEqual({ claims, status: 422 });
        expect(errorOf(answer).field).toStartWith("oidcRequiredClaims");
      }
      const claims = { "https://example.com/Rollen für alle": "ja", level: 3, staff: true };
      expect((await put(claims)).body["policy"]).toMatchObject({ oidcRequiredClaims: claims, problem: null });
      expect((await asBoss("DELETE", "/org/policy")).status).toBe(200);
    });

    test("a policy that is based on another one than is stored is refused, though both are of one moment", async () => {
      const put = async (more: object) => {
        const answer = await asBoss("PUT", "/org/policy", { authType: "api_key", ...more });
        if (answer.status !== 200) return errorOf(answer).code ?? "";
        return (answer.body["policy"] as { updatedAt: string }).updatedAt;
      };
      expect(await put({ basedOn: new Date(api.clock.nowMs).toISOString() })).toBe("conflict");
      const first = await put({ basedOn: null });
      expect(await put({ basedOn: null })).toBe("conflict");
      const second = await put({ basedOn: first, denyIps: ["192.0.2.1"] });
      expect(second > first).toBe(true);
      expect(await put({ basedOn: first, denyIps: [] })).toBe("conflict");
      expect((await asBoss("GET", "/org/policy")).body["policy"]).toMatchObject({ denyIps: ["192.0.2.1"] });
      expect(await put({ basedOn: "yesterday" })).toBe("validation");
      // Whoever does not say what was read replaces whatever there is.
      expect((await put({})) > second).toBe(true);
      expect((await asBoss("DELETE", "/org/policy")).status).toBe(200);
    });
  });
});
