// The way into the admin API with an account's token, on both engines: whose, how often, and that the log has all of it.

import { describe, expect, test } from "bun:test";
import { createToken } from "../../../src/auth/tokens.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import { bootstrapAdminToken } from "../../../src/operator/admin-token.ts";
import { createTestApi, unnamed, type TestApi } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { createOrganization, createPerson } from "../../helpers/people.ts";

describeEngines("admin's API token", (open) => {
  describe("security", () => {
    test("X-Admin-Token: an active admin's token only, audited, limited, and can be switched off", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
      const orgId = await createOrganization(api, "Acme");
      const boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
      const call = (token: string, of: TestApi = api, address = "203.0.113.9") =>
        of.call("GET", "/admin/me", { headers: { "x-admin-token": token }, address });
      expect((await call(admin.token)).status).toBe(200);
      expect(api.audited.at(-1)).toMatchObject({ action: "admin.token", success: true, actorName: "admin" });
      expect((await call(boss.token)).status).toBe(401);
      expect((await call("x")).status).toBe(401);
      const former = await createPerson(api, { username: "former", isAdmin: true, totp: true });
      await database.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", former.id).execute();
      expect((await call(former.token)).status).toBe(401);
      expect((await api.call("GET", "/org/me", { headers: { "x-admin-token": boss.token } })).status).toBe(401);
      for (let i = 0; i < 12; i++) await call(`guess${i}`, api, "198.51.100.200");
      const before = api.audited.length;
      for (let i = 0; i < 20; i++) expect((await call("guess", api, "198.51.100.200")).status).toBe(429);
      expect(api.audited.slice(before)).toEqual([]);
      expect(api.audited.at(-1)).toMatchObject({
        ...{ action: "admin.token", success: false, reason: "too many failed attempts", address: "198.51.100.200" },
      });
      const behindProxy = (token: string) =>
        api.call("GET", "/admin/me", { headers: { "x-admin-token": token, ...unnamed }, address: "198.51.100.201" });
      for (let i = 0; i < 12; i++) expect((await behindProxy(`guess${i}`)).status).toBe(401);
      // Nobody is limited there, so one entry a minute stands for all of them.
      expect(api.audited.slice(before)).toMatchObject([{ action: "admin.token", success: false, reason: null }]);
      expect((await behindProxy(admin.token)).status).toBe(200);
      const off = createTestApi(database, { settings: { adminApiTokens: false } });
      expect((await call(admin.token, off)).status).toBe(401);
    });

    test("an address that guessed: a token of ours still opens, one that a person chose does not until the block ends", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const { token: ours } = await createPerson(api, { username: "root", isAdmin: true, totp: true });
      const chosen = "correct horse battery staple, 32 long";
      const audit = createAudit({ db: database.db, log: api.deps.log, flushMs: 5 });
      await bootstrapAdminToken(database.db, audit, chosen, api.clock.nowMs);
      await audit.close();
      const call = (token: string, address = "198.51.100.200") =>
        api.call("GET", "/admin/me", { headers: { "x-admin-token": token }, address });
      for (let i = 0; i < 10; i++) expect((await call(`guess${i}`)).status).toBe(401);
      expect((await call(chosen)).status).toBe(429);
      expect((await call(chosen, "203.0.113.9")).status).toBe(200);
      expect((await call(ours)).status).toBe(200);
      const before = api.audited.length;
      for (let i = 0; i < 20; i++) {
        const refused = await call(createToken("dlt"));
        expect(refused).toMatchObject({ status: 429, body: { error: { code: "rate_limited" } } });
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      }
      expect(api.audited.slice(before)).toMatchObject([{ action: "admin.token", success: false, reason: null }]);
      api.clock.nowMs += 31 * 60_000;
      expect((await call(chosen)).status).toBe(200);
    });
  });
});
