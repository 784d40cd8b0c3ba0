// Logging in: passwords and sessions, on both engines.

import { describe, expect, spyOn, test } from "bun:test";
import { failuresKeptMs } from "../../../src/api/settings.ts";
import { createLimiterStore } from "../../../src/db/limiter.ts";
import { prune } from "../../../src/api/housekeeping.ts";
import { describeLogins } from "../../helpers/describe-logins.ts";
import { createOrganization, createPerson, goodPassword, login } from "../../helpers/people.ts";

describeLogins("login", (at) => {
  test("a member without second factor gets a session at once", async () => {
    const orgId = await createOrganization(at.api, `Org ${at.name}`);
    const { id } = await createPerson(at.api, { username: at.name, orgId, login: false });
    at.api.clock.nowMs += 1_000;
    await at.tryLogin(at.name, "wrong password");
    const answer = await at.tryLogin(at.name, goodPassword);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success: true });
    const from = { address: "203.0.113.7", requestId: "req-1", authType: "password", identity: at.name, orgId };
    const wrong = { ...from, action: "login.password", success: false, reason: "wrong username or password" };
    const right = { ...from, action: "login.password", success: true, reason: null, actorId: id, actorName: at.name };
    expect(at.api.audited).toEqual([wrong, right]);
    const used = at.database.db.kysely.selectFrom("accounts").select("last_used_at").where("id", "=", id);
    expect(await used.execute()).toEqual([{ last_used_at: at.api.clock.nowMs }]);
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^__Host-dl_session=[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/);
    const me = await at.api.call("GET", "/auth/me", { session: answer.cookies["__Host-dl_session"]! });
    expect(me.body).toMatchObject({
      account: { username: at.name, orgId },
      organization: { id: orgId },
      mustEnrolTotp: false,
    });
    expect(me.text).not.toContain("$2b$");
  });

  test("a name is found in any spelling", async () => {
    await createPerson(at.api, { username: `Ｍａｒｙ.${at.name}`, login: false });
    expect((await at.tryLogin(`MARY.${at.name.toUpperCase()}`, goodPassword)).status).toBe(200);
  });

  test("an admin logs in with password and code", async () => {
    const { session } = await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
    const me = await at.api.call("GET", "/admin/me", { session });
    const lastUsed = new Date(at.api.clock.nowMs).toISOString();
    expect(me.body).toMatchObject({ account: { username: at.name, isAdmin: true, totpEnabled: true, lastUsed } });
  });

  test("a session is not seen in the future for long: its clock was ahead, and was put back", async () => {
    const { session } = await createPerson(at.api, { username: at.name });
    const seen = async () => {
      const list = await at.api.call("GET", "/auth/sessions", { session });
      return (list.body as { sessions: { lastSeen: string }[] }).sessions.map(({ lastSeen }) => Date.parse(lastSeen));
    };
    for (const stepMs of [3_600_000, -3_600_000]) {
      at.api.clock.nowMs += stepMs;
      await seen();
      expect(await seen()).toEqual([at.api.clock.nowMs]);
    }
  });

  test("sessions are listed and ended", async () => {
    const { session: one } = await createPerson(at.api, { username: at.name });
    const body = { username: at.name, password: goodPassword };
    const headers = { "user-agent": "B".repeat(300) };
    const two = (await at.api.call("POST", "/auth/login", { body, headers })).cookies["__Host-dl_session"]!;
    const list = await at.api.call("GET", "/auth/sessions", { session: one });
    const sessions = list.body["sessions"] as { id: string; current: boolean; userAgent: string }[];
    expect(sessions.map(({ current }) => current).sort()).toEqual([false, true]);
    const at0 = new Date(at.api.clock.nowMs).toISOString();
    const expiresAt = new Date(at.api.clock.nowMs + 24 * 3_600_000).toISOString();
    const times = { createdAt: at0, lastSeen: at0, expiresAt, endedAt: null, address: "203.0.113.7" };
    for (const session of sessions) expect(session).toMatchObject(times);
    expect(sessions.map(({ userAgent }) => userAgent).sort()).toEqual(["", "B".repeat(200)]);
    const other = sessions.find(({ current }) => !current)!;
    expect((await at.api.call("DELETE", `/auth/sessions/${other.id}`, { session: one })).status).toBe(200);
    expect((await at.api.call("GET", "/auth/me", { session: two })).status).toBe(401);
    expect((await at.api.call("GET", "/auth/me", { session: one })).status).toBe(200);
    const out = await at.api.call("POST", "/auth/logout", { session: one });
    expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
    expect((await at.api.call("GET", "/auth/me", { session: one })).status).toBe(401);

    const all = [await login(at.api, at.name), await login(at.api, at.name)];
    const last = await at.api.call("POST", "/auth/logout-all", { session: all[0]! });
    expect(last.headers.get("set-cookie")).toContain("Max-Age=0");
    for (const session of all) expect((await at.api.call("GET", "/auth/me", { session })).status).toBe(401);
  });

  test("housekeeping removes what has ended, and only that", async () => {
    const { id, session } = await createPerson(at.api, { username: at.name });
    await createPerson(at.api, { username: `${at.name}-admin`, isAdmin: true, totp: true, login: false });
    await at.tryLogin(`${at.name}-admin`, goodPassword);
    await at.tryLogin(at.name, "wrong password");
    const left = async () => {
      const { db } = at.api.deps;
      const sessions = await db.kysely
        .selectFrom("dashboard_sessions")
        .select("id")
        .where("account_id", "=", id)
        .execute();
      const pending = await db.kysely.selectFrom("pending_logins").select("token_hash").execute();
      const failures = await db.kysely.selectFrom("limiter_failures").select("subject").execute();
      const changes = await db.kysely.selectFrom("changes").select("id").where("ref_id", "=", at.name).execute();
      return [sessions.length, pending.length > 0, failures.length > 0, changes.length > 0];
    };
    await at.api.deps.db.kysely
      .insertInto("changes")
      .values({ kind: "account", ref_id: at.name, org_id: null, action: "updated", at: at.api.clock.nowMs })
      .execute();
    await prune(at.api.deps);
    expect(await left()).toEqual([1, true, true, true]);
    expect((await at.api.call("GET", "/auth/me", { session })).status).toBe(200);
    at.api.clock.nowMs += 32 * 24 * 3_600_000;
    await prune(at.api.deps);
    expect(await left()).toEqual([0, false, false, false]);
  });

  test("housekeeping removes what a clock ahead counted and blocked, which would begin again with each start", async () => {
    const { deps, clock } = at.api;
    const store = createLimiterStore(deps.db.kysely, failuresKeptMs(deps.settings));
    const yearMs = 365 * 86_400_000;
    const of = (subject: string) => ({ scope: at.name, subject });
    for (const [subject, atMs] of [
      ["ahead", clock.nowMs + yearMs],
      ["now", clock.nowMs],
    ] as const) {
      await store.saveBlock({ ...of(subject), untilMs: atMs + 60_000 }, atMs);
      await store.saveFailures({ ...of(subject), slotAtMs: atMs, failures: 1 });
    }
    await prune(deps);
    const { failures, blocks } = await store.load(clock.nowMs);
    const left = (rows: { scope: string; subject: string }[]) =>
      rows.filter(({ scope }) => scope === at.name).map(({ subject }) => subject);
    expect([left(failures), left(blocks)]).toEqual([["now"], ["now"]]);
  });

  test("a storm of logins: what doesn't fit in the queue is told to come back, and counts as no failure", async () => {
    await createPerson(at.api, { username: at.name, login: false });
    // The first one takes until the queue behind it is full, however slowly the database lets the others come to it.
    const full = Promise.withResolvers<void>();
    const verify = Bun.password.verify.bind(Bun.password);
    const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (password, hash, algorithm) => {
      await full.promise;
      return await verify(password, hash, algorithm);
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const answer = await at.tryLogin(at.name, goodPassword, `198.51.100.${i + 1}`);
        if (answer.status === 503) full.resolve();
        return answer;
      }),
    );
    judging.mockRestore();
    const busy = answers.filter(({ status }) => status === 503);
    expect(answers.filter(({ status }) => status === 200).length).toBe(50 - busy.length);
    expect(busy.length).toBeGreaterThan(0);
    expect(busy[0]!.headers.get("retry-after")).toBe("2");
    expect(at.api.deps.limiter.failures({ scope: "login-name", subject: at.name })).toBe(0);
    // Each came from an address of its own.
    const refused = at.api.audited.filter(({ success, identity }) => success === false && identity === at.name);
    expect(refused.map(({ action, reason }) => [action, reason])).toEqual(
      Array(busy.length).fill(["login.password", "too many passwords wait to be checked"]),
    );
  });

  test("a right password gets a hash of the cost that new ones have, however many log in at once", async () => {
    const { id } = await createPerson(at.api, { username: at.name, login: false });
    const { kysely } = at.api.deps.db;
    const hash = await Bun.password.hash(goodPassword, { algorithm: "bcrypt", cost: 5 });
    await kysely.updateTable("accounts").set({ password_hash: hash }).where("id", "=", id).execute();
    const stored = () =>
      kysely.selectFrom("accounts").select("password_hash").where("id", "=", id).executeTakeFirstOrThrow();
    expect((await at.tryLogin(at.name, "wrong password")).status).toBe(401);
    expect((await stored()).password_hash).toBe(hash);
    const answers = await Promise.all(Array.from({ length: 5 }, () => at.tryLogin(at.name, goodPassword)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await stored()).password_hash).toStartWith("$2b$04$");
    expect((await at.tryLogin(at.name, goodPassword)).status).toBe(200);
  });

  describe("security", () => {
    test("unknown, wrong, password-less and inactive: one answer, one hash operation each", async () => {
      await createPerson(at.api, { username: `${at.name}-known`, login: false });
      await createPerson(at.api, { username: `${at.name}-nopass`, password: null, login: false });
      const inactive = await createPerson(at.api, { username: `${at.name}-inactive`, login: false });
      await at.api.deps.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", inactive.id).execute();
      const bodies = new Set<string>();
      for (const [user, password] of [
        [`${at.name}-known`, "wrong password"],
        [`${at.name}-nobody`, goodPassword],
        [`${at.name}-nopass`, goodPassword],
        [`${at.name}-inactive`, goodPassword],
      ] as const) {
        const before = { ...at.api.hashes };
        const answer = await at.tryLogin(user, password);
        expect(answer.status).toBe(401);
        bodies.add(answer.text);
        expect(at.api.hashes).toEqual({ hash: before.hash, verify: before.verify + 1 });
      }
      expect(bodies.size).toBe(1);
      expect(at.api.audited.map(({ action, success, reason }) => [action, success, reason])).toEqual(
        Array(4).fill(["login.password", false, "wrong username or password"]),
      );
    });

    test("check-account says the same about everybody", async () => {
      await createPerson(at.api, { username: at.name, login: false });
      const known = await at.api.call("POST", "/auth/check-account", { body: { username: at.name } });
      const unknown = await at.api.call("POST", "/auth/check-account", { body: { username: `${at.name}-x` } });
      expect(known.text).toBe(unknown.text);
      expect(at.api.hashes.verify).toBe(0);
    });

    test("a session must be ours, alive, and of an active account", async () => {
      const { id, session } = await createPerson(at.api, { username: at.name });
      const me = (cookie: string) => at.api.call("GET", "/auth/me", { session: cookie }).then(({ status }) => status);
      expect(await me(session)).toBe(200);
      // Not its last characters: one in a thousand signatures ends as whatever they are replaced by.
      const [head, claims, signature = ""] = session.split(".");
      expect(await me(`${head}.${claims}.${signature.startsWith("x") ? "y" : "x"}${signature.slice(1)}`)).toBe(401);
      const [, payload] = session.split(".");
      const none = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url");
      expect(await me(`${none}.${payload}.`)).toBe(401);
      await at.api.deps.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", id).execute();
      expect(await me(session)).toBe(401);
      await at.api.deps.db.kysely.updateTable("accounts").set({ active: 1 }).where("id", "=", id).execute();
      expect(await me(session)).toBe(200);
      at.api.clock.nowMs += 24 * 3_600_000;
      expect(await me(session)).toBe(401);
    });

    test("a login that was under way when the password was changed, or the account deactivated, opens nothing", async () => {
      const { kysely } = at.database.db;
      for (const change of [{ password_hash: "$2b$04$another" }, { active: 0 as const }]) {
        for (const totp of [false, true]) {
          const person = await createPerson(at.api, {
            username: `${at.name}-${totp}-${Object.keys(change)[0]}`,
            totp,
            login: false,
          });
          const verify = Bun.password.verify.bind(Bun.password);
          const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (password, hash, algorithm) => {
            const isRight = await verify(password, hash, algorithm);
            await kysely.updateTable("accounts").set(change).where("id", "=", person.id).execute();
            return isRight;
          });
          const answer = await at.tryLogin(person.username, goodPassword);
          judging.mockRestore();
          const { code } = answer.body["error"] as { code: string };
          expect({ change, totp, code, cookies: answer.cookies }).toMatchObject({
            code: "bad_credentials",
            cookies: {},
          });
          for (const table of ["pending_logins", "dashboard_sessions"] as const) {
            const rows = await kysely.selectFrom(table).selectAll().where("account_id", "=", person.id).execute();
            expect({ change, totp, rows }).toEqual({ change, totp, rows: [] });
          }
        }
      }
    });

    test("nobody ends another account's session", async () => {
      const victim = await createPerson(at.api, { username: `${at.name}-victim` });
      const other = await createPerson(at.api, { username: at.name });
      const list = await at.api.call("GET", "/auth/sessions", { session: victim.session });
      const [session] = list.body["sessions"] as { id: string }[];
      const answer = await at.api.call("DELETE", `/auth/sessions/${session!.id}`, { session: other.session });
      expect(answer.status).toBe(404);
      expect((await at.api.call("GET", "/auth/me", { session: victim.session })).status).toBe(200);
    });

    test("passwords and codes appear in no log and no audit row", async () => {
      await createPerson(at.api, { username: at.name, isAdmin: true, totp: true });
      await at.tryLogin(at.name, "planted-wrong-password");
      const everything = JSON.stringify([at.api.logs, at.api.audited]);
      expect(everything).not.toContain("planted-wrong-password");
      expect(everything).not.toContain(goodPassword);
      const rows = JSON.stringify([
        await at.api.deps.db.kysely.selectFrom("accounts").selectAll().execute(),
        await at.api.deps.db.kysely.selectFrom("pending_logins").selectAll().execute(),
      ]);
      expect(rows).not.toContain("JBSWY3DPEHPK3PXP");
      expect(rows).not.toContain(goodPassword);
    });
  });
});
