// How many wrong codes an account takes, from whom and from where, on both engines.

import { describe, expect, spyOn, test } from "bun:test";
import { AppError } from "../../../src/lib/errors.ts";
import { codeOf, createTestApi } from "../../helpers/api.ts";
import { describeLogins } from "../../helpers/describe-logins.ts";
import { codeNow, createPerson, goodPassword } from "../../helpers/people.ts";

describeLogins("limits of codes", (at) => {
  describe("security", () => {
    test("five wrong codes block the account's second factor across logins and addresses", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      for (let i = 0; i < 5; i++) {
        const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
        const body = { pendingToken, code: "000000" };
        const answer = await at.api.call("POST", "/auth/totp/verify", { body, address: `198.51.100.${i}` });
        expect(codeOf(answer)).toBe("bad_code");
      }
      const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
      const verify = () => at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: codeNow(at.api) } });
      for (let i = 0; i < 10; i++) expect((await verify()).status).toBe(429);
      const codes = at.api.audited.filter(({ action, success }) => action === "login.totp" && success === false);
      expect(codes.map(({ reason }) => reason)).toEqual([...Array(5).fill("wrong code"), "too many wrong codes"]);
    });

    /** Logs in with a password and then tries a code, from one address. */
    const tryCode = async (username: string, code: string, address: string) => {
      const { pendingToken } = (await at.tryLogin(username, goodPassword, address)).body;
      return await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code }, address });
    };
    const wrong = "000000";

    test("strangers who know the password don't lock the owner out", async () => {
      const home = "203.0.113.7";
      const { session } = await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
      for (let i = 0; i < 5; i++) expect((await tryCode(at.name, wrong, `198.51.100.${i}`)).status).toBe(401);
      const refused = await tryCode(at.name, wrong, "198.51.100.77");
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("900");
      expect(refused.body["error"]).toMatchObject({ field: "code", message: expect.stringContaining("recovery code") });

      // At home, in a session, and with a recovery code from anywhere the owner goes on.
      at.api.clock.nowMs += 30_000;
      const made = await at.api.call("POST", "/auth/recovery-codes", {
        session,
        body: { code: codeNow(at.api) },
        address: "192.0.2.8",
      });
      const [recoveryCode] = made.body["recoveryCodes"] as string[];
      at.api.clock.nowMs += 30_000;
      expect((await tryCode(at.name, codeNow(at.api), home)).status).toBe(200);
      at.api.clock.nowMs += 30_000;
      expect((await tryCode(at.name, codeNow(at.api), "192.0.2.9")).status).toBe(429);
      expect((await tryCode(at.name, recoveryCode!, "192.0.2.9")).status).toBe(200);
      expect((await tryCode(at.name, codeNow(at.api), "192.0.2.9")).status).toBe(200);
      expect((await tryCode(at.name, wrong, "198.51.100.78")).status).toBe(429);
    });

    test("a place of the owner's has an allowance of its own, as small as the strangers'", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
      for (let i = 0; i < 5; i++) expect((await tryCode(at.name, wrong, "203.0.113.7")).status).toBe(401);
      at.api.clock.nowMs += 30_000;
      expect((await tryCode(at.name, codeNow(at.api), "203.0.113.7")).status).toBe(429);
      expect((await tryCode(at.name, codeNow(at.api), "192.0.2.1")).status).toBe(200);
      // Whoever lives at the same place has another.
      const neighbour = `${at.name}-neighbour`;
      await createPerson(at.api, { username: neighbour, totp: true });
      at.api.clock.nowMs += 30_000;
      expect((await tryCode(neighbour, codeNow(at.api), "203.0.113.7")).status).toBe(200);
      // An address, of IPv6 its network, is known for a month after its last login.
      expect((await tryCode(neighbour, codeNow(at.api, undefined, 1), "2001:db8:0:1::1")).status).toBe(200);
      at.api.clock.nowMs += 29 * 24 * 3_600_000;
      for (let i = 0; i < 5; i++) expect((await tryCode(neighbour, wrong, `198.51.100.${i}`)).status).toBe(401);
      expect((await tryCode(neighbour, codeNow(at.api), "2001:db8:0:1::2")).status).toBe(200);
      expect((await tryCode(neighbour, codeNow(at.api, undefined, 1), "2001:db8:0:2::1")).status).toBe(429);
      at.api.clock.nowMs += 2 * 24 * 3_600_000;
      for (let i = 0; i < 5; i++) expect((await tryCode(at.name, wrong, `198.51.100.${i}`)).status).toBe(401);
      expect((await tryCode(at.name, codeNow(at.api), "203.0.113.7")).status).toBe(429);
    });

    test("all strangers together get five guesses at once and twenty a day, from however many addresses", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      let tried = 0;
      const burst = async (size: number) => {
        const { pendingToken } = (await at.tryLogin(at.name, goodPassword, "192.0.2.1")).body;
        const guesses = Array.from({ length: size }, (_, i) =>
          at.api.call("POST", "/auth/totp/verify", {
            body: { pendingToken, code: wrong },
            address: `198.51.${tried}.${i}`,
          }),
        );
        const answers = (await Promise.all(guesses)).map(({ status }) => status);
        tried += answers.filter((status) => status === 401).length;
        return answers.filter((status) => status === 429).length;
      };
      expect(await burst(40)).toBe(35);
      for (let i = 0; i < 6; i++) {
        at.api.clock.nowMs += 15 * 60_000 + 1;
        await burst(6);
      }
      expect(tried).toBe(20);
      at.api.clock.nowMs += 23 * 3_600_000;
      expect([await burst(6), tried]).toEqual([6, 20]);
      at.api.clock.nowMs += 3_600_000;
      expect([await burst(6), tried]).toEqual([1, 25]);
    });

    test("wrong codes of any kind count on their address as well, whosever they are and known there or not", async () => {
      const home = "203.0.113.7";
      await createPerson(at.api, { username: at.name, totp: true, login: false });
      const { pendingToken } = (await at.tryLogin(at.name, goodPassword, home)).body;
      for (let i = 0; i < 5; i++) {
        await createPerson(at.api, { username: `${at.name}-${i}`, totp: true, login: i < 2 });
        for (const code of [wrong, "aaaa-bbbb-cccc-dddd"])
          expect((await tryCode(`${at.name}-${i}`, code, home)).status).toBe(401);
      }
      expect((await at.tryLogin(`${at.name}-0`, goodPassword, home)).status).toBe(429);
      const body = { pendingToken, code: codeNow(at.api) };
      const refused = await at.api.call("POST", "/auth/totp/verify", { body, address: home });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1800"]);
      // No code helps here, nor does a recovery code.
      expect(refused.body["error"]).not.toHaveProperty("field");
    });

    test("whoever has a session guesses no more codes than five", async () => {
      const { session: own } = await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
      const other = await createPerson(at.api, { username: `${at.name}-2`, isAdmin: true, totp: true });
      const send = (code: string, i: number, session = own) =>
        at.api.call("POST", "/auth/recovery-codes", { session, body: { code }, address: `198.51.100.${i}` });
      for (let i = 0; i < 5; i++) expect((await send(wrong, i)).status).toBe(401);
      at.api.clock.nowMs += 30_000;
      const refused = await send(codeNow(at.api), 5);
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "870"]);
      expect(refused.body["error"]).not.toHaveProperty("field");
      expect((await send(codeNow(at.api), 5, other.session)).status).toBe(200);
    });

    test("who mistypes and gets in begins anew, at a known place and with recovery codes too", async () => {
      const home = "203.0.113.7";
      const { session } = await createPerson(at.api, { username: at.name, totp: true });
      at.api.clock.nowMs += 30_000;
      const made = await at.api.call("POST", "/auth/recovery-codes", { session, body: { code: codeNow(at.api) } });
      for (const recoveryCode of made.body["recoveryCodes"] as string[]) {
        at.api.clock.nowMs += 30_000;
        for (const [code, status] of [
          [wrong, 401],
          [codeNow(at.api), 200],
          ["aaaa-bbbb-cccc-dddd", 401],
          [recoveryCode, 200],
        ] as const)
          expect({ code, status: (await tryCode(at.name, code, home)).status }).toEqual({ code, status });
      }
    });

    test("places where the account was before its authenticator are strangers' places", async () => {
      const { id } = await createPerson(at.api, { username: at.name, totp: true, login: false });
      const places = Array.from({ length: 6 }, (_, i) => `198.51.100.${i}`);
      for (const place of places) {
        at.api.clock.nowMs += 30_000;
        expect((await tryCode(at.name, codeNow(at.api), place)).status).toBe(200);
      }
      at.api.clock.nowMs += 61_000;
      const enrolled = { totp_enrolled_at: at.api.clock.nowMs };
      await at.database.db.kysely.updateTable("accounts").set(enrolled).where("id", "=", id).execute();
      const answers: number[] = [];
      for (const place of places) answers.push((await tryCode(at.name, wrong, place)).status);
      expect(answers).toEqual([401, 401, 401, 401, 401, 429]);
    });

    test.each([15, 60])(
      "who mistypes and gets in leaves nothing behind at a shared address, in %d min",
      async (minutes) => {
        const limit = { windowMs: minutes * 60_000, blockMs: 15 * 60_000 };
        const settings = { loginLimit: { maxAttempts: 10, ...limit }, totpLimit: { maxAttempts: 5, ...limit } };
        at.api = createTestApi(at.database, { settings });
        for (let i = 0; i < 12; i++) {
          await createPerson(at.api, { username: `${at.name}-${i}`, totp: true, login: false });
          expect((await tryCode(`${at.name}-${i}`, wrong, "192.0.2.4")).status).toBe(401);
          expect((await tryCode(`${at.name}-${i}`, codeNow(at.api), "192.0.2.4")).status).toBe(200);
        }
      },
    );

    test("codes that nobody judged leave nothing behind: the next one waits for none of them", async () => {
      const { session } = await createPerson(at.api, { username: at.name, totp: true });
      at.api.clock.nowMs += 30_000;
      const send = () => at.api.call("POST", "/auth/recovery-codes", { session, body: { code: codeNow(at.api) } });
      const storing = spyOn(at.api.deps.audit, "within").mockRejectedValue(new AppError("audit_unavailable"));
      for (let i = 0; i < 5; i++) expect((await send()).status).toBe(503);
      storing.mockRestore();
      expect((await send()).status).toBe(200);
    });

    test("the code that enrolled an authenticator is used up, and five wrong ones end the enrolment for a while", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, login: false });
      const pendingToken = (await at.tryLogin(at.name, goodPassword)).body["pendingToken"] as string;
      const setup = await at.api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken } });
      const code = codeNow(at.api, setup.body["secret"] as string);
      const enrol = async (given: string) =>
        (await at.api.call("POST", "/auth/totp/setup", { body: { pendingToken, code: given } })).status;
      for (let i = 0; i < 4; i++) expect(await enrol(wrong)).toBe(401);
      expect(await enrol(code)).toBe(200);
      expect((await tryCode(at.name, code, "203.0.113.7")).status).toBe(401);

      await createPerson(at.api, { username: `${at.name}-2`, isAdmin: true, login: false });
      const next = (await at.tryLogin(`${at.name}-2`, goodPassword)).body["pendingToken"];
      const answers: number[] = [];
      for (let i = 0; i < 6; i++)
        answers.push(
          (await at.api.call("POST", "/auth/totp/setup", { body: { pendingToken: next, code: wrong } })).status,
        );
      expect(answers).toEqual([401, 401, 401, 401, 401, 429]);

      // Neither somebody else at the same place nor codes of what is enrolled already are concerned.
      await createPerson(at.api, { username: `${at.name}-3`, isAdmin: true, login: false });
      const third = (await at.tryLogin(`${at.name}-3`, goodPassword)).body["pendingToken"] as string;
      const header = { headers: { "x-pending-token": third } };
      const seed = (await at.api.call("GET", "/auth/totp/setup", header)).body["secret"] as string;
      const body = { pendingToken: third, code: codeNow(at.api, seed) };
      const done = await at.api.call("POST", "/auth/totp/setup", { body });
      expect(done.status).toBe(200);
      const session = done.cookies["__Host-dl_session"]!;
      const proof = { currentPassword: goodPassword };
      expect((await at.api.call("POST", "/admin/me/totp/start", { session, body: proof })).status).toBe(200);
      const renew = () => at.api.call("POST", "/admin/me/totp/setup", { session, body: { code: wrong } });
      for (let i = 0; i < 5; i++) expect((await renew()).status).toBe(401);
      expect((await renew()).status).toBe(429);
      expect((await tryCode(`${at.name}-3`, codeNow(at.api, seed, 1), "203.0.113.7")).status).toBe(200);
    });
  });
});
