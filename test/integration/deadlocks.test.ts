// Waits for a lock that have no end: one side is refused, and nothing of it stays.

import { Database as SqliteFile } from "bun:sqlite";
import { expect, test } from "bun:test";
import type { Trx } from "../../src/db/database.ts";
import { StorageFailure } from "../../src/db/engine.ts";
import { openTestPostgres, openTestSqlite } from "../helpers/databases.ts";

test("of two transactions that wait for each other one is ended: it is a failure of the storage, which may be tried again", async () => {
  await using fresh = await openTestPostgres();
  const { db } = fresh;
  const rows = ["one", "two"].map((key) => ({ key, value: "before", updated_at: 0 }));
  await db.kysely.insertInto("settings").values(rows).execute();
  const write = (trx: Trx, key: string, value: string) =>
    trx.updateTable("settings").set({ value }).where("key", "=", key).execute();
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const cross = (mine: 0 | 1, first: string, second: string) =>
    db.transaction(async (trx) => {
      await write(trx, first, `of ${mine}`);
      both[mine].resolve();
      await both[1 - mine]!.promise;
      await write(trx, second, `of ${mine}`);
    });
  const outcomes = await Promise.allSettled([cross(0, "one", "two"), cross(1, "two", "one")]);
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(failed.map(({ reason }) => reason as unknown)).toEqual([expect.any(StorageFailure)]);
  const winner = `of ${outcomes.findIndex(({ status }) => status === "fulfilled")}`;
  const stored = await db.kysely.selectFrom("settings").select("value").where("key", "in", ["one", "two"]).execute();
  expect(stored).toEqual([{ value: winner }, { value: winner }]);
});

test("a lock of another process that is never given back is a failure of the storage as well", async () => {
  await using fresh = await openTestSqlite();
  const other = new SqliteFile(fresh.options.path);
  other.run("begin immediate");
  const row = { key: "k", value: "v", updated_at: 0 };
  const insert = () => fresh.db.kysely.insertInto("settings").values(row).execute();
  expect(await insert().catch((error: unknown) => error)).toBeInstanceOf(StorageFailure);
  other.run("rollback");
  other.close();
  await insert();
}, 20_000);
