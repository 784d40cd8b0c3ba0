// First boot: the wizard, and that only the reader of the log gets through it.

import { describe, expect, spyOn, test } from "bun:test";
import { createSetupCode } from "../../../src/api/setup/service.ts";
import { codeOf, createTestApi, type TestApi, unnamed } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { codeNow, createPerson, goodPassword, login } from "../../helpers/people.ts";

describeEngines("setup", (open) => {
  const begin = async (api: TestApi, code: string, username = "root") => {
    const answer = await api.call("POST", "/setup/init", { body: { code, username, password: goodPassword } });
    return { answer, cookies: answer.cookies, seed: answer.body["secret"] as string };
  };

  test("from nothing to a logged-in admin whose address is allowed", async () => {
    await using database = await open();
    const api = createTestApi(database);
    expect((await api.call("GET", "/setup/status")).body).toEqual({ needsSetup: true });
    const code = (await createSetupCode(api.deps))!;
    const { cookies, seed, answer } = await begin(api, code);
    expect(answer.status).toBe(200);
    expect(answer.body["qrSvg"]).toStartWith("<svg");
    const totp = await api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
    expect(totp.body["recoveryCodes"]).toHaveLength(10);
    const done = await api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: true } });
    expect(done.status).toBe(200);
    expect(done.cookies["__Host-dl_setup"]).toBe("");
    const session = done.cookies["__Host-dl_session"]!;
    expect((await api.call("GET", "/admin/me", { session })).body).toMatchObject({
      account: { username: "root", isAdmin: true },
    });
    const entries = await database.db.kysely.selectFrom("whitelist_entries").selectAll().execute();
    expect(entries.map(({ level, cidr }) => ({ level, cidr }))).toEqual([{ level: "system", cidr: "203.0.113.7" }]);
    expect(api.audited.at(-1)).toMatchObject({ action: "setup.completed", actorName: "root" });

    expect((await api.call("GET", "/setup/status")).body).toEqual({ needsSetup: false });
    expect(await createSetupCode(api.deps)).toBeNull();
    expect(codeOf((await begin(api, code, "second")).answer)).toBe("setup_done");
    // The code that proved the authenticator is used up; the next one logs in.
    for (const [steps, status] of [
      [0, 401],
      [1, 200],
    ] as const) {
      api.clock.nowMs += steps * 30_000;
      const first = await api.call("POST", "/auth/login", { body: { username: "root", password: goodPassword } });
      const body = { pendingToken: first.body["pendingToken"], code: codeNow(api, seed) };
      expect((await api.call("POST", "/auth/totp/verify", { body })).status).toBe(status);
    }
  });

  test("an authenticator that is proven twice at once is proven once, and its recovery codes are those that were shown", async () => {
    await using database = await open();
    const api = createTestApi(database);
    const { cookies, seed } = await begin(api, (await createSetupCode(api.deps))!);
    const prove = () => api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
    const answers = await Promise.all([prove(), prove()]);
    const done = answers.filter(({ status }) => status === 200);
    expect([done.length, answers.map(codeOf).filter(Boolean)]).toEqual([1, ["bad_code"]]);
    await api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: false } });
    const first = await api.call("POST", "/auth/login", { body: { username: "root", password: goodPassword } });
    const code = (done[0]!.body["recoveryCodes"] as string[])[0];
    const body = { pendingToken: first.body["pendingToken"], code };
    expect((await api.call("POST", "/auth/totp/verify", { body })).status).toBe(200);
  });

  test("an authenticator that is proven again while another tab completes: the recovery codes shown last are the ones stored", async () => {
    await using database = await open();
    const api = createTestApi(database);
    const { cookies, seed } = await begin(api, (await createSetupCode(api.deps))!);
    const prove = () => api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
    const complete = () => api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: false } });
    await prove();
    api.clock.nowMs += 30_000;
    let shown: string[] = [];
    const sign = api.deps.sessionTokens.sign;
    const signing = spyOn(api.deps.sessionTokens, "sign").mockImplementationOnce(async (...session) => {
      shown = (await prove()).body["recoveryCodes"] as string[];
      return sign(...session);
    });
    expect(codeOf(await complete())).toBe("conflict");
    signing.mockRestore();
    expect((await complete()).status).toBe(200);
    const first = await api.call("POST", "/auth/login", { body: { username: "root", password: goodPassword } });
    const body = { pendingToken: first.body["pendingToken"], code: shown[0] };
    expect((await api.call("POST", "/auth/totp/verify", { body })).status).toBe(200);
  });

  test("an admin made by ADMIN_TOKEN is completed", async () => {
    await using database = await open();
    const api = createTestApi(database);
    const admin = await createPerson(api, { username: "admin", isAdmin: true, password: null, login: false });
    const { cookies, seed } = await begin(api, (await createSetupCode(api.deps))!, "Admin");
    await api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
    expect((await api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: false } })).status).toBe(
      200,
    );
    const me = await api.call("GET", "/admin/me", { headers: { "x-admin-token": admin.token } });
    expect(me.body).toMatchObject({ account: { id: admin.id, hasPassword: true, totpEnabled: true } });
  });

  describe("security", () => {
    test("whoever has not read the log gets nothing, and is stopped after ten guesses", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const code = (await createSetupCode(api.deps))!;
      for (let i = 0; i < 10; i++) expect(codeOf((await begin(api, `guess-${i}`)).answer)).toBe("bad_code");
      for (let i = 0; i < 20; i++) expect(codeOf((await begin(api, code)).answer)).toBe("rate_limited");
      const refused = { action: "setup.begun", success: false, address: "203.0.113.7" };
      expect(api.audited.slice(-2)).toMatchObject([
        { ...refused, reason: "wrong code" },
        { ...refused, reason: "too many failed attempts" },
      ]);
      const weak = { code, username: "root", password: "password123" };
      const elsewhere = await api.call("POST", "/setup/init", { body: weak, address: "198.51.100.7" });
      expect(codeOf(elsewhere)).toBe("validation");
      const body = { code: "guess", username: "root", password: goodPassword };
      const before = api.audited.length;
      for (let i = 0; i < 12; i++)
        expect(codeOf(await api.call("POST", "/setup/init", { body, headers: unnamed }))).toBe("bad_code");
      expect(api.audited.slice(before)).toMatchObject([{ ...refused, reason: "wrong code" }]);
      expect(JSON.stringify(await database.db.kysely.selectFrom("settings").selectAll().execute())).not.toContain(code);
    });

    test("the steps belong to the browser that began", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const { seed, cookies } = await begin(api, (await createSetupCode(api.deps))!);
      const body = { code: codeNow(api, seed) };
      const before = api.audited.length;
      expect((await api.call("POST", "/setup/totp", { body })).status).toBe(401);
      expect(
        (await api.call("POST", "/setup/totp", { body, cookies: { "__Host-dl_setup": "x".repeat(43) } })).status,
      ).toBe(401);
      expect((await api.call("POST", "/setup/complete", { body: { allowCurrentAddress: false } })).status).toBe(401);
      const refused = { success: false, reason: "not begun here", address: "203.0.113.7", requestId: "req-1" };
      expect(api.audited.slice(before)).toMatchObject([
        { ...refused, action: "setup.totp" },
        { ...refused, action: "setup.completed" },
      ]);
      // Not before the authenticator has proven itself.
      expect(codeOf(await api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: false } }))).toBe(
        "totp_required",
      );
      api.clock.nowMs += 30 * 60_000;
      const late = await api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
      expect(codeOf(late)).toBe("unauthorized");
    });

    test("of two completions at once one wins, and a code of an earlier start is worthless", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const old = (await createSetupCode(api.deps))!;
      const { cookies, seed } = await begin(api, (await createSetupCode(api.deps))!);
      expect(codeOf((await begin(api, old)).answer)).toBe("bad_code");
      await api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
      const complete = () => api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: true } });
      const answers = await Promise.all([complete(), complete(), complete()]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    });

    test("nothing happens when the audit log cannot be written", async () => {
      await using database = await open();
      const api = createTestApi(database, { auditFails: () => true });
      const { cookies, seed } = await begin(api, (await createSetupCode(api.deps))!);
      await api.call("POST", "/setup/totp", { cookies, body: { code: codeNow(api, seed) } });
      const answer = await api.call("POST", "/setup/complete", { cookies, body: { allowCurrentAddress: true } });
      expect(answer.status).toBe(503);
      expect((await api.call("GET", "/setup/status")).body).toEqual({ needsSetup: true });
      expect((await database.db.kysely.selectFrom("accounts").selectAll().execute()).length).toBe(0);
    });

    test("an account of another kind cannot be taken over by its name", async () => {
      await using database = await open();
      const api = createTestApi(database);
      await createPerson(api, { username: "someone", login: false });
      await createPerson(api, { username: "nopass", password: null, login: false });
      const code = (await createSetupCode(api.deps))!;
      for (const name of ["Someone", "nopass"]) expect(codeOf((await begin(api, code, name)).answer)).toBe("conflict");
      expect(await login(api, "someone")).not.toBe("");
    });
  });
});
