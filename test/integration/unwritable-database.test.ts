// A database that can be read and not written, as with a full disk: who is let in already goes on.

import { expect, test } from "bun:test";
import { sql } from "kysely";
import type { Database } from "../../src/db/database.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestSqlite } from "../helpers/databases.ts";
import { createPerson } from "../helpers/people.ts";
import { addKey } from "../helpers/visitor-asks.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

const refuseWrites = (db: Pick<Database, "kysely">) => sql.raw("pragma query_only = on").execute(db.kysely);

test("a session reads on, although its last use can't be noted", async () => {
  await using database = await openTestSqlite();
  const api = createTestApi(database);
  const { session } = await createPerson(api, { username: "ada" });
  await refuseWrites(database.db);
  api.clock.nowMs += 3_600_000;
  expect((await api.call("GET", "/auth/me", { session })).status).toBe(200);
  expect((await api.call("POST", "/auth/logout", { session, body: {} })).status).toBe(503);
});

test("a visitor's key passes, although its last use can't be noted", async () => {
  await using server = await startVisitorServer();
  await server.setPolicy("app", { authType: "api_key" });
  const key = await addKey(server, {});
  await refuseWrites(server.db);
  const [address, network] = ["203.0.113.5", "203.0.113.5"];
  const ask = { kind: "api_key" as const, name: "app", appId: "app_app", orgId, key, address, network };
  expect(await server.auth.answer(ask)).toMatchObject({ kind: "allow" });
});
