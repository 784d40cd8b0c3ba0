// The feed of changes when the database can't be read for a moment, on both engines, and when its connection falls silent.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { createChangesFeed } from "../../src/db/changes.ts";
import { createDatabase } from "../../src/db/database.ts";
import { StorageFailure } from "../../src/db/engine.ts";
import { describeEngines, openTestPostgres } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { startRelay } from "../helpers/relay.ts";

describeEngines("feed of changes", (open, engine) => {
  test("a change that could not be read is heard of, though no other follows", async () => {
    await using fresh = await open();
    let isBroken = false;
    const kysely = fresh.db.kysely.withPlugin({
      transformQuery({ node }) {
        if (isBroken) throw new StorageFailure("no connection");
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const [seen, failures]: [string[], unknown[]] = [[], []];
    const onError = (error: unknown) => void failures.push(error);
    let reads = 0;
    const onRead = (): void => void reads++;
    const feed = createChangesFeed({ kysely, engine, sqlite: null, pollMs: 1_000, onError, onRead });
    feed.subscribe((changes) => seen.push(...changes.map(({ refId }) => refId)));
    await feed.start();
    await fresh.db.transaction((trx) => feed.record(trx, { kind: "account", refId: "revoked", action: "updated" }));
    isBroken = true;
    await feed.caughtUp();
    expect([seen, failures.length, reads]).toEqual([[], 1, 0]);
    isBroken = false;
    await eventually(() => seen.length > 0, "the change is heard of");
    expect(seen).toEqual(["revoked"]);
    await eventually(() => reads > 0, "that it could be read is heard of");
    await feed.stop();
  });
});

describe("security", () => {
  /** A second process's view of a database, through a relay; its feed has started on the relay's last connection. */
  async function openRelayed() {
    const fresh = await openTestPostgres();
    const url = new URL(fresh.options.url!);
    const relay = await startRelay(Number(url.port));
    url.port = String(relay.port);
    const [heard, failures]: [string[], unknown[]] = [[], []];
    const onError = (error: unknown) => void failures.push(error);
    const db = await createDatabase({ ...fresh.options, url: url.href, onError });
    db.changes.subscribe((changes) => heard.push(...changes.map(({ refId }) => refId)));
    await db.changes.start();
    const { changes } = fresh.db;
    return {
      db,
      relay,
      heard,
      failures,
      revoke: () =>
        fresh.db.transaction((trx) => changes.record(trx, { kind: "api_key", refId: "revoked", action: "deleted" })),
      async [Symbol.asyncDispose]() {
        await db.close();
        await relay[Symbol.asyncDispose]();
        await fresh[Symbol.asyncDispose]();
      },
    };
  }

  test("what another process writes is heard though every connection fell silent without an end", async () => {
    await using one = await openRelayed();
    for (const connection of one.relay.connections) connection.stall();
    await one.revoke();
    await eventually(() => one.heard.length > 0, "the revocation is heard of", 10_000);
    expect([one.heard, one.failures]).toEqual([["revoked"], [expect.any(StorageFailure)]]);
  }, 30_000);

  test("a database is not ready while its feed hears nothing, be it that statements are answered", async () => {
    await using one = await openRelayed();
    const { db, relay } = one;
    expect(await db.isReady()).toBe(true);
    relay.refusing = true;
    relay.connections.at(-1)!.stall();
    await one.revoke();
    await eventually(async () => !(await db.isReady()), "it is not ready", 10_000);
    await sql`select 1`.execute(db.kysely);
    expect(one.heard).toEqual([]);
    relay.refusing = false;
    await eventually(db.isReady, "it is ready again", 10_000);
    expect(one.heard).toEqual(["revoked"]);
  }, 30_000);
});
