// Limits of logins: what is counted, for whom, and what never is, on both engines.

import { describe, expect, spyOn, test } from "bun:test";
import { prune } from "../../../src/api/housekeeping.ts";
import { AppError } from "../../../src/lib/errors.ts";
import { createTestApi, unnamed } from "../../helpers/api.ts";
import { describeLogins } from "../../helpers/describe-logins.ts";
import { createPerson, goodPassword } from "../../helpers/people.ts";

describeLogins("limits of logins", (at) => {
  describe("security", () => {
    test("ten failures block the address, and a block ends", async () => {
      await createPerson(at.api, { username: at.name, login: false });
      for (let i = 0; i < 10; i++) expect((await at.tryLogin(`${at.name}-${i}`, "wrong password")).status).toBe(401);
      const blocked = await at.tryLogin(at.name, goodPassword);
      expect(blocked.status).toBe(429);
      expect(blocked.headers.get("retry-after")).toBe("1800");
      for (let i = 0; i < 20; i++) expect((await at.tryLogin(`${at.name}-${i}`, goodPassword)).status).toBe(429);
      expect(at.api.audited.slice(-2)).toMatchObject([
        { action: "login.password", success: false, reason: "wrong username or password" },
        { action: "login.password", success: false, reason: "too many failed attempts", identity: at.name },
      ]);
      expect((await at.tryLogin(at.name, goodPassword, "198.51.100.1")).status).toBe(200);
      at.api.clock.nowMs += 30 * 60_000 + 1;
      expect((await at.tryLogin(at.name, goodPassword)).status).toBe(200);
    });

    test("failures count as long as their window is, over a restart too", async () => {
      const hourMs = 3_600_000;
      const settings = { loginLimit: { maxAttempts: 3, windowMs: 48 * hourMs, blockMs: hourMs } };
      let api = createTestApi(at.database, { settings });
      const fail = async (): Promise<number> => {
        const body = { username: at.name, password: "wrong password" };
        // Nobody else's: what is stored stays from test to test.
        return (await api.call("POST", "/auth/login", { body, address: "198.51.100.77" })).status;
      };
      expect([await fail(), await fail()]).toEqual([401, 401]);
      const nowMs = api.clock.nowMs + 47 * hourMs;
      api.clock.nowMs = nowMs;
      await prune(api.deps);
      api = createTestApi(at.database, { settings });
      api.clock.nowMs = nowMs;
      await api.deps.limiter.restore();
      expect([await fail(), await fail()]).toEqual([401, 429]);
    });

    test("parallel guesses get no more tries than a sequence", async () => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => at.tryLogin(`${at.name}-${i}`, "wrong password")),
      );
      expect(answers.filter(({ status }) => status === 401).length).toBe(10);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.map(({ headers }) => headers.get("retry-after"))).toEqual(Array(20).fill("1800"));
      expect(at.api.hashes.verify).toBe(10);
    });

    test("right logins are never refused, however many come at once from one address", async () => {
      await createPerson(at.api, { username: at.name, login: false });
      for (let i = 0; i < 9; i++) await at.tryLogin(`${at.name}-${i}`, "wrong password");
      const answers = await Promise.all(Array.from({ length: 30 }, () => at.tryLogin(at.name, goodPassword)));
      expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
    });

    test("who mistypes and then gets in leaves nothing behind at a shared address; others' failures stay", async () => {
      const people = Array.from({ length: 12 }, (_, i) => `${at.name}-${i}`);
      for (const username of people) await createPerson(at.api, { username, login: false });
      for (const username of people) {
        expect((await at.tryLogin(username, "mistyped")).status).toBe(401);
        expect((await at.tryLogin(username, goodPassword)).status).toBe(200);
      }
      // Whoever has an account doesn't clear what he failed at with other names.
      for (let i = 0; i < 10; i++) {
        expect((await at.tryLogin(people[0]!, "guessed")).status).toBe(401);
        if (i < 9) expect((await at.tryLogin(people[1]!, goodPassword)).status).toBe(200);
      }
      expect((await at.tryLogin(people[1]!, goodPassword)).status).toBe(429);
    });

    test("attempts that nobody judged leave nothing behind: the next one waits for none of them", async () => {
      await createPerson(at.api, { username: at.name, login: false });
      const judging = spyOn(at.api.deps.passwords, "verify").mockRejectedValue(
        new AppError("unavailable", undefined, { cause: new Error("the thread died") }),
      );
      for (let i = 0; i < 10; i++) expect((await at.tryLogin(at.name, goodPassword)).status).toBe(503);
      judging.mockRestore();
      expect(at.api.audited.at(-1)).toMatchObject({ success: false, reason: "the thread died", identity: at.name });
      expect((await at.tryLogin(at.name, goodPassword)).status).toBe(200);
    });

    test("an address that stands for everybody behind a proxy is not counted; names still slow down", async () => {
      await createPerson(at.api, { username: at.name, totp: true, login: false });
      const send = (path: string, body: object) => at.api.call("POST", path, { body, headers: unnamed });
      for (let i = 0; i < 12; i++) {
        for (const username of [at.name, `${at.name}-${i}`]) {
          expect((await send("/auth/login", { username, password: "wrong password" })).status).toBe(401);
        }
      }
      expect(at.api.delays.length).toBeGreaterThan(0);
      // No limiter ends them, so that the log has to: one entry a minute.
      expect(at.api.audited.filter(({ action }) => action === "login.password")).toHaveLength(1);
      const { pendingToken } = (await send("/auth/login", { username: at.name, password: goodPassword })).body;
      // Six digits are an account's own limit, wherever somebody guesses.
      for (let i = 0; i < 5; i++)
        expect((await send("/auth/totp/verify", { pendingToken, code: "000000" })).status).toBe(401);
      expect((await send("/auth/totp/verify", { pendingToken, code: "000000" })).status).toBe(429);
    });

    test("all addresses of an IPv6 /64 are one", async () => {
      for (let i = 0; i < 10; i++) await at.tryLogin(`${at.name}-${i}`, "wrong password", `2001:db8:0:1::${i}`);
      expect((await at.tryLogin(at.name, "wrong password", "2001:db8:0:1:a:b:c:d")).status).toBe(429);
      expect((await at.tryLogin(at.name, "wrong password", "2001:db8:0:2::1")).status).toBe(401);
    });

    test("a block survives a restart", async () => {
      for (let i = 0; i < 10; i++) await at.tryLogin(at.name, "wrong password", "192.0.2.200");
      const next = createTestApi(at.database);
      await next.deps.limiter.restore();
      const body = { username: at.name, password: goodPassword };
      expect((await next.call("POST", "/auth/login", { body, address: "192.0.2.200" })).status).toBe(429);
      expect((await next.call("POST", "/auth/login", { body, address: "192.0.2.201" })).status).toBe(401);
    });

    test("a name under attack from many addresses is slowed, not locked", async () => {
      await createPerson(at.api, { username: at.name, login: false });
      for (let i = 0; i < 40; i++) await at.tryLogin(at.name, "wrong password", `198.51.100.${i + 10}`);
      const delays = [250, 500, 1_000, 2_000, 4_000, 5_000].flatMap((ms) => Array<number>(5).fill(ms));
      expect(at.api.delays).toEqual(delays);
      expect((await at.tryLogin(at.name, goodPassword, "192.0.2.1")).status).toBe(200);
      // The owner got in, which is no reason to let strangers guess faster; and the password waits for the delay.
      let isOver = false;
      const delay = spyOn(at.api.deps, "delay").mockImplementation(async () => {
        await Bun.sleep(5);
        isOver = true;
      });
      const judging = spyOn(at.api.deps.passwords, "verify").mockImplementation(async () => isOver);
      expect((await at.tryLogin(at.name, goodPassword, "198.51.100.99")).status).toBe(200);
      expect(delay.mock.calls).toEqual([[5_000]]);
      judging.mockRestore();
    });

    test("of a name however long so much is counted and told", async () => {
      expect((await at.tryLogin("\ufdfa".repeat(128), "wrong password")).status).toBe(401);
      expect(at.api.audited.at(-1)!.identity).toHaveLength(200);
    });
  });
});
