// Two changes of one thing at once, on both engines.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import type { Trx } from "../../../src/db/database.ts";
import { holdRow } from "../../../src/db/hold.ts";
import { saveRateLimit } from "../../../src/db/rate-limits.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { meanwhile } from "../../helpers/meanwhile.ts";
import { errorOf, openAcme, type Shown } from "../../helpers/acme.ts";
import { createPerson } from "../../helpers/people.ts";

describeEngines("changes at once", (open) => {
  describe("security", () => {
    test("a change of a name does not take back what another change, at the same time, tightened", async () => {
      await using acme = await openAcme(open);
      const { api, asAdmin, orgId, database } = acme;
      const { kysely } = database.db;
      const body = { orgId, subdomain: "shop", name: "Shop", authMode: "disabled" };
      const created = await asAdmin("POST", "/admin/applications", body);
      const appId = (created.body["application"] as { id: string }).id;
      for (const [path, tightening] of [
        [`/admin/applications/${appId}`, sql`update applications set auth_mode = 'custom' where id = ${appId}`],
        [`/admin/organizations/${orgId}`, sql`update organizations set require_totp = 1 where id = ${orgId}`],
      ] as const) {
        const { session } = acme.admin;
        const rename = () => api.call("PUT", path, { session, body: { name: "Renamed" } });
        expect((await meanwhile(database.db, (trx) => tightening.execute(trx), rename)).status).toBe(200);
      }
      expect(await kysely.selectFrom("applications").select(["name", "auth_mode"]).executeTakeFirst()).toEqual({
        ...{ name: "Renamed", auth_mode: "custom" },
      });
      const organization = kysely.selectFrom("organizations").select(["name", "require_totp"]).where("id", "=", orgId);
      expect(await organization.executeTakeFirst()).toEqual({ name: "Renamed", require_totp: 1 });
    });
  });

  test("security: of two who choose whose policy counts for an application, the second is told, if it says what it saw", async () => {
    await using acme = await openAcme(open);
    const { asAdmin, database } = acme;
    const app = await acme.createApp();
    const put = (body: object) => asAdmin("PUT", `/admin/applications/${app.id}`, body);
    const tighten = (trx: Trx) => trx.updateTable("applications").set({ auth_mode: "custom" }).execute();
    const makePublic = () => put({ authMode: "disabled", basedOn: "inherit" });
    const late = await meanwhile(database.db, tighten, makePublic);
    expect({ status: late.status, error: late.body["error"] }).toMatchObject({
      status: 409,
      error: { code: "conflict" },
    });
    const modeOf = async (body: object) => ((await put(body)).body["application"] as Shown | undefined)?.["authMode"];
    expect(await modeOf({ name: "Renamed" })).toBe("custom");
    expect(await modeOf({ authMode: "disabled", basedOn: "custom" })).toBe("disabled");
    // Whoever does not say what was read replaces whatever there is.
    expect(await modeOf({ authMode: "inherit" })).toBe("inherit");
    expect(errorOf(await put({ authMode: "custom", basedOn: "open" })).code).toBe("validation");
  });

  test("security: a number of a limiter is changed alone: what another change, at the same time, tightened stays", async () => {
    await using acme = await openAcme(open);
    const { asAdmin, orgId, database } = acme;
    const app = await acme.createApp();
    const ofOrganization = { enabled: true, maxAttempts: 3, windowDurationSeconds: 600, blockDurationSeconds: 7_200 };
    await asAdmin("PUT", `/admin/organizations/${orgId}/rate-limit`, ofOrganization);
    const path = `/admin/applications/${app.id}/rate-limit`;
    const set = async (body: object) => (await asAdmin("PUT", path, body)).body["rateLimit"];
    // What it has inherited so far is its own from then on.
    const first = { ...ofOrganization, blockDurationSeconds: 60, isDefault: false, source: "application" };
    expect(await set({ blockDurationSeconds: 60 })).toMatchObject(first);
    const tightened = {
      ...{ enabled: 1 as const, max_attempts: 1, window_seconds: 3_600, block_seconds: 60, updated_at: 0 },
      ...{ org_id: orgId, app_id: app.id, owner_id: app.id },
    };
    const other = async (trx: Trx) => {
      await holdRow(trx, "applications", app.id);
      await saveRateLimit(trx, tightened);
    };
    const answer = await meanwhile(database.db, other, () => asAdmin("PUT", path, { blockDurationSeconds: 900 }));
    const now = { enabled: true, maxAttempts: 1, windowDurationSeconds: 3_600, blockDurationSeconds: 900 };
    expect(answer.body["rateLimit"]).toMatchObject(now);
    expect(await set({ enabled: false })).toMatchObject({ ...now, enabled: false });
  });

  test("what is deleted twice at once is deleted, and in the log, once", async () => {
    await using acme = await openAcme(open);
    const { api, asAdmin, orgId, otherBoss, otherOrgId, database } = acme;
    const { id } = await createPerson(api, { username: "leaving", orgId, login: false });
    const app = await acme.createApp();
    await database.db.kysely.deleteFrom("accounts").where("id", "=", otherBoss.id).execute();
    for (const [path, table, ref] of [
      [`/admin/applications/${app.id}`, "applications", app.id],
      [`/admin/accounts/${id}/hard`, "accounts", id],
      [`/admin/organizations/${otherOrgId}`, "organizations", otherOrgId],
    ] as const) {
      const before = api.audited.length;
      const remove = () => asAdmin("DELETE", path);
      const answer = await meanwhile(
        database.db,
        (trx) => trx.deleteFrom(table).where("id", "=", ref).execute(),
        remove,
      );
      expect({ path, status: answer.status }).toEqual({ path, status: 404 });
      expect(api.audited.slice(before)).toEqual([]);
    }
  });

  test("two changes of a limiter at once: the log tells of each what it changed", async () => {
    await using acme = await openAcme(open);
    const { api, asAdmin, orgId, database } = acme;
    const app = await acme.createApp();
    const body = { enabled: true, maxAttempts: 5, windowDurationSeconds: 60, blockDurationSeconds: 60 };
    const before = { ...body, maxAttempts: 50 };
    const row = {
      ...{ enabled: 1 as const, max_attempts: 50, window_seconds: 60, block_seconds: 60, updated_at: 0 },
      org_id: orgId,
    };
    for (const [method, path, table, ownerId] of [
      ["PUT", `/admin/organizations/${orgId}`, "organizations", orgId],
      ["PUT", `/admin/applications/${app.id}`, "applications", app.id],
      ["DELETE", `/admin/applications/${app.id}`, "applications", app.id],
    ] as const) {
      const other = async (trx: Trx) => {
        await holdRow(trx, table, ownerId);
        await saveRateLimit(trx, { ...row, owner_id: ownerId, app_id: ownerId === orgId ? null : ownerId });
      };
      const change = () => asAdmin(method, `${path}/rate-limit`, method === "PUT" ? body : undefined);
      const answer = await meanwhile(database.db, other, change);
      expect({ path, status: answer.status }).toEqual({ path, status: 200 });
      const after = method === "PUT" ? body : null;
      expect({ path, details: api.audited.at(-1)?.details }).toEqual({ path, details: { before, after } });
    }
  });
});
