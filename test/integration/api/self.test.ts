// What people change about themselves, with proof, and what it ends.

import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { codeOf, createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { hashToken } from "../../../src/auth/tokens.ts";
import { codeNow, createOrganization, createPerson, goodPassword, login } from "../../helpers/people.ts";

const newPassword = "another-quiet-river";

describeEngines("self", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let orgId: string;
  let name = "";
  let count = 0;
  beforeAll(async () => {
    database = await open();
    orgId = await createOrganization(createTestApi(database), "Acme");
  });
  afterAll(async () => database[Symbol.asyncDispose]());
  beforeEach(() => {
    api = createTestApi(database);
    name = `self${++count}`;
  });
  const status = async (session: string) => (await api.call("GET", "/auth/me", { session })).status;

  test("a changed password ends all sessions but gives the caller a new one", async () => {
    const { session } = await createPerson(api, { username: name, orgId });
    const elsewhere = await login(api, name);
    const body = { currentPassword: goodPassword, newPassword };
    const answer = await api.call("PUT", "/org/me/password", { session, body });
    expect(answer.status).toBe(200);
    expect([await status(session), await status(elsewhere)]).toEqual([401, 401]);
    expect(await status(answer.cookies["__Host-dl_session"]!)).toBe(200);
    expect(await login(api, name)).toBe("");
    expect(await login(api, name, newPassword)).not.toBe("");
  });

  test("a change that was under way when somebody else set the password, or deactivated the account, is not made", async () => {
    const { kysely } = database.db;
    for (const change of [{ password_hash: "$2b$04$another" }, { active: 0 as const }]) {
      const person = await createPerson(api, { username: `${name}-${++count}`, orgId });
      const verify = Bun.password.verify.bind(Bun.password);
      const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (password, hash, algorithm) => {
        const isRight = await verify(password, hash, algorithm);
        await kysely.updateTable("accounts").set(change).where("id", "=", person.id).execute();
        return isRight;
      });
      const before = await kysely.selectFrom("accounts").select("password_hash").where("id", "=", person.id).execute();
      const body = { currentPassword: goodPassword, newPassword };
      const answer = await api.call("PUT", "/org/me/password", { session: person.session, body });
      judging.mockRestore();
      expect({ change, code: codeOf(answer), cookies: answer.cookies }).toMatchObject({
        code: "bad_credentials",
        cookies: {},
      });
      const [row] = await kysely.selectFrom("accounts").selectAll().where("id", "=", person.id).execute();
      expect(row).toMatchObject({ ...before[0], ...change });
      const sessions = await kysely
        .selectFrom("dashboard_sessions")
        .select("id")
        .where("account_id", "=", person.id)
        .execute();
      expect(sessions).toHaveLength(1);
    }
  });

  test("an admin without password sets one by token, and can then log in", async () => {
    const { token } = await createPerson(api, { username: name, isAdmin: true, password: null, login: false });
    const answer = await api.call("PUT", "/admin/me/password", {
      headers: { "x-admin-token": token },
      body: { newPassword },
    });
    expect(answer.status).toBe(200);
    const first = await api.call("POST", "/auth/login", { body: { username: name, password: newPassword } });
    expect(first.body).toMatchObject({ needsSetup: true });
  });

  test("recovery codes are renewed with a code; the old ones end", async () => {
    const { session } = await createPerson(api, { username: name, orgId, totp: true });
    const renew = () => {
      api.clock.nowMs += 30_000;
      return api.call("POST", "/auth/recovery-codes", { session, body: { code: codeNow(api) } });
    };
    const [old] = (await renew()).body["recoveryCodes"] as string[];
    const [fresh] = (await renew()).body["recoveryCodes"] as string[];
    const { body: me } = await api.call("GET", "/auth/me", { session });
    const { serverUrl, visitorRedirectUri } = api.deps.settings;
    expect(me).toMatchObject({ recoveryCodesLeft: 10, serverUrl, visitorRedirectUri });
    for (const [code, expected] of [
      [old, 401],
      [fresh, 200],
    ] as const) {
      const { pendingToken } = (
        await api.call("POST", "/auth/login", { body: { username: name, password: goodPassword } })
      ).body;
      expect((await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code } })).status).toBe(expected);
    }
  });

  test("removing the authenticator needs password and code, and ends every session", async () => {
    const { session } = await createPerson(api, { username: name, isAdmin: true, totp: true });
    api.clock.nowMs += 30_000;
    const remove = (body: object) => api.call("DELETE", "/admin/me/totp", { session, body });
    expect(codeOf(await remove({ currentPassword: goodPassword, code: "000000" }))).toBe("bad_code");
    expect(codeOf(await remove({ currentPassword: "wrong", code: codeNow(api) }))).toBe("bad_credentials");
    expect((await remove({ currentPassword: goodPassword, code: codeNow(api) })).status).toBe(200);
    expect(await status(session)).toBe(401);
    const first = await api.call("POST", "/auth/login", { body: { username: name, password: goodPassword } });
    expect(first.body).toMatchObject({ needsSetup: true });
  });

  test("a new token ends the tunnels of the old one", async () => {
    const { id, session } = await createPerson(api, { username: name, orgId });
    const answer = await api.call("POST", "/org/me/token", { session, body: { currentPassword: goodPassword } });
    expect(answer.body["token"]).toMatch(/^dlt_/);
    expect(api.closed).toEqual([{ accountId: id, reason: "credential_revoked" }]);
  });

  test("an account without an organization manages its password, token and authenticator, and nothing else", async () => {
    const { id, session: first } = await createPerson(api, { username: name });
    const proof = { currentPassword: newPassword };
    const body = { currentPassword: goodPassword, newPassword };
    const changed = await api.call("PUT", "/org/me/password", { session: first, body });
    expect([changed.status, await status(first)]).toEqual([200, 401]);
    const session = changed.cookies["__Host-dl_session"]!;
    const { token } = (await api.call("POST", "/org/me/token", { session, body: proof })).body;
    const row = () =>
      database.db.kysely.selectFrom("accounts").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
    expect((await row()).token_hash).toEqual(hashToken(token as string));
    expect(api.closed).toEqual([{ accountId: id, reason: "credential_revoked" }]);

    const start = await api.call("POST", "/org/me/totp/start", { session, body: proof });
    const seed = start.body["secret"] as string;
    const done = await api.call("POST", "/org/me/totp/setup", { session, body: { code: codeNow(api, seed) } });
    expect(done.body["recoveryCodes"]).toHaveLength(10);
    const enrolled = done.cookies["__Host-dl_session"]!;
    const boss = await createPerson(api, { username: `${name}-boss`, isAdmin: true, totp: true });
    const listed = await api.call("GET", `/admin/accounts?q=${name}`, { session: boss.session });
    expect((listed.body["accounts"] as { id: string }[]).find((account) => account.id === id)).toMatchObject({
      totpEnabled: true,
      orgId: null,
    });

    for (const path of ["/org/me", "/org/accounts", "/admin/me"])
      expect([path, codeOf(await api.call("GET", path, { session: enrolled }))]).toEqual([path, "forbidden"]);
    api.clock.nowMs += 30_000;
    const removal = { ...proof, code: codeNow(api, seed) };
    expect((await api.call("DELETE", "/org/me/totp", { session: enrolled, body: removal })).status).toBe(200);
    expect((await row()).totp_secret).toBeNull();
  });

  describe("security", () => {
    test("a changed password ends logins that the old one began and that wait for their code", async () => {
      const { session } = await createPerson(api, { username: name, orgId, totp: true });
      api.clock.nowMs += 30_000;
      const begun = await api.call("POST", "/auth/login", { body: { username: name, password: goodPassword } });
      const { pendingToken } = begun.body;
      expect(pendingToken).toBeString();
      const body = { currentPassword: goodPassword, newPassword };
      expect((await api.call("PUT", "/org/me/password", { session, body })).status).toBe(200);
      const late = await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: codeNow(api) } });
      expect(codeOf(late)).toBe("unauthorized");
    });

    test("a new authenticator replaces the old one only after its first code", async () => {
      const { session } = await createPerson(api, { username: name, orgId, totp: true });
      const start = await api.call("POST", "/org/me/totp/start", { session, body: { currentPassword: goodPassword } });
      const seed = start.body["secret"] as string;
      expect(await login(api, name)).not.toBe("");
      const wrong = await api.call("POST", "/org/me/totp/setup", { session, body: { code: "000000" } });
      expect(codeOf(wrong)).toBe("bad_code");
      const done = await api.call("POST", "/org/me/totp/setup", { session, body: { code: codeNow(api, seed) } });
      expect(done.body["recoveryCodes"]).toHaveLength(10);
      expect(await status(session)).toBe(401);
      expect(await status(done.cookies["__Host-dl_session"]!)).toBe(200);
      expect(await login(api, name)).toBe("");
    });

    test("a stolen session cannot change password, authenticator or token", async () => {
      const { session } = await createPerson(api, { username: name, orgId });
      for (const currentPassword of [undefined, "wrong password"]) {
        const proof = currentPassword === undefined ? {} : { currentPassword };
        const expected = currentPassword === undefined ? "validation" : "bad_credentials";
        expect(codeOf(await api.call("PUT", "/org/me/password", { session, body: { ...proof, newPassword } }))).toBe(
          expected,
        );
        expect(codeOf(await api.call("POST", "/org/me/totp/start", { session, body: proof }))).toBe(expected);
        expect(codeOf(await api.call("POST", "/org/me/token", { session, body: proof }))).toBe(expected);
      }
    });

    test("guessing the current password is limited like a login", async () => {
      const { session } = await createPerson(api, { username: name, orgId });
      const guess = (currentPassword: string) =>
        api.call("PUT", "/org/me/password", { session, body: { currentPassword, newPassword } });
      for (let i = 0; i < 10; i++) expect((await guess("wrong password")).status).toBe(401);
      expect((await guess(goodPassword)).status).toBe(429);
    });

    test("an enrolment of a logged-in person is in nobody else's reach", async () => {
      const { id, session } = await createPerson(api, { username: name, orgId });
      await api.call("POST", "/org/me/totp/start", { session, body: { currentPassword: goodPassword } });
      const sessions = (await api.call("GET", "/auth/sessions", { session })).body["sessions"] as { id: string }[];
      const stored = await database.db.kysely
        .selectFrom("pending_logins")
        .selectAll()
        .where("account_id", "=", id)
        .execute();
      for (const guess of [`${id}\n${sessions[0]!.id}`, `self:${id}`, stored[0]!.token_hash]) {
        const body = { pendingToken: guess, code: "000000" };
        expect(codeOf(await api.call("POST", "/auth/totp/setup", { body }))).toBe("unauthorized");
      }
      const colleague = await createPerson(api, { username: `${name}-b`, orgId });
      const answer = await api.call("POST", "/org/me/totp/setup", {
        session: colleague.session,
        body: { code: "000000" },
      });
      expect(answer.status).toBe(404);
    });

    test("weak passwords are refused by name of the rule, never repeated", async () => {
      const { session } = await createPerson(api, { username: name, orgId });
      for (const [weak, status, code] of [
        ["short", 422, "validation"],
        ["Password123!", 422, "validation"],
        ["1234567890", 422, "validation"],
        [`${name}12345`, 422, "validation"],
        ["ü".repeat(40), 422, "validation"],
        // No text of any route may hold it.
        ["with\u0000nul-in-it", 400, "bad_request"],
      ] as const) {
        const answer = await api.call("PUT", "/org/me/password", {
          session,
          body: { currentPassword: goodPassword, newPassword: weak },
        });
        expect({ weak, status: answer.status, code: codeOf(answer) }).toEqual({ weak, status, code });
        expect(JSON.parse(answer.text)).toMatchObject({ error: { field: "newPassword" } });
        expect(answer.text).not.toContain(weak);
      }
    });
  });
});
