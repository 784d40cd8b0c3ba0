// Two changes of one policy at once, on PostgreSQL: SQLite has one transaction at a time.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { findPolicy } from "../../src/db/policies.ts";
import { openTestPostgres } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

describe("security", () => {
  test("whoever changes a policy that is being changed is told, and does not take back what the other one tightened", async () => {
    await using server = await startVisitorServer({ openDatabase: openTestPostgres });
    const { kysely } = server.db;
    await server.setPolicy("app", { authType: "api_key" });
    const isWaiting = async (): Promise<boolean> => {
      const query = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return (await query.execute(kysely)).rows.length > 0;
    };
    const { answer } = await server.db.transaction(async (trx) => {
      const tightened = { version: "tightened", deny_ips_json: '["0.0.0.0/0"]' };
      await trx.updateTable("policies").set(tightened).where("owner_id", "=", "app_app").execute();
      const put = server.policies.putPolicy({ orgId, appId: "app_app" }, { authType: "api_key" }, {});
      const ended = put.catch((error: unknown) => error);
      await eventually(isWaiting, "the other one waits");
      return { answer: ended };
    });
    expect(await answer).toMatchObject({ code: "conflict" });
    expect(await findPolicy(kysely, "app_app")).toMatchObject({ version: "tightened" });
  });
});
