// An account that is moved while somebody changes it, or to where it is, on both engines.

import { describe, expect, test } from "bun:test";
import { findAccount } from "../../../src/db/accounts.ts";
import type { Trx } from "../../../src/db/database.ts";
import { moveAccountWhitelist } from "../../../src/db/whitelist-entries.ts";
import { createTestApi } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { meanwhile } from "../../helpers/meanwhile.ts";
import { createOrganization, createPerson } from "../../helpers/people.ts";

describeEngines("an account that is being moved", (open) => {
  async function setUp() {
    const database = await open();
    const api = createTestApi(database);
    const [from, to] = [await createOrganization(api, "From"), await createOrganization(api, "To")];
    const move = (id: string) => async (trx: Trx) => {
      await trx.updateTable("accounts").set({ org_id: to, is_org_admin: 0 }).where("id", "=", id).execute();
      await moveAccountWhitelist(trx, id, to);
    };
    const boss = await createPerson(api, { username: "boss", orgId: from, isOrgAdmin: true });
    const admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    const close = () => database[Symbol.asyncDispose]();
    return { database, api, from, to, move, boss, admin, [Symbol.asyncDispose]: close };
  }

  describe("security", () => {
    test("its old organization's admin can't make it an admin of the new one, nor deactivate or delete it there", async () => {
      await using moving = await setUp();
      const { api, database, from, to, move, boss } = moving;
      const { session } = boss;
      for (const [method, path, body] of [
        ["PUT", "/org-admin", { isOrgAdmin: true }],
        ["DELETE", "", undefined],
        ["DELETE", "/hard", undefined],
      ] as const) {
        const { id } = await createPerson(api, { username: `moved${path.slice(1)}`, orgId: from, login: false });
        const call = () => api.call(method, `/org/accounts/${id}${path}`, { session, ...(body && { body }) });
        const answer = await meanwhile(database.db, move(id), call);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(await findAccount(database.db.kysely, id)).toMatchObject({ orgId: to, isOrgAdmin: false, active: true });
      }
    });

    test("nor add to its whitelist, nor remove from it", async () => {
      await using moving = await setUp();
      const { api, database, from, to, move, boss, admin } = moving;
      const { id } = await createPerson(api, { username: "moved", orgId: from, login: false });
      const path = `/accounts/${id}/whitelist`;
      const added = await api.call("POST", `/org${path}`, { session: boss.session, body: { ipRange: "10.0.0.1" } });
      expect(added.status).toBe(201);
      const entry = (added.body["entry"] as { id: string }).id;
      const entries = () => database.db.kysely.selectFrom("whitelist_entries").select(["cidr", "org_id"]).execute();
      for (const [method, at, body] of [
        ["POST", path, { ipRange: "10.0.0.2" }],
        ["DELETE", `${path}/${entry}`, undefined],
      ] as const) {
        await database.db.transaction(async (trx) => {
          await trx.updateTable("accounts").set({ org_id: from }).where("id", "=", id).execute();
        });
        const call = () => api.call(method, `/org${at}`, { session: boss.session, ...(body && { body }) });
        expect([method, (await meanwhile(database.db, move(id), call)).status]).toEqual([method, 404]);
        expect(Array.from(await entries())).toEqual([{ cidr: "10.0.0.1", org_id: to }]);
      }
      // To a system admin none is foreign: the entry is one of the organization that the account is in by then.
      await database.db.kysely.updateTable("accounts").set({ org_id: from }).where("id", "=", id).execute();
      const call = () => api.call("POST", `/admin${path}`, { session: admin.session, body: { ipRange: "10.0.0.3" } });
      expect((await meanwhile(database.db, move(id), call)).status).toBe(201);
      expect((await entries()).map(({ org_id }) => org_id)).toEqual([to, to]);
    });

    test("a system admin who makes it an admin of the one organization does not make it one of the other", async () => {
      await using moving = await setUp();
      const { api, database, from, to, admin } = moving;
      const { session } = admin;
      const { id } = await createPerson(api, { username: "moved", orgId: from, login: false });
      const promote = async (trx: Trx) => {
        await trx.updateTable("accounts").set({ is_org_admin: 1 }).where("id", "=", id).execute();
      };
      const leave = async (trx: Trx) => {
        await trx.updateTable("accounts").set({ org_id: null, is_org_admin: 0 }).where("id", "=", id).execute();
      };
      const put = (path: string, body: object) => () =>
        api.call("PUT", `/admin/accounts/${id}${path}`, { session, body });
      expect((await meanwhile(database.db, promote, put("/organization", { orgId: to }))).status).toBe(200);
      expect(await findAccount(database.db.kysely, id)).toMatchObject({ orgId: to, isOrgAdmin: false });
      const late = await meanwhile(database.db, leave, put("/org-admin", { isOrgAdmin: true }));
      expect(late.body["error"]).toMatchObject({ code: "validation", field: "isOrgAdmin" });
      expect(await findAccount(database.db.kysely, id)).toMatchObject({ orgId: null, isOrgAdmin: false });
    });
  });

  test("security: who says where the account was is told when it is elsewhere, and neither moves it nor gives it a role there", async () => {
    await using moving = await setUp();
    const { api, database, from, to, move, admin } = moving;
    const { session } = admin;
    const { id } = await createPerson(api, { username: "moved", orgId: from, login: false });
    const put = (path: string, body: object) => () =>
      api.call("PUT", `/admin/accounts/${id}${path}`, { session, body: { ...body, basedOn: from } });
    for (const [path, body] of [
      ["/org-admin", { isOrgAdmin: true }],
      ["/organization", { orgId: null }],
      ["/organization", { orgId: to }],
    ] as const) {
      const late = await meanwhile(database.db, move(id), put(path, body));
      expect({ path, status: late.status, ...late.body }).toMatchObject({
        ...{ path, status: 409, error: { code: "conflict" } },
      });
      expect(await findAccount(database.db.kysely, id)).toMatchObject({ orgId: to, isOrgAdmin: false });
    }
    await api.call("PUT", `/admin/accounts/${id}/organization`, { session, body: { orgId: from, basedOn: to } });
    expect((await put("/org-admin", { isOrgAdmin: true })()).body["account"]).toMatchObject({ isOrgAdmin: true });
    expect((await put("/organization", { orgId: null })()).body["account"]).toMatchObject({ orgId: null });
    const join = { orgId: to, basedOn: null };
    const joined = await api.call("PUT", `/admin/accounts/${id}/organization`, { session, body: join });
    expect(joined.body["account"]).toMatchObject({ orgId: to });
  });

  test("to where it is already, it stays what it was, and goes on; a role or address that it has already ends nothing either", async () => {
    await using moving = await setUp();
    const { api, from, boss, admin } = moving;
    for (const [path, body] of [
      ["/organization", { orgId: from }],
      ["/org-admin", { isOrgAdmin: true }],
      ["/email", { email: null }],
    ] as const) {
      const before = api.audited.length;
      const answer = await api.call("PUT", `/admin/accounts/${boss.id}${path}`, { session: admin.session, body });
      const account = { id: boss.id, orgId: from, isOrgAdmin: true, email: null };
      expect({ path, ...answer }).toMatchObject({ path, status: 200, body: { success: true, account } });
      expect({ path, audited: api.audited.slice(before), closed: api.closed }).toEqual({
        path,
        audited: [],
        closed: [],
      });
      expect((await api.call("GET", "/org/accounts", { session: boss.session })).status).toBe(200);
    }
  });

  test("to an organization that is deleted meanwhile, it stays where it is, and a new one is not made: 422", async () => {
    await using moving = await setUp();
    const { api, database, from, to, admin } = moving;
    const { session } = admin;
    const { id } = await createPerson(api, { username: "moved", orgId: from, login: false });
    const gone = await createOrganization(api, "Gone");
    for (const [method, path, orgId] of [
      ["PUT", `/admin/accounts/${id}/organization`, to],
      ["POST", "/admin/accounts", gone],
    ] as const) {
      const remove = (trx: Trx) => trx.deleteFrom("organizations").where("id", "=", orgId).execute();
      const body = { orgId, ...(method === "POST" && { username: "new" }) };
      const answer = await meanwhile(database.db, remove, () => api.call(method, path, { session, body }));
      expect({ path, ...answer }).toMatchObject({ path, status: 422, body: { error: { field: "orgId" } } });
    }
    expect(await findAccount(database.db.kysely, id)).toMatchObject({ orgId: from });
  });
});
