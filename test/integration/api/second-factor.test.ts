// Second factors at a login: enrolment, codes, half-done logins, on both engines.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createTestApi, testEncryptionKey, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { codeNow, createOrganization, createPerson, goodPassword, login } from "../../helpers/people.ts";

const codeOf = (answer: { body: Record<string, unknown> }) =>
  (answer.body["error"] as { code?: string } | undefined)?.code;

describeEngines("second factor", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let name = "";
  let count = 0;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(async () => database[Symbol.asyncDispose]());
  beforeEach(() => {
    // A new limiter and clock per test; the database stays, so every test has names of its own.
    api = createTestApi(database);
    name = `person${++count}`;
  });

  const tryLogin = (username: string, password: string, address?: string) =>
    api.call("POST", "/auth/login", { body: { username, password }, ...(address === undefined ? {} : { address }) });

  test("an admin without second factor enrols first, and gets recovery codes that work once", async () => {
    await createPerson(api, { username: name, isAdmin: true, login: false });
    const first = await tryLogin(name, goodPassword);
    expect(first.body).toEqual({ success: true, needsSetup: true, pendingToken: expect.any(String) });
    const pendingToken = first.body["pendingToken"] as string;
    const setup = await api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken } });
    const again = await api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken } });
    expect(again.body).toEqual(setup.body);
    expect(setup.body["qrSvg"]).toStartWith("<svg");
    expect(setup.body["uri"]).toStartWith("otpauth://totp/tunnel.test");
    const code = codeNow(api, setup.body["secret"] as string);
    const done = await api.call("POST", "/auth/totp/setup", { body: { pendingToken, code } });
    expect(done.status).toBe(200);
    const codes = done.body["recoveryCodes"] as string[];
    expect(codes).toHaveLength(10);
    expect((await api.call("GET", "/admin/me", { session: done.cookies["__Host-dl_session"]! })).status).toBe(200);

    for (const expected of [200, 401]) {
      const next = (await tryLogin(name, goodPassword)).body["pendingToken"];
      const answer = await api.call("POST", "/auth/totp/verify", {
        body: { pendingToken: next, code: codes[0]!.toUpperCase() },
      });
      expect(answer.status).toBe(expected);
    }
  });

  test("a rotated encryption key: seeds move to the new one when they are used", async () => {
    await createPerson(api, { username: name, isAdmin: true, totp: true, login: false });
    const newKey = "a newer encryption key of 32 bytes and more";
    const rotated = createTestApi(database, { encryptionKeys: [newKey, testEncryptionKey] });
    expect(await login(rotated, name)).not.toBe("");
    const without = createTestApi(database, { encryptionKeys: [newKey] });
    without.clock.nowMs = rotated.clock.nowMs;
    expect(await login(without, name)).not.toBe("");
  });

  describe("security", () => {
    test("one of twenty parallel uses of a code wins", async () => {
      await createPerson(api, { username: name, isAdmin: true, totp: true, login: false });
      const pending = await Promise.all(
        Array.from({ length: 4 }, async () => (await tryLogin(name, goodPassword)).body["pendingToken"]),
      );
      const code = codeNow(api);
      const uses = Array.from({ length: 20 }, (_, i) =>
        api.call("POST", "/auth/totp/verify", { body: { pendingToken: pending[i % 4], code } }),
      );
      const answers = await Promise.all(uses);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    });

    test("a used code is refused, also in another login", async () => {
      await createPerson(api, { username: name, isAdmin: true, totp: true, login: false });
      const code = codeNow(api);
      for (const expected of [200, 401]) {
        const { pendingToken } = (await tryLogin(name, goodPassword)).body;
        expect((await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code } })).status).toBe(expected);
      }
    });

    test("five wrong codes block the account's second factor across logins and addresses", async () => {
      await createPerson(api, { username: name, isAdmin: true, totp: true, login: false });
      for (let i = 0; i < 5; i++) {
        const { pendingToken } = (await tryLogin(name, goodPassword)).body;
        const body = { pendingToken, code: "000000" };
        const answer = await api.call("POST", "/auth/totp/verify", { body, address: `198.51.100.${i}` });
        expect(codeOf(answer)).toBe("bad_code");
      }
      const { pendingToken } = (await tryLogin(name, goodPassword)).body;
      const answer = await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: codeNow(api) } });
      expect(answer.status).toBe(429);
    });

    test("a half-done login is good for nothing but its step, once, for five minutes", async () => {
      await createPerson(api, { username: name, isAdmin: true, totp: true, login: false });
      const first = (await tryLogin(name, goodPassword)).body["pendingToken"] as string;
      for (const [method, path] of [
        ["GET", "/auth/me"],
        ["GET", "/admin/me"],
        ["GET", "/admin/accounts"],
      ] as const) {
        expect((await api.call(method, path, { session: first })).status).toBe(401);
        expect((await api.call(method, path, { headers: { authorization: `Bearer ${first}` } })).status).toBe(401);
      }
      // It cannot enrol an account that has a second factor.
      expect((await api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": first } })).status).toBe(401);
      const enrol = await api.call("POST", "/auth/totp/setup", { body: { pendingToken: first, code: codeNow(api) } });
      expect(enrol.status).toBe(401);

      const verify = () => api.call("POST", "/auth/totp/verify", { body: { pendingToken: first, code: codeNow(api) } });
      expect((await verify()).status).toBe(200);
      api.clock.nowMs += 30_000;
      expect((await verify()).status).toBe(401);

      const late = (await tryLogin(name, goodPassword)).body["pendingToken"];
      api.clock.nowMs += 5 * 60_000;
      const answer = await api.call("POST", "/auth/totp/verify", { body: { pendingToken: late, code: codeNow(api) } });
      expect(answer.status).toBe(401);
    });

    test("a login that has to enrol cannot pass as one that has a code", async () => {
      await createPerson(api, { username: name, isAdmin: true, login: false });
      const { pendingToken } = (await tryLogin(name, goodPassword)).body;
      const answer = await api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: codeNow(api) } });
      expect(codeOf(answer)).toBe("unauthorized");
    });

    test("two enrolments in progress: the second cannot replace the first", async () => {
      await createPerson(api, { username: name, isAdmin: true, login: false });
      const tokens = [await tryLogin(name, goodPassword), await tryLogin(name, goodPassword)].map(
        ({ body }) => body["pendingToken"] as string,
      );
      const seeds = await Promise.all(
        tokens.map(
          async (token) =>
            (await api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": token } })).body[
              "secret"
            ] as string,
        ),
      );
      const finish = (i: number) =>
        api.call("POST", "/auth/totp/setup", { body: { pendingToken: tokens[i], code: codeNow(api, seeds[i]!) } });
      expect((await finish(0)).status).toBe(200);
      expect((await finish(1)).status).toBe(401);
    });

    /** Before the second factor nothing of the own account changes. */
    const expectOnlyEnrolling = async (group: string, session: string) => {
      const password = { currentPassword: goodPassword, newPassword: `${goodPassword}-2` };
      const asked = [
        await api.call("PUT", `${group}/password`, { session, body: password }),
        await api.call("DELETE", `${group}/totp`, { session, body: { currentPassword: goodPassword, code: "000000" } }),
      ];
      expect(asked.map(codeOf)).toEqual(["totp_required", "totp_required"]);
    };

    test("a session of an admin whose second factor is gone can do nothing but enrol", async () => {
      const { session } = await createPerson(api, { username: name, isAdmin: true, totp: true });
      const gone = { totp_secret: null };
      await api.deps.db.kysely.updateTable("accounts").set(gone).where("username", "=", name).execute();
      expect(codeOf(await api.call("GET", "/admin/me", { session }))).toBe("totp_required");
      await expectOnlyEnrolling("/admin/me", session);
      const body = { currentPassword: goodPassword };
      expect((await api.call("POST", "/admin/me/totp/start", { session, body })).status).toBe(200);
    });

    test("an organization that requires a second factor lets its members do nothing before", async () => {
      const orgId = await createOrganization(api, `Org ${name}`);
      const { session } = await createPerson(api, { username: name, orgId, isOrgAdmin: true });
      await api.deps.db.kysely.updateTable("organizations").set({ require_totp: 1 }).where("id", "=", orgId).execute();
      expect(codeOf(await api.call("GET", "/org/me", { session }))).toBe("totp_required");
      expect(codeOf(await api.call("GET", "/org/accounts", { session }))).toBe("totp_required");
      await expectOnlyEnrolling("/org/me", session);
      const start = await api.call("POST", "/org/me/totp/start", { session, body: { currentPassword: goodPassword } });
      const code = codeNow(api, start.body["secret"] as string);
      const done = await api.call("POST", "/org/me/totp/setup", { session, body: { code } });
      expect(done.status).toBe(200);
      expect((await api.call("GET", "/org/accounts", { session })).status).toBe(401);
      expect((await api.call("GET", "/org/accounts", { session: done.cookies["__Host-dl_session"]! })).status).toBe(
        200,
      );
    });
  });
});
