// The feed of changes when the database can't be read for a moment, on both engines.

import { expect, test } from "bun:test";
import { createChangesFeed } from "../../src/db/changes.ts";
import { StorageFailure } from "../../src/db/engine.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";

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
    const feed = createChangesFeed({ kysely, engine, sqlite: null, postgres: null, pollMs: 1_000, onError });
    feed.subscribe((changes) => seen.push(...changes.map(({ refId }) => refId)));
    await feed.start();
    await fresh.db.transaction((trx) => feed.record(trx, { kind: "account", refId: "revoked", action: "updated" }));
    isBroken = true;
    await feed.caughtUp();
    expect([seen, failures.length]).toEqual([[], 1]);
    isBroken = false;
    await eventually(() => seen.length > 0, "the change is heard of", 5_000);
    expect(seen).toEqual(["revoked"]);
    await feed.stop();
  });
});
