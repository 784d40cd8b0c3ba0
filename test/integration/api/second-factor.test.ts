// Second factors at a login: enrolment, codes, half-done logins, on both engines.

import { describe, expect, spyOn, test } from "bun:test";
import { prune } from "../../../src/api/housekeeping.ts";
import { deletePendingLogins } from "../../../src/db/second-factors.ts";
import { codeOf } from "../../helpers/api.ts";
import { describeLogins } from "../../helpers/describe-logins.ts";
import { codeNow, createOrganization, createPerson, goodPassword } from "../../helpers/people.ts";

describeLogins("second factor", (at) => {
  test("an admin without second factor enrols first, and gets recovery codes that work once", async () => {
    const { id } = await createPerson(at.api, { username: at.name, isAdmin: true, login: false });
    const first = await at.tryLogin(at.name, goodPassword);
    expect(first.body).toEqual({ success: true, needsSetup: true, pendingToken: expect.any(String) });
    const pendingToken = first.body["pendingToken"] as string;
    const setup = await at.api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken } });
    const again = await at.api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken } });
    expect(again.body).toEqual(setup.body);
    expect(setup.body["qrSvg"]).toStartWith("<svg");
    expect(setup.body["uri"]).toStartWith("otpauth://totp/tunnel.test");
    at.api.clock.nowMs += 1_000;
    // As apps show it.
    const code = codeNow(at.api, setup.body["secret"] as string).replace(/(?=...$)/, " ");
    const done = await at.api.call("POST", "/auth/totp/setup", { body: { pendingToken, code } });
    expect(done.status).toBe(200);
    const { nowMs } = at.api.clock;
    const stored = at.database.db.kysely.selectFrom("accounts").select(["last_used_at", "totp_enrolled_at"]);
    expect(await stored.where("id", "=", id).execute()).toEqual([{ last_used_at: nowMs, totp_enrolled_at: nowMs }]);
    const codes = done.body["recoveryCodes"] as string[];
    expect(codes).toHaveLength(10);
    const session = done.cookies["__Host-dl_session"]!;
    expect((await at.api.call("GET", "/admin/me", { session })).status).toBe(200);

    for (const expected of [200, 401]) {
      const next = (await at.tryLogin(at.name, goodPassword)).body["pendingToken"];
      const answer = await at.api.call("POST", "/auth/totp/verify", {
        body: { pendingToken: next, code: codes[0]!.toUpperCase() },
      });
      expect(answer.status).toBe(expected);
    }
    expect((await at.api.call("GET", "/auth/me", { session })).body).toMatchObject({ recoveryCodesLeft: 9 });
  });

  test("the codes of a new authenticator are not those that were used of the old one", async () => {
    const { session } = await createPerson(at.api, { username: at.name, totp: true });
    const verify = async (seed?: string) => {
      const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
      const code = codeNow(at.api, seed, 1).replace(/(?=...$)/, " ");
      return (await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code } })).status;
    };
    expect(await verify()).toBe(200);
    const proof = { currentPassword: goodPassword };
    const started = await at.api.call("POST", "/org/me/totp/start", { session, body: proof });
    const seed = started.body["secret"] as string;
    const body = { code: codeNow(at.api, seed) };
    expect((await at.api.call("POST", "/org/me/totp/setup", { session, body })).status).toBe(200);
    expect(await verify(seed)).toBe(200);
  });

  describe("security", () => {
    test("one of twenty parallel uses of a code wins", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      const pending = await Promise.all(
        Array.from({ length: 4 }, async () => (await at.tryLogin(at.name, goodPassword)).body["pendingToken"]),
      );
      const code = codeNow(at.api);
      const uses = Array.from({ length: 20 }, (_, i) =>
        at.api.call("POST", "/auth/totp/verify", { body: { pendingToken: pending[i % 4], code } }),
      );
      const answers = await Promise.all(uses);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    });

    test("a step without a half-done login behind it is in the log, once a minute", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      const dead = (await at.tryLogin(at.name, goodPassword)).body["pendingToken"] as string;
      at.api.clock.nowMs += 6 * 60_000;
      const before = at.api.audited.length;
      for (const pendingToken of [dead, "made-up".repeat(7)]) {
        const body = { pendingToken, code: codeNow(at.api) };
        const header = { headers: { "x-pending-token": pendingToken } };
        expect((await at.api.call("POST", "/auth/totp/verify", { body })).status).toBe(401);
        expect((await at.api.call("POST", "/auth/totp/setup", { body })).status).toBe(401);
        expect((await at.api.call("GET", "/auth/totp/setup", header)).status).toBe(401);
      }
      const elsewhere = { body: { pendingToken: dead, code: codeNow(at.api) }, address: "198.51.100.9" };
      expect((await at.api.call("POST", "/auth/totp/verify", elsewhere)).status).toBe(401);
      const refused = { action: "login.totp", success: false, reason: "no such half-done login" };
      expect(at.api.audited.slice(before)).toMatchObject([
        { ...refused, address: "203.0.113.7", requestId: "req-1" },
        { ...refused, address: "198.51.100.9" },
      ]);
    });

    test("a used code is refused, also in another login", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      const code = codeNow(at.api);
      for (const expected of [200, 401]) {
        const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
        expect((await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code } })).status).toBe(
          expected,
        );
        // The clean-up may come between the two.
        at.api.clock.nowMs += 1_000;
        await prune(at.api.deps);
      }
    });

    test("a used code stays used when the clock is set back, and so are those before it", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      const began = at.api.clock.nowMs;
      const [earlier, code] = [codeNow(at.api), codeNow(at.api, undefined, 1)];
      const statuses: number[] = [];
      for (const [ms, shown] of [
        [0, code],
        [3_600_000, codeNow(at.api, undefined, 120)],
        [0, code],
        [0, earlier],
        [3_600_000, codeNow(at.api, undefined, 121)],
      ] as const) {
        at.api.clock.nowMs = began + ms;
        const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
        const body = { pendingToken, code: shown };
        statuses.push((await at.api.call("POST", "/auth/totp/verify", { body })).status);
        await prune(at.api.deps);
      }
      expect(statuses).toEqual([200, 200, 401, 401, 200]);
    });

    test("a login that is ended while its code is judged opens nothing", async () => {
      const { kysely } = at.database.db;
      for (const totp of [true, false]) {
        const username = `${at.name}-${String(totp)}`;
        const { id } = await createPerson(at.api, { username, isAdmin: true, totp, login: false });
        const { pendingToken } = (await at.tryLogin(username, goodPassword)).body as { pendingToken: string };
        const header = { headers: { "x-pending-token": pendingToken } };
        const seed = totp ? undefined : (await at.api.call("GET", "/auth/totp/setup", header)).body["secret"];
        const begin = at.api.deps.limiter.begin.bind(at.api.deps.limiter);
        const judging = spyOn(at.api.deps.limiter, "begin").mockImplementationOnce(async (keys) => {
          await deletePendingLogins(kysely, id);
          return await begin(keys);
        });
        const body = { pendingToken, code: codeNow(at.api, seed as string | undefined) };
        const answer = await at.api.call("POST", totp ? "/auth/totp/verify" : "/auth/totp/setup", { body });
        judging.mockRestore();
        expect({ totp, code: codeOf(answer) }).toEqual({ totp, code: "unauthorized" });
        const of = kysely.selectFrom("dashboard_sessions").select("id").where("account_id", "=", id);
        expect(await of.execute()).toEqual([]);
      }
    });

    /** Logs in with a password and then tries a code, from one address. */
    const tryCode = async (username: string, code: string, address: string) => {
      const { pendingToken } = (await at.tryLogin(username, goodPassword, address)).body;
      return await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code }, address });
    };

    test("a half-done login is good for nothing but its step, once, for five minutes", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true, login: false });
      const first = (await at.tryLogin(at.name, goodPassword)).body["pendingToken"] as string;
      for (const [method, path] of [
        ["GET", "/auth/me"],
        ["GET", "/admin/me"],
        ["GET", "/admin/accounts"],
      ] as const) {
        expect((await at.api.call(method, path, { session: first })).status).toBe(401);
        expect((await at.api.call(method, path, { headers: { authorization: `Bearer ${first}` } })).status).toBe(401);
      }
      // It cannot enrol an account that has a second factor.
      expect((await at.api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": first } })).status).toBe(
        401,
      );
      const enrol = await at.api.call("POST", "/auth/totp/setup", {
        body: { pendingToken: first, code: codeNow(at.api) },
      });
      expect(enrol.status).toBe(401);

      const verify = () =>
        at.api.call("POST", "/auth/totp/verify", { body: { pendingToken: first, code: codeNow(at.api) } });
      expect((await verify()).status).toBe(200);
      at.api.clock.nowMs += 30_000;
      expect((await verify()).status).toBe(401);

      const late = (await at.tryLogin(at.name, goodPassword)).body["pendingToken"];
      const codes: (string | undefined)[] = [];
      for (const [ms, code] of [
        [5 * 60_000 - 1, "000000"],
        [1, codeNow(at.api, undefined, 10)],
      ] as const) {
        at.api.clock.nowMs += ms;
        codes.push(codeOf(await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken: late, code } })));
      }
      expect(codes).toEqual(["bad_code", "unauthorized"]);
    });

    test("a half-done login of an account that was deactivated opens nothing", async () => {
      const { id } = await createPerson(at.api, { username: at.name, totp: true, login: false });
      const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
      await at.database.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", id).execute();
      const body = { pendingToken, code: codeNow(at.api) };
      expect(codeOf(await at.api.call("POST", "/auth/totp/verify", { body }))).toBe("unauthorized");
    });

    test("an account without a second factor has no codes, and none that are wrong", async () => {
      const { session } = await createPerson(at.api, { username: at.name });
      for (let i = 0; i < 6; i++) {
        const answer = await at.api.call("POST", "/auth/recovery-codes", { session, body: { code: "000000" } });
        expect(codeOf(answer)).toBe("totp_required");
      }
    });

    test("a login that has to enrol cannot pass as one that has a code", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, login: false });
      const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
      const answer = await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code: codeNow(at.api) } });
      expect(codeOf(answer)).toBe("unauthorized");
    });

    test("two enrolments in progress: the second cannot replace the first", async () => {
      const { id } = await createPerson(at.api, { username: at.name, isAdmin: true, login: false });
      const tokens = [await at.tryLogin(at.name, goodPassword), await at.tryLogin(at.name, goodPassword)].map(
        ({ body }) => body["pendingToken"] as string,
      );
      const seeds = await Promise.all(
        tokens.map(
          async (token) =>
            (await at.api.call("GET", "/auth/totp/setup", { headers: { "x-pending-token": token } })).body[
              "secret"
            ] as string,
        ),
      );
      const finish = (i: number) =>
        at.api.call("POST", "/auth/totp/setup", {
          body: { pendingToken: tokens[i], code: codeNow(at.api, seeds[i]!) },
        });
      const { kysely } = at.database.db;
      const pending = () => kysely.selectFrom("pending_logins").selectAll().where("account_id", "=", id).execute();
      const waiting = await pending();
      expect((await finish(0)).status).toBe(200);
      expect((await finish(1)).status).toBe(401);
      expect(await pending()).toEqual([]);
      // One that was overlooked is good for nothing either: the account has a second factor by now.
      await kysely.insertInto("pending_logins").values(waiting).execute();
      const header = { headers: { "x-pending-token": tokens[1]! } };
      expect((await at.api.call("GET", "/auth/totp/setup", header)).status).toBe(401);
      expect((await finish(1)).status).toBe(401);
      expect((await tryCode(at.name, codeNow(at.api, seeds[1]!), "198.51.100.7")).status).toBe(401);
    });

    /** Before the second factor nothing of the own account changes. */
    const expectOnlyEnrolling = async (group: string, session: string) => {
      const password = { currentPassword: goodPassword, newPassword: `${goodPassword}-2` };
      const asked = [
        await at.api.call("PUT", `${group}/password`, { session, body: password }),
        await at.api.call("DELETE", `${group}/totp`, {
          session,
          body: { currentPassword: goodPassword, code: "000000" },
        }),
      ];
      expect(asked.map(codeOf)).toEqual(["totp_required", "totp_required"]);
    };

    test("a session of an admin whose second factor is gone can do nothing but enrol", async () => {
      const { session } = await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
      const gone = { totp_secret: null };
      await at.api.deps.db.kysely.updateTable("accounts").set(gone).where("username", "=", at.name).execute();
      expect(codeOf(await at.api.call("GET", "/admin/me", { session }))).toBe("totp_required");
      expect((await at.api.call("GET", "/auth/me", { session })).body).toMatchObject({ mustEnrolTotp: true });
      await expectOnlyEnrolling("/admin/me", session);
      const body = { currentPassword: goodPassword };
      expect((await at.api.call("POST", "/admin/me/totp/start", { session, body })).status).toBe(200);
    });

    test("an organization that requires a second factor lets its members do nothing before", async () => {
      const orgId = await createOrganization(at.api, `Org ${at.name}`);
      const { session } = await createPerson(at.api, { username: at.name, orgId, isOrgAdmin: true });
      await at.api.deps.db.kysely
        .updateTable("organizations")
        .set({ require_totp: 1 })
        .where("id", "=", orgId)
        .execute();
      expect((await at.tryLogin(at.name, goodPassword)).body).toMatchObject({ needsSetup: true });
      expect(codeOf(await at.api.call("GET", "/org/me", { session }))).toBe("totp_required");
      expect(codeOf(await at.api.call("GET", "/org/accounts", { session }))).toBe("totp_required");
      await expectOnlyEnrolling("/org/me", session);
      const start = await at.api.call("POST", "/org/me/totp/start", {
        session,
        body: { currentPassword: goodPassword },
      });
      const code = codeNow(at.api, start.body["secret"] as string);
      const done = await at.api.call("POST", "/org/me/totp/setup", { session, body: { code } });
      expect(done.status).toBe(200);
      expect((await at.api.call("GET", "/org/accounts", { session })).status).toBe(401);
      expect((await at.api.call("GET", "/org/accounts", { session: done.cookies["__Host-dl_session"]! })).status).toBe(
        200,
      );
    });
  });
});
