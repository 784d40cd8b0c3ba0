// What accounts can't be, whoever makes or changes them, and what a move leaves behind, on both engines.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";

describeEngines("rules of accounts", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let admin: Person;
  let orgId: string;
  beforeAll(async () => {
    database = await open();
    api = createTestApi(database);
    admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    orgId = await createOrganization(api, "Acme");
  });
  afterAll(async () => database[Symbol.asyncDispose]());

  const asAdmin = (method: string, path: string, body?: unknown) =>
    api.call(method, `/admin/accounts${path}`, { session: admin.session, ...(body === undefined ? {} : { body }) });

  describe("security", () => {
    test("who moves takes no role along, and list entries are the new organization's to see; the old one's log tells", async () => {
      const otherOrgId = await createOrganization(api, "Other");
      const { id } = await createPerson(api, { username: "mover", orgId, isOrgAdmin: true, login: false });
      expect((await asAdmin("POST", `/${id}/whitelist`, { ipRange: "192.0.2.1" })).status).toBe(201);
      const moved = await asAdmin("PUT", `/${id}/organization`, { orgId: otherOrgId });
      expect(moved.body["account"]).toMatchObject({ orgId: otherOrgId, isOrgAdmin: false });
      const entries = database.db.kysely.selectFrom("whitelist_entries").select("org_id").where("account_id", "=", id);
      expect(await entries.execute()).toEqual([{ org_id: otherOrgId }]);
      const elsewhere = "another organization";
      expect(api.audited.slice(-2).map(({ action, orgId, details }) => ({ action, orgId, details }))).toEqual([
        {
          ...{ action: "account.moved", orgId },
          details: { account: id, username: "mover", before: orgId, after: elsewhere },
        },
        {
          ...{ action: "account.moved", orgId: otherOrgId },
          details: { account: id, username: "mover", before: elsewhere, after: otherOrgId },
        },
      ]);
      expect((await asAdmin("PUT", `/${id}/organization`, { orgId: null })).status).toBe(200);
      expect(await entries.execute()).toEqual([{ org_id: null }]);
      expect(api.audited.at(-1)).toMatchObject({
        action: "account.moved",
        orgId: otherOrgId,
        details: { after: null },
      });
    });

    test("no system admin is in an organization, and no admin of one is in none", async () => {
      const loner = await createPerson(api, { username: "loner", login: false });
      const refused: [string, string, object][] = [
        ["POST", "", { username: "both", isAdmin: true, orgId }],
        ["POST", "", { username: "both", isAdmin: true, isOrgAdmin: true }],
        ["POST", "", { username: "both", isOrgAdmin: true }],
        ["PUT", `/${admin.id}/org-admin`, { isOrgAdmin: true }],
        ["PUT", `/${loner.id}/org-admin`, { isOrgAdmin: true }],
      ];
      for (const [method, path, body] of refused)
        expect({ body, status: (await asAdmin(method, path, body)).status }).toEqual({ body, status: 422 });
    });

    test("nobody sets a weak password for somebody else", async () => {
      const { id } = await createPerson(api, { username: "weakling", login: false });
      for (const password of ["short", "password123"]) {
        const made = await asAdmin("POST", "", { username: "another", password });
        const set = await asAdmin("PUT", `/${id}/password`, { password });
        expect({ password, made: made.status, set: set.status }).toEqual({ password, made: 422, set: 422 });
      }
    });

    test("an admin who is deactivated makes nobody dispensable", async () => {
      const asleep = await createPerson(api, { username: "asleep", isAdmin: true, login: false });
      expect((await asAdmin("DELETE", `/${asleep.id}`)).status).toBe(200);
      for (const path of ["", "/hard"]) expect((await asAdmin("DELETE", `/${admin.id}${path}`)).status).toBe(409);
    });
  });
});
