// The e-mail of an account: system admins set it, sign-in at a provider finds the account by it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";
import { setUp } from "../../helpers/sign-in.ts";

const errorOf = (answer: { body: Record<string, unknown> }) =>
  (answer.body["error"] ?? {}) as { code?: string; field?: string };

describeEngines("an account's e-mail", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let admin: Person;
  let boss: Person;
  let member: Person;

  beforeAll(async () => {
    database = await open();
    api = createTestApi(database);
    admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    const orgId = await createOrganization(api, "Acme");
    boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
    member = await createPerson(api, { username: "member", orgId });
  });
  afterAll(async () => database[Symbol.asyncDispose]());

  const asAdmin = (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: admin.session, ...(body === undefined ? {} : { body }) });
  const setEmail = (person: { id: string }, email: unknown) =>
    asAdmin("PUT", `/admin/accounts/${person.id}/email`, { email });

  test("is given with the account or later, shown in one spelling, and taken away", async () => {
    const created = await asAdmin("POST", "/admin/accounts", { username: "Ada", email: "Ada@Example.COM" });
    expect(created.body["account"]).toMatchObject({ username: "Ada", email: "ada@example.com" });
    const { id } = created.body["account"] as { id: string };
    const without = await asAdmin("POST", "/admin/accounts", { username: "grace" });
    expect(without.body["account"]).toMatchObject({ email: null });

    expect((await setEmail({ id }, "ADA@example.org")).body["account"]).toMatchObject({ email: "ada@example.org" });
    expect(api.audited.at(-1)).toMatchObject({
      action: "account.email_changed",
      actorName: "admin",
      details: { before: "ada@example.com", after: "ada@example.org" },
    });
    expect((await setEmail({ id }, null)).body["account"]).toMatchObject({ email: null });
    expect((await asAdmin("GET", `/admin/accounts/${id}`)).body["account"]).toMatchObject({ email: null });
  });

  test("belongs to one account, whatever its spelling", async () => {
    const first = await asAdmin("POST", "/admin/accounts", { username: "first", email: "one@example.com" });
    expect(first.status).toBe(201);
    const taken = { status: 409, field: "email" };
    const created = await asAdmin("POST", "/admin/accounts", { username: "second", email: "ONE@Example.com" });
    expect({ status: created.status, field: errorOf(created).field }).toEqual(taken);
    const changed = await setEmail(member, "One@example.com");
    expect({ status: changed.status, field: errorOf(changed).field }).toEqual(taken);
    // Setting what is set already is no conflict.
    const { id } = first.body["account"] as { id: string };
    expect((await setEmail({ id }, "one@EXAMPLE.com")).status).toBe(200);
  });

  test("must be one plain address", async () => {
    const wrong = [
      "",
      "ada",
      "ada@",
      "@example.com",
      "a@b@c",
      "a b@example.com",
      '"a"@example.com',
      "a@example.com,b@c.d",
    ];
    for (const email of [
      ...wrong,
      "ada@exämple.com",
      "ad\u212a@example.com",
      `${"x".repeat(250)}@example.com`,
      5,
      {},
    ]) {
      const answer = await setEmail(member, email);
      expect({ email, status: answer.status, field: errorOf(answer).field }).toEqual({
        email,
        status: 422,
        field: "email",
      });
    }
  });

  describe("security", () => {
    test("only system admins decide whose an address is", async () => {
      for (const person of [boss, member]) {
        const change = { session: person.session, body: { email: "mine@example.com" } };
        expect((await api.call("PUT", `/admin/accounts/${member.id}/email`, change)).status).toBe(403);
        expect((await api.call("PUT", `/org/accounts/${member.id}/email`, change)).status).toBe(404);
      }
      const body = { username: "planted", email: "mine@example.com" };
      expect((await api.call("POST", "/org/accounts", { session: boss.session, body })).status).toBe(422);
    });

    test("another address ends the account's sessions", async () => {
      const person = await createPerson(api, { username: "leaving" });
      const me = async () => (await api.call("GET", "/auth/me", { session: person.session })).status;
      expect(await me()).toBe(200);
      await setEmail(person, "leaving@example.com");
      expect(await me()).toBe(401);
    });
  });
});

describe("sign-in by an e-mail that an admin has set", () => {
  async function world() {
    const made = await setUp();
    const admin = await createPerson(made.test, { username: "admin", isAdmin: true, login: false });
    const call = async (method: string, path: string, body: unknown) =>
      made.test.call(method, path, { body, headers: { "x-admin-token": admin.token, "x-digit-link-scheme": "http" } });
    return { ...made, call, [Symbol.asyncDispose]: () => made[Symbol.asyncDispose]() };
  }

  test("finds the account", async () => {
    await using made = await world();
    const created = await made.call("POST", "/admin/accounts", { username: "ada", email: "ADA@example.com" });
    expect(created.status).toBe(201);
    const browser = made.browser();
    expect(await made.signIn(browser, "github", "/overview")).toMatchObject({ location: "/overview" });
    expect((await browser.send("/auth/me")).text).toContain('"username":"ada"');
  });

  describe("security", () => {
    test("who had the old address is out: what was linked by it is no link any more", async () => {
      await using made = await world();
      const created = await made.call("POST", "/admin/accounts", { username: "ada", email: "ada@example.com" });
      const { id } = created.body["account"] as { id: string };
      expect(await made.signIn(made.browser(), "github")).toMatchObject({ location: "/" });
      const changed = await made.call("PUT", `/admin/accounts/${id}/email`, { email: "successor@example.com" });
      expect(changed.status).toBe(200);
      const failed = { location: "/login?error=unknown_account" };
      expect(await made.signIn(made.browser(), "github")).toMatchObject(failed);
    });

    test("a link of another address stays", async () => {
      await using made = await world();
      const created = await made.call("POST", "/admin/accounts", { username: "ada", email: "other@example.com" });
      const { id } = created.body["account"] as { id: string };
      const link = { id: "oal_1", account_id: id, provider: "github", subject: "7", created_at: 0 };
      const { kysely } = made.test.deps.db;
      await kysely
        .insertInto("oauth_links")
        .values({ ...link, email: "ada@example.com" })
        .execute();
      await made.call("PUT", `/admin/accounts/${id}/email`, { email: null });
      expect(await made.signIn(made.browser(), "github")).toMatchObject({ location: "/" });
    });
  });
});
