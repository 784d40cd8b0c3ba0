// A PostgreSQL that takes questions and answers none, as behind a broken network: readiness says so, and the server still ends.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { findAccountByUsername } from "../../src/db/accounts.ts";
import { createDatabase } from "../../src/db/database.ts";
import { StorageFailure } from "../../src/db/engine.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestPostgres } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { createPerson } from "../helpers/people.ts";
import { openLosingAnswers } from "../helpers/lost-answers.ts";
import { freshPostgresUrl, pausePostgres } from "../helpers/postgres.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { givenSecrets, serverOfSilentDatabase } from "../helpers/silent-database.ts";

test("it is not ready, and says so in time", async () => {
  await using one = await serverOfSilentDatabase();
  const { port } = one.server;
  const ask = () => requestOnce({ port }, "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
}, 30_000);

test("its end has a limit, and what is lost is said", async () => {
  await using one = await serverOfSilentDatabase();
  const { server } = one;
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(server.log.map(({ message }) => message)).toContain("the database does not answer: what waits is not stored");
}, 30_000);

test("what needs it is refused in time, however much is asked, and works again when it answers", async () => {
  const env = { ...givenSecrets, DATABASE_URL: await freshPostgresUrl(), DATABASE_TIMEOUT_MS: "1000" };
  await using server = await startServerProcess({ shards: 1, env });
  const api = adminApi(server);
  await api.must("POST", "/admin/organizations", { name: "before" });
  const ask = () => [
    api.call("GET", "/setup/status"),
    api.call("GET", "/admin/me"),
    api.call("GET", "/admin/organizations"),
    api.call("POST", "/admin/organizations", { name: "meanwhile" }),
  ];
  const resume = await pausePostgres();
  try {
    // More at once than there are connections, and again when all of those were given up.
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(Array.from({ length: 5 }, ask).flat());
      expect(answers.map(({ status, body }) => [status, body["error"]])).toEqual(
        answers.map(() => [503, expect.objectContaining({ code: "unavailable" })]),
      );
    }
  } finally {
    resume();
  }
  await eventually(async () => (await api.call("GET", "/admin/me")).status === 200, "it answers again");
  const names = (await api.must("GET", "/admin/organizations"))["organizations"] as { name: string }[];
  expect(names.map(({ name }) => name)).toEqual(["before"]);
  await api.must("POST", "/admin/organizations", { name: "afterwards" });
}, 60_000);

test("a statement without an answer is given up, with its transaction and its connection", async () => {
  await using fresh = await openTestPostgres();
  const impatient = await createDatabase({ ...fresh.options, maxConnections: 1, timeoutMs: 200 });
  const { kysely } = impatient;
  const keys = () => kysely.selectFrom("settings").select("key").where("key", "=", "k").execute();
  const stuck = impatient.transaction(async (trx) => {
    await trx.insertInto("settings").values({ key: "k", value: "v", updated_at: 0 }).execute();
    await sql`select pg_sleep(60)`.execute(trx);
  });
  const why = await stuck.catch((error: unknown) => error);
  expect(why).toBeInstanceOf(StorageFailure);
  expect(String(why)).toContain("no answer in 200 ms");
  expect(await keys()).toEqual([]);
  await impatient.close();
}, 30_000);

describe("an answer that was lost", () => {
  test("of a commit, it is not said that nothing was changed: it may have been", async () => {
    await using at = await openLosingAnswers();
    const { session } = await createPerson(createTestApi(at.fresh), { username: "root", isAdmin: true, totp: true });
    const { call } = createTestApi({ ...at.fresh, db: at.impatient });
    const answer = await at.loseAnswer("accounts", () =>
      call("POST", "/admin/accounts", { session, body: { username: "made" } }),
    );
    expect([answer.status, answer.body["error"]]).toEqual([
      503,
      expect.objectContaining({
        code: "unavailable",
        message: "The database did not say whether the change was made. Look before you try again.",
      }),
    ]);
    expect(await findAccountByUsername(at.fresh.db.kysely, "made")).not.toBeNull();
  }, 30_000);

  test("of a single statement neither, unless it only reads", async () => {
    await using at = await openLosingAnswers();
    await createPerson(createTestApi(at.fresh), { username: "root", isAdmin: true });
    const { kysely } = at.impatient;
    const why = async (asked: { execute(): Promise<unknown> }) => asked.execute().catch((error: unknown) => error);
    const used = kysely.updateTable("accounts").set({ last_used_at: sql`length(pg_sleep(3)::text)` });
    expect(await why(used)).toMatchObject({ mayBeDone: true });
    expect(await why(kysely.selectFrom("accounts").select(sql`pg_sleep(3)`.as("slept")))).toMatchObject({
      mayBeDone: false,
    });
  }, 30_000);
});
