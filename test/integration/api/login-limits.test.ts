// Limits of logins: what is counted, for whom, and what never is, on both engines.

import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { AppError } from "../../../src/lib/errors.ts";
import { createTestApi, unnamed, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createPerson, goodPassword } from "../../helpers/people.ts";

describeEngines("limits of logins", (open) => {
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

  describe("security", () => {
    test("ten failures block the address, and a block ends", async () => {
      await createPerson(api, { username: name, login: false });
      for (let i = 0; i < 10; i++) expect((await tryLogin(`${name}-${i}`, "wrong password")).status).toBe(401);
      const blocked = await tryLogin(name, goodPassword);
      expect(blocked.status).toBe(429);
      expect(blocked.headers.get("retry-after")).toBe("1800");
      for (let i = 0; i < 20; i++) expect((await tryLogin(`${name}-${i}`, goodPassword)).status).toBe(429);
      expect(api.audited.slice(-2)).toMatchObject([
        { action: "login.password", success: false, reason: "wrong username or password" },
        { action: "login.password", success: false, reason: "too many failed attempts", identity: name },
      ]);
      expect((await tryLogin(name, goodPassword, "198.51.100.1")).status).toBe(200);
      api.clock.nowMs += 30 * 60_000 + 1;
      expect((await tryLogin(name, goodPassword)).status).toBe(200);
    });

    test("parallel guesses get no more tries than a sequence", async () => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => tryLogin(`${name}-${i}`, "wrong password")),
      );
      expect(answers.filter(({ status }) => status === 401).length).toBe(10);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.map(({ headers }) => headers.get("retry-after"))).toEqual(Array(20).fill("1800"));
      expect(api.hashes.verify).toBe(10);
    });

    test("right logins are never refused, however many come at once from one address", async () => {
      await createPerson(api, { username: name, login: false });
      for (let i = 0; i < 9; i++) await tryLogin(`${name}-${i}`, "wrong password");
      const answers = await Promise.all(Array.from({ length: 30 }, () => tryLogin(name, goodPassword)));
      expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
    });

    test("who mistypes and then gets in leaves nothing behind at a shared address; others' failures stay", async () => {
      const people = Array.from({ length: 12 }, (_, i) => `${name}-${i}`);
      for (const username of people) await createPerson(api, { username, login: false });
      for (const username of people) {
        expect((await tryLogin(username, "mistyped")).status).toBe(401);
        expect((await tryLogin(username, goodPassword)).status).toBe(200);
      }
      // Whoever has an account doesn't clear what he failed at with other names.
      for (let i = 0; i < 10; i++) {
        expect((await tryLogin(people[0]!, "guessed")).status).toBe(401);
        if (i < 9) expect((await tryLogin(people[1]!, goodPassword)).status).toBe(200);
      }
      expect((await tryLogin(people[1]!, goodPassword)).status).toBe(429);
    });

    test("attempts that nobody judged leave nothing behind: the next one waits for none of them", async () => {
      await createPerson(api, { username: name, login: false });
      const judging = spyOn(api.deps.passwords, "verify").mockRejectedValue(new AppError("unavailable"));
      for (let i = 0; i < 10; i++) expect((await tryLogin(name, goodPassword)).status).toBe(503);
      judging.mockRestore();
      expect((await tryLogin(name, goodPassword)).status).toBe(200);
    });

    test("an address that stands for everybody behind a proxy is not counted; names still slow down", async () => {
      await createPerson(api, { username: name, totp: true, login: false });
      const send = (path: string, body: object) => api.call("POST", path, { body, headers: unnamed });
      for (let i = 0; i < 12; i++) {
        for (const username of [name, `${name}-${i}`]) {
          expect((await send("/auth/login", { username, password: "wrong password" })).status).toBe(401);
        }
      }
      expect(api.delays.length).toBeGreaterThan(0);
      const { pendingToken } = (await send("/auth/login", { username: name, password: goodPassword })).body;
      // Six digits are an account's own limit, wherever somebody guesses.
      for (let i = 0; i < 5; i++)
        expect((await send("/auth/totp/verify", { pendingToken, code: "000000" })).status).toBe(401);
      expect((await send("/auth/totp/verify", { pendingToken, code: "000000" })).status).toBe(429);
    });

    test("all addresses of an IPv6 /64 are one", async () => {
      for (let i = 0; i < 10; i++) await tryLogin(`${name}-${i}`, "wrong password", `2001:db8:0:1::${i}`);
      expect((await tryLogin(name, "wrong password", "2001:db8:0:1:a:b:c:d")).status).toBe(429);
      expect((await tryLogin(name, "wrong password", "2001:db8:0:2::1")).status).toBe(401);
    });

    test("a block survives a restart", async () => {
      for (let i = 0; i < 10; i++) await tryLogin(name, "wrong password", "192.0.2.200");
      const next = createTestApi(database);
      await next.deps.limiter.restore();
      const body = { username: name, password: goodPassword };
      expect((await next.call("POST", "/auth/login", { body, address: "192.0.2.200" })).status).toBe(429);
      expect((await next.call("POST", "/auth/login", { body, address: "192.0.2.201" })).status).toBe(401);
    });

    test("a name under attack from many addresses is slowed, not locked", async () => {
      await createPerson(api, { username: name, login: false });
      for (let i = 0; i < 40; i++) await tryLogin(name, "wrong password", `198.51.100.${i + 10}`);
      expect(api.delays.length).toBeGreaterThan(20);
      expect(Math.max(...api.delays)).toBeLessThanOrEqual(5_000);
      expect((await tryLogin(name, goodPassword, "192.0.2.1")).status).toBe(200);
    });
  });
});
