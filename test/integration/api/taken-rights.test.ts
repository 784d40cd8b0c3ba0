// Rights that are taken while a password is being hashed, which may take seconds: the change that waits for it is not made.

import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { openAcme, type Acme } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { createPerson, goodPassword } from "../../helpers/people.ts";

describeEngines("rights that are taken while a password is hashed", (open) => {
  let acme: Acme;
  let count = 0;
  beforeAll(async () => void (acme = await openAcme(open)));
  afterAll(async () => acme[Symbol.asyncDispose]());

  /** What happens to the caller while its request waits, and what the request is told. */
  const takings = [
    ["demoted", { is_org_admin: 0 }, 403],
    ["moved", { org_id: "other" }, 403],
    ["deactivated", { active: 0 }, 401],
    ["signed out", "sessions", 401],
    ["asked for a second factor", "totp", 403],
  ] as const;

  async function take(id: string, what: (typeof takings)[number][1]): Promise<void> {
    const { database, orgId, otherOrgId } = acme;
    const { kysely } = database.db;
    if (what === "sessions")
      await kysely.updateTable("dashboard_sessions").set({ revoked_at: 1 }).where("account_id", "=", id).execute();
    else if (what === "totp")
      await kysely.updateTable("organizations").set({ require_totp: 1 }).where("id", "=", orgId).execute();
    else {
      const change = "org_id" in what ? { org_id: otherOrgId } : what;
      await kysely.updateTable("accounts").set(change).where("id", "=", id).execute();
    }
  }

  describe("security", () => {
    test.each(takings)("an organization's admin who is %s", async (_what, taken, status) => {
      const { api, database, orgId, member } = acme;
      const { kysely } = database.db;
      const password = goodPassword;
      for (const [method, path, body] of [
        ["POST", "/org/accounts", { username: `backdoor${++count}`, password, isOrgAdmin: true }],
        ["PUT", `/org/accounts/${member.id}/password`, { password: "another-quiet-river" }],
        ["PUT", "/org/policy", { authType: "basic", basicUsername: "me", basicPassword: password }],
      ] as const) {
        const { id, session } = await createPerson(api, { username: `boss${++count}`, orgId, isOrgAdmin: true });
        const kept = () =>
          Promise.all([
            kysely.selectFrom("accounts").select(["username", "password_hash"]).orderBy("id").execute(),
            kysely.selectFrom("policies").select("id").execute(),
          ]);
        const before = await kept();
        const { hash } = api.deps.passwords;
        const slow = spyOn(api.deps.passwords, "hash").mockImplementation(async (text) => {
          await take(id, taken);
          return hash(text);
        });
        const answer = await api.call(method, path, { session, body });
        slow.mockRestore();
        await kysely.updateTable("organizations").set({ require_totp: 0 }).where("id", "=", orgId).execute();
        expect({ path, status: answer.status }).toEqual({ path, status });
        expect(await kept()).toEqual(before);
      }
    });

    test("a system admin whose API token is another one by then", async () => {
      const { api, database, orgId } = acme;
      const { id, token } = await createPerson(api, { username: `script${++count}`, isAdmin: true, login: false });
      const create = () =>
        api.call("POST", "/admin/accounts", {
          headers: { "x-admin-token": token },
          body: { username: `made${++count}`, password: goodPassword, orgId },
        });
      expect((await create()).status).toBe(201);
      const { hash } = api.deps.passwords;
      const slow = spyOn(api.deps.passwords, "hash").mockImplementation(async (text) => {
        await database.db.kysely.updateTable("accounts").set({ token_hash: "new" }).where("id", "=", id).execute();
        return hash(text);
      });
      const late = await create();
      slow.mockRestore();
      expect(late.status).toBe(401);
    });
  });
});
