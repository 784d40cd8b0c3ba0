// Two changes of one policy at once, on PostgreSQL: SQLite has one transaction at a time.

import { describe, expect, test } from "bun:test";
import { findPolicy, replacePolicy } from "../../src/db/policies.ts";
import { openTestPostgres } from "../helpers/databases.ts";
import { meanwhile } from "../helpers/meanwhile.ts";
import { basicPolicy } from "../helpers/registry-facts.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

describe("security", () => {
  test("whoever changes a policy that is being changed is told, and does not take back what the other one tightened", async () => {
    await using server = await startVisitorServer({ openDatabase: openTestPostgres });
    const { kysely } = server.db;
    await server.setPolicy("app", { authType: "api_key" });
    const tightened = { version: "tightened", deny_ips_json: '["0.0.0.0/0"]' };
    const answer = await meanwhile(
      server.db,
      (trx) => trx.updateTable("policies").set(tightened).where("owner_id", "=", "app_app").execute(),
      () =>
        server.policies
          .putPolicy({ orgId, appId: "app_app" }, { authType: "api_key" }, {})
          .catch((error: unknown) => error),
    );
    expect(answer).toMatchObject({ code: "conflict" });
    expect(await findPolicy(kysely, "app_app")).toMatchObject({ version: "tightened" });
  });

  test("so is whoever makes a first policy while another one makes it", async () => {
    await using server = await startVisitorServer({ openDatabase: openTestPostgres });
    const first = { ...basicPolicy(orgId, "app_app"), version: "first" };
    const answer = await meanwhile(
      server.db,
      (trx) => replacePolicy(trx, first, null),
      () =>
        server.policies
          .putPolicy({ orgId, appId: "app_app" }, { authType: "api_key" }, {})
          .catch((error: unknown) => error),
    );
    expect(answer).toMatchObject({ code: "conflict" });
    expect(await findPolicy(server.db.kysely, "app_app")).toMatchObject({ version: "first", auth_type: "basic" });
  });
});
