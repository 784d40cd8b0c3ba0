// An application is renamed while its agents register: nobody keeps, or is given, the old name. On both engines.

import { describe, expect, test } from "bun:test";
import type { Database } from "../../src/db/database.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { acmeOf, closed, reasonsOf } from "../helpers/registry-facts.ts";
import { openTestRegistry } from "../helpers/test-registry.ts";

async function rename(db: Database, orgId: string, appId: string, subdomain: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx.updateTable("applications").set({ subdomain }).where("id", "=", appId).execute();
    await db.changes.record(trx, { kind: "application", refId: appId, orgId, action: "updated" });
  });
}

/** The same database, which waits for `behindLease` whenever a lease was stored: in the middle of its registration. */
function slowed(database: TestDatabase, behindLease: () => Promise<void>): TestDatabase {
  const leases = new WeakSet<object>();
  const kysely = database.db.kysely.withPlugin({
    transformQuery: ({ node, queryId }) => {
      if (node.kind === "InsertQueryNode" && JSON.stringify(node.into).includes('"leases"')) leases.add(queryId);
      return node;
    },
    transformResult: async ({ result, queryId }) => {
      if (leases.has(queryId)) await behindLease();
      return result;
    },
  });
  return { ...database, db: { ...database.db, kysely } };
}

/** The same database, whose changes are heard of later: between `hold` and `deliver` of none. */
function delayed(database: TestDatabase) {
  let held: (() => void)[] | null = null;
  const { changes } = database.db;
  const subscribe: typeof changes.subscribe = (listener) =>
    changes.subscribe((news) => (held === null ? listener(news) : void held.push(() => listener(news))));
  return {
    database: { ...database, db: { ...database.db, changes: { ...changes, subscribe } } },
    hold: () => void (held = []),
    deliver: () => {
      const late = held ?? [];
      held = null;
      for (const tell of late) tell();
    },
  };
}

describeEngines("renamed applications", (open) => {
  describe("security", () => {
    test("in the middle of a registration that took the name from its key: it is not granted, and the next one has the new name", async () => {
      await using fresh = await open();
      const { orgId, shop, shopKey } = await acmeOf(fresh);
      let meanwhile: (() => Promise<void>) | null = null;
      const database = slowed(fresh, async () => {
        const work = meanwhile;
        meanwhile = null;
        await work?.();
      });
      await using at = await openTestRegistry(database);
      meanwhile = async () => {
        await rename(fresh.db, orgId, shop, "store");
        await eventually(() => at.shards.names.has("store"), "the new name is in force");
      };
      const first = await at.register(shopKey);
      expect([meanwhile, first]).toMatchObject([null, { code: "unavailable", retryable: true }]);
      expect([...at.shards.tickets.values()]).toEqual([]);
      const tunnel = await at.serve(shopKey, { generation: 2 });
      expect([tunnel.subdomain, at.shards.names.has("shop")]).toEqual(["store", false]);
    });

    test("an agent that is faster with the new name than the news of it: the old name's agents are closed, it is not", async () => {
      await using fresh = await open();
      const { orgId, shop, shopKey, ada } = await acmeOf(fresh);
      const late = delayed(fresh);
      await using at = await openTestRegistry(late.database);
      const old = await at.serve(ada, { subdomain: "shop" });
      late.hold();
      await rename(fresh.db, orgId, shop, "store");
      const tunnel = await at.serve(shopKey);
      expect(tunnel.subdomain).toBe("store");
      expect(at.shards.sessionsOf(old.tunnelId)).toHaveLength(1);
      late.deliver();
      await closed(at, old.tunnelId);
      expect(reasonsOf(at, old.tunnelId)).toContain("application_changed");
      await at.applied();
      expect(at.shards.sessionsOf(tunnel.tunnelId)).toHaveLength(1);
    });
  });
});
