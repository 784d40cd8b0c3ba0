// Accounts for admins and organization admins: what each may do, what a change ends, what nobody may do.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, goodPassword, login, type Person } from "../../helpers/people.ts";

const errorOf = (answer: { body: Record<string, unknown> }) =>
  (answer.body["error"] ?? {}) as { code?: string; field?: string; message?: string };
type Shown = { id: string; username: string };

describeEngines("accounts", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let admin: Person;
  let orgId: string;
  let otherOrgId: string;
  let boss: Person;
  let member: Person;
  let stranger: Person;
  let auditFails = false;

  beforeAll(async () => {
    database = await open();
    api = createTestApi(database, { auditFails: () => auditFails });
    admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    orgId = await createOrganization(api, "Acme");
    otherOrgId = await createOrganization(api, "Other");
    boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
    member = await createPerson(api, { username: "member", orgId });
    stranger = await createPerson(api, { username: "stranger", orgId: otherOrgId });
  });
  afterAll(async () => database[Symbol.asyncDispose]());
  beforeEach(() => {
    auditFails = false;
    api.closed.length = 0;
  });

  const asAdmin = (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: admin.session, ...(body === undefined ? {} : { body }) });
  const asBoss = (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: boss.session, ...(body === undefined ? {} : { body }) });

  test("created with a token that is shown once and found by its hash", async () => {
    const created = await asAdmin("POST", "/admin/accounts", { username: "New.Person", password: goodPassword, orgId });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      success: true,
      token: expect.stringMatching(/^dlt_/),
      account: { username: "New.Person", orgId, orgName: "Acme", hasPassword: true, active: true, lastUsed: null },
    });
    const { id } = created.body["account"] as Shown;
    const shown = await asAdmin("GET", `/admin/accounts/${id}`);
    expect(shown.body["account"]).toEqual(created.body["account"]);
    expect(shown.text).not.toContain("dlt_");
    const again = await asAdmin("POST", "/admin/accounts", { username: "NEW.person" });
    expect({ status: again.status, field: errorOf(again).field }).toEqual({ status: 409, field: "username" });
    expect(api.audited.at(-1)).toMatchObject({ action: "account.created", actorName: "admin", orgId });
  });

  test("lists page through everything once, in each order and under filters", async () => {
    for (let i = 0; i < 7; i++) await createPerson(api, { username: `list${i}`, orgId, login: false });
    for (const sort of ["username", "-username", "createdAt", "-createdAt", "lastUsed", "-lastUsed"]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const next: string = cursor === null ? "" : `&cursor=${cursor}`;
        const page = await asAdmin("GET", `/admin/accounts?limit=3&org=${orgId}&sort=${sort}${next}`);
        expect(page.status).toBe(200);
        seen.push(...(page.body["accounts"] as Shown[]).map(({ id }) => id));
        cursor = page.body["nextCursor"] as string | null;
      } while (cursor !== null);
      const all = await asBoss("GET", `/org/accounts?limit=200&sort=${sort}`);
      expect(seen).toEqual((all.body["accounts"] as Shown[]).map(({ id }) => id));
      expect(new Set(seen).size).toBe(seen.length);
    }
    const found = await asBoss("GET", "/org/accounts?q=LIST&active=true");
    expect((found.body["accounts"] as Shown[]).map(({ username }) => username)).toEqual(
      Array.from({ length: 7 }, (_, i) => `list${i}`),
    );
    for (const query of [
      "sort=password",
      "sort=__proto__",
      "limit=0",
      "limit=1000",
      "cursor=abc",
      "unknown=1",
      "active=maybe",
    ]) {
      expect({ query, status: (await asAdmin("GET", `/admin/accounts?${query}`)).status }).toEqual({
        query,
        status: 422,
      });
    }
  });

  test("an account's whitelist is normalised and refuses duplicates", async () => {
    const path = `/admin/accounts/${member.id}/whitelist`;
    const added = await asAdmin("POST", path, { ipRange: "198.51.100.77/24", description: "office" });
    expect(added.status).toBe(201);
    expect(added.body["entry"]).toMatchObject({ ipRange: "198.51.100.0/24", level: "account", ownerId: member.id });
    expect((await asBoss("POST", `/org/accounts/${member.id}/whitelist`, { ipRange: "198.51.100.0/24" })).status).toBe(
      409,
    );
    expect(errorOf(await asAdmin("POST", path, { ipRange: "300.1.1.1" })).field).toBe("ipRange");
    const list = await asBoss("GET", `/org/accounts/${member.id}/whitelist`);
    const [entry] = list.body["entries"] as { id: string }[];
    expect((await asBoss("DELETE", `/org/accounts/${member.id}/whitelist/${entry!.id}`)).status).toBe(200);
    expect((await asBoss("DELETE", `/org/accounts/${member.id}/whitelist/${entry!.id}`)).status).toBe(404);
  });

  describe("what a change ends", () => {
    let person: Person;
    let count = 0;
    beforeEach(async () => {
      person = await createPerson(api, { username: `ends${++count}`, orgId, totp: true });
    });
    const isLoggedIn = async (): Promise<boolean> =>
      (await api.call("GET", "/auth/me", { session: person.session })).status === 200;
    const closedTunnels = () => api.closed.filter(({ accountId }) => accountId === person.id).length;

    for (const [what, method, path, body, endsSession, closes] of [
      ["deactivate", "DELETE", "", undefined, true, true],
      ["delete", "DELETE", "/hard", undefined, true, true],
      ["new token", "POST", "/regenerate", undefined, false, true],
      ["set password", "PUT", "/password", { password: "another-quiet-river" }, true, false],
      ["move", "PUT", "/organization", { orgId: null }, true, true],
      ["role", "PUT", "/org-admin", { isOrgAdmin: true }, true, false],
      ["reset TOTP", "DELETE", "/totp", undefined, true, false],
      ["rename", "PUT", "/username", { username: "renamed" }, false, false],
    ] as const) {
      test(what, async () => {
        expect(await isLoggedIn()).toBe(true);
        const credentials = { username: person.username, password: goodPassword };
        const { pendingToken } = (await api.call("POST", "/auth/login", { body: credentials })).body;
        const answer = await asAdmin(method, `/admin/accounts/${person.id}${path}`, body);
        expect({ status: answer.status, text: answer.status === 200 ? "" : answer.text }).toEqual({
          status: 200,
          text: "",
        });
        expect(await isLoggedIn()).toBe(!endsSession);
        expect(closedTunnels()).toBe(closes ? 1 : 0);
        expect(api.audited.at(-1)).toMatchObject({
          actorName: "admin",
          details: { account: person.id },
        });
        const changes = await database.db.kysely
          .selectFrom("changes")
          .selectAll()
          .where("ref_id", "=", person.id)
          .execute();
        expect(changes.length).toBe(1);
        // A login that waits for its code ends as well.
        const halfDone = await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: "000000" } });
        expect(errorOf(halfDone).code).toBe(endsSession ? "unauthorized" : "bad_code");
      });
    }

    test("a deactivated account that is activated again must log in anew", async () => {
      await asAdmin("DELETE", `/admin/accounts/${person.id}`);
      expect(await login(api, person.username)).toBe("");
      expect((await asAdmin("POST", `/admin/accounts/${person.id}/activate`)).body).toMatchObject({
        account: { active: true },
      });
      expect(await isLoggedIn()).toBe(false);
      expect(await login(api, person.username)).not.toBe("");
    });
  });

  describe("security", () => {
    test("the last active admin stays", async () => {
      for (const path of ["", "/hard"]) {
        const answer = await asAdmin("DELETE", `/admin/accounts/${admin.id}${path}`);
        expect({ path, code: errorOf(answer).code }).toEqual({ path, code: "conflict" });
      }
      expect((await asAdmin("PUT", `/admin/accounts/${admin.id}/organization`, { orgId })).status).toBe(422);
      expect((await asAdmin("GET", "/admin/me")).status).toBe(200);
    });

    test("two admins who deactivate each other at once: one remains", async () => {
      const one = await createPerson(api, { username: "duel1", isAdmin: true, totp: true });
      const two = await createPerson(api, { username: "duel2", isAdmin: true, totp: true });
      await database.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", admin.id).execute();
      const answers = await Promise.all([
        api.call("DELETE", `/admin/accounts/${two.id}`, { session: one.session }),
        api.call("DELETE", `/admin/accounts/${one.id}`, { session: two.session }),
      ]);
      const left = await database.db.kysely
        .selectFrom("accounts")
        .select("id")
        .where("is_admin", "=", 1)
        .where("active", "=", 1)
        .execute();
      expect(left.length).toBe(1);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      await database.db.kysely.updateTable("accounts").set({ active: 1 }).where("id", "=", admin.id).execute();
      await database.db.kysely.deleteFrom("accounts").where("id", "in", [one.id, two.id]).execute();
    });

    test("another organization's account is as unknown as one that never was", async () => {
      const paths: [string, string, unknown][] = [
        ["GET", "", undefined],
        ["DELETE", "", undefined],
        ["DELETE", "/hard", undefined],
        ["POST", "/activate", undefined],
        ["POST", "/regenerate", undefined],
        ["PUT", "/username", { username: "stolen" }],
        ["PUT", "/password", { password: "another-quiet-river" }],
        ["PUT", "/org-admin", { isOrgAdmin: true }],
        ["DELETE", "/totp", undefined],
        ["GET", "/whitelist", undefined],
        ["POST", "/whitelist", { ipRange: "192.0.2.1" }],
        ["DELETE", "/whitelist/wl_x", undefined],
      ];
      for (const [method, path, body] of paths) {
        const foreign = await asBoss(method, `/org/accounts/${stranger.id}${path}`, body);
        const unknown = await asBoss(method, `/org/accounts/acc_unknown${path}`, body);
        const system = await asBoss(method, `/org/accounts/${admin.id}${path}`, body);
        const name = `${method} ${path}`;
        expect({ name, status: foreign.status, text: foreign.text }).toEqual({ name, status: 404, text: unknown.text });
        expect({ name, status: system.status }).toEqual({ name, status: 404 });
      }
      expect((await api.call("GET", "/auth/me", { session: stranger.session })).status).toBe(200);
      expect(api.closed).toEqual([]);
    });

    test("an organization's admin makes members of that organization only, and no system admin", async () => {
      for (const extra of [{ isAdmin: true }, { orgId: otherOrgId }]) {
        expect((await asBoss("POST", "/org/accounts", { username: "evil", ...extra })).status).toBe(422);
      }
      const made = await asBoss("POST", "/org/accounts", { username: "colleague" });
      expect(made.body).toMatchObject({ account: { orgId, isAdmin: false } });
      const list = await asBoss("GET", "/org/accounts?limit=200");
      expect((list.body["accounts"] as Shown[]).map(({ username }) => username)).not.toContain("stranger");
      expect((await asBoss("GET", `/org/accounts?org=${otherOrgId}`)).status).toBe(422);
    });

    test("members, strangers and nobody do not get in", async () => {
      for (const path of ["/admin/accounts", "/admin/me", "/org/accounts"]) {
        expect((await api.call("GET", path)).status).toBe(401);
        expect((await api.call("GET", path, { session: member.session })).status).toBe(403);
      }
      expect((await api.call("GET", "/admin/accounts", { session: boss.session })).status).toBe(403);
      expect((await api.call("GET", "/org/accounts", { session: admin.session })).status).toBe(403);
      // A stranger learns nothing of the schema.
      expect((await api.call("POST", "/admin/accounts", { body: { nonsense: true } })).status).toBe(401);
    });

    test("moved, demoted and deactivated callers lose access at once", async () => {
      const chief = await createPerson(api, { username: "chief", orgId, isOrgAdmin: true });
      const status = () => api.call("GET", "/org/accounts", { session: chief.session }).then((answer) => answer.status);
      const set = (change: Record<string, string | number | null>) =>
        database.db.kysely.updateTable("accounts").set(change).where("id", "=", chief.id).execute();
      expect(await status()).toBe(200);
      await set({ is_org_admin: 0 });
      expect(await status()).toBe(403);
      await set({ is_org_admin: 1, org_id: otherOrgId });
      const list = await api.call("GET", "/org/accounts", { session: chief.session });
      expect(list.text).not.toContain("member");
      await set({ active: 0 });
      expect(await status()).toBe(401);
    });

    test("nobody changes the own password or second factor here, nor a member the own token, where no proof is asked", async () => {
      for (const [method, path, body] of [
        ["PUT", "/password", { password: "another-quiet-river" }],
        ["DELETE", "/totp", undefined],
        ["POST", "/regenerate", undefined],
      ] as const) {
        const own = await asBoss(method, `/org/accounts/${boss.id}${path}`, body);
        expect({ path, code: errorOf(own).code }).toEqual({ path, code: "forbidden" });
        // A system admin has no other page for the token.
        const system = await asAdmin(method, `/admin/accounts/${admin.id}${path}`, body);
        expect({ path, status: system.status }).toEqual({ path, status: path === "/regenerate" ? 200 : 403 });
      }
    });

    test("nothing changes when the audit log cannot be written", async () => {
      auditFails = true;
      const answer = await asAdmin("DELETE", `/admin/accounts/${member.id}`);
      expect(errorOf(answer).code).toBe("audit_unavailable");
      expect((await asAdmin("POST", "/admin/accounts", { username: "ghost" })).status).toBe(503);
      auditFails = false;
      expect((await api.call("GET", "/auth/me", { session: member.session })).status).toBe(200);
      expect((await asAdmin("GET", "/admin/accounts?q=ghost")).body["accounts"]).toEqual([]);
      expect(api.closed).toEqual([]);
    });
  });
});
