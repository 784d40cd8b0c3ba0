// Two changes of one thing at once, on PostgreSQL: SQLite has one transaction at a time.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { openTestPostgres } from "../../helpers/databases.ts";
import { eventually } from "../../helpers/eventually.ts";
import { createOrganization, createPerson } from "../../helpers/people.ts";
import { createTenantApi } from "../../helpers/tenants.ts";

describe("security", () => {
  test("a change of a name does not take back what another change, at the same time, tightened", async () => {
    await using database = await openTestPostgres();
    const api = createTenantApi(database);
    const { db } = database;
    const { session } = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    const orgId = await createOrganization(api, "Acme");
    const body = { orgId, subdomain: "shop", name: "Shop", authMode: "disabled" };
    const created = await api.call("POST", "/admin/applications", { session, body });
    const appId = (created.body["application"] as { id: string }).id;
    const isWaiting = async (): Promise<boolean> => {
      const query = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return (await query.execute(db.kysely)).rows.length > 0;
    };
    for (const [path, tightening] of [
      [`/admin/applications/${appId}`, sql`update applications set auth_mode = 'custom' where id = ${appId}`],
      [`/admin/organizations/${orgId}`, sql`update organizations set require_totp = 1 where id = ${orgId}`],
    ] as const) {
      const { answer } = await db.transaction(async (trx) => {
        await tightening.execute(trx);
        const call = api.call("PUT", path, { session, body: { name: "Renamed" } });
        await eventually(isWaiting, "the other change waits");
        return { answer: call };
      });
      expect((await answer).status).toBe(200);
    }
    const { kysely } = db;
    expect(await kysely.selectFrom("applications").select(["name", "auth_mode"]).execute()).toEqual([
      { name: "Renamed", auth_mode: "custom" },
    ]);
    expect(await kysely.selectFrom("organizations").select(["name", "require_totp"]).execute()).toEqual([
      { name: "Renamed", require_totp: 1 },
    ]);
    await api.tenants.close();
  });
});
