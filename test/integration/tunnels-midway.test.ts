// What happens in the middle of a registration, on both engines: the same agent's second thoughts, and other people's changes.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { replacePolicy } from "../../src/db/policies.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { acmeOf, basicPolicy, historyOf, leaseRow, stateOf } from "../helpers/registry-facts.ts";
import { addAccount, openTestRegistry, type TestRegistry } from "../helpers/test-registry.ts";

/** A registry whose next registration of an ad-hoc name does `once` in its middle. */
async function openWithMiddle(fresh: TestDatabase): Promise<TestRegistry & { once(work: () => Promise<void>): void }> {
  let meanwhile: (() => Promise<void>) | null = null;
  const at = await openTestRegistry(fresh, {
    async duringRegistration() {
      const work = meanwhile;
      meanwhile = null;
      await work?.();
    },
  });
  return Object.assign(at, { once: (work: () => Promise<void>) => void (meanwhile = work) });
}

describeEngines("in the middle of a registration", (open, engine) => {
  describe("security", () => {
    test("a name does not stay under the policy, or want of one, that its account had before it was moved", async () => {
      await using fresh = await open();
      const { orgId } = await acmeOf(fresh);
      await replacePolicy(fresh.db.kysely, basicPolicy(orgId), null);
      const bob = await addAccount(fresh, "bob");
      await using at = await openWithMiddle(fresh);
      at.once(async () => {
        await at.change("account", bob.id, orgId, (trx) =>
          trx.updateTable("accounts").set({ org_id: orgId }).where("id", "=", bob.id).execute(),
        );
        await at.applied();
      });
      expect(await at.refusal(bob, { subdomain: "mine" })).toBe("unavailable");
      expect(at.shards.tickets.size).toBe(0);
      await at.serve(bob, { subdomain: "mine" });
      expect(at.shards.names.get("mine")).toMatchObject({ orgId, policy: { kind: "basic" } });
    });

    test("a name that was given up, and is its successor's, does not get the policy of whom gave it up", async () => {
      await using fresh = await open();
      const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
      await using at = await openWithMiddle(fresh);
      const tunnel = await at.serve(ada, { subdomain: "mine" });
      at.once(async () => {
        at.registry.release(tunnel.tunnelId, ada.id);
        const successor = await at.serve(bob, { subdomain: "mine" });
        at.shards.sent.length = 0;
        expect(stateOf(at, successor)).toBe("live");
      });
      expect(await at.refusal(ada, { subdomain: "mine" })).toBe("unavailable");
      expect(at.shards.sent).toEqual([]);
    });
  });

  test("a name whose lease ended while the database could not be written is anybody's afterwards", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh);
    const tunnel = await at.serve(ada, { subdomain: "mine" });
    const { kysely } = fresh.db;
    if (engine === "postgres") {
      await sql`create function fails() returns trigger language plpgsql
        as $$ begin raise exception 'no'; end $$`.execute(kysely);
      await sql`create trigger fails before delete on leases for each row execute function fails()`.execute(kysely);
    } else await sql`create trigger fails before delete on leases begin select raise(abort, 'no'); end`.execute(kysely);
    at.registry.release(tunnel.tunnelId, ada.id);
    await eventually(async () => (await historyOf(fresh, tunnel))?.closed_at !== null, "its end was to be stored");
    // One more write, so that the one that failed is over.
    expect(await at.refusal(ada, { subdomain: "other" })).toBeNull();
    await (engine === "postgres" ? sql`drop trigger fails on leases` : sql`drop trigger fails`).execute(kysely);
    expect(await at.refusal(bob, { subdomain: "mine" })).toBeNull();
    expect(await leaseRow(fresh, "mine")).toMatchObject({ holder_id: bob.id });
  });

  if (engine === "postgres")
    test("a lease that ends while it is being stored is not left in the database, where nobody could take its name", async () => {
      await using fresh = await open();
      const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
      await using at = await openTestRegistry(fresh);
      const tunnel = await at.serve(ada, { subdomain: "mine" });
      const { kysely } = fresh.db;
      await sql`create function waits() returns trigger language plpgsql
        as $$ begin perform pg_advisory_xact_lock(1); return new; end $$`.execute(kysely);
      await sql`create trigger waits before insert on leases for each row execute function waits()`.execute(kysely);
      const registering = await fresh.db.transaction(async (trx) => {
        await sql`select pg_advisory_xact_lock(1)`.execute(trx);
        const result = at.refusal(ada, { subdomain: "mine" });
        const waiting = sql`select 1 from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`;
        await eventually(async () => (await waiting.execute(kysely)).rows.length > 0, "the lease is being stored");
        at.registry.release(tunnel.tunnelId, ada.id);
        await eventually(async () => (await leaseRow(fresh, "mine")) === undefined, "the end is stored");
        return { result };
      });
      expect(await registering.result).toBe("unavailable");
      expect(await at.refusal(bob, { subdomain: "mine" })).toBeNull();
      expect(await leaseRow(fresh, "mine")).toMatchObject({ holder_id: bob.id });
    });
});
