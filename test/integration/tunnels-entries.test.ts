// What changes in the database changes at the shards: entries of applications and policies, on both engines.

import { describe, expect, test } from "bun:test";
import { NameDirectory } from "../../src/api/tunnels/directory.ts";
import { StorageFailure } from "../../src/db/engine.ts";
import { replacePolicy } from "../../src/db/policies.ts";
import { saveRateLimit } from "../../src/db/rate-limits.ts";
import { newId } from "../../src/lib/ids.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { FakeShards } from "../helpers/fake-shards.ts";
import { basicPolicy, acmeOf } from "../helpers/registry-facts.ts";
import { addApplication, addOrganization, openTestRegistry } from "../helpers/test-registry.ts";

const compileForApplications = async () => new Map();
const compiled = (kind: "deny" | "open") => async () => ({ kind });

describeEngines("changes and entries", (open) => {
  test("an application that is made, renamed or deleted has its entry at the right shard, with its policy", async () => {
    await using fresh = await open();
    const { orgId } = await acmeOf(fresh);
    await using at = await openTestRegistry(fresh);
    expect(at.shards.names.get("shop")).toMatchObject({ orgId, policy: { kind: "open" } });
    const id = await addApplication(fresh, orgId, "blog");
    await eventually(() => at.shards.names.get("blog")?.appId === id, "the new name is known");
    await at.change("application", id, orgId, (trx) =>
      trx.updateTable("applications").set({ subdomain: "news" }).where("id", "=", id).execute(),
    );
    await eventually(() => at.shards.names.get("news")?.appId === id, "the name it has now");
    expect(at.shards.names.has("blog")).toBe(false);
    await at.change("application", id, orgId, (trx) => trx.deleteFrom("applications").where("id", "=", id).execute());
    await eventually(() => !at.shards.names.has("news"), "the name is unknown");
  });

  test("a start reads the policies of all applications with a few statements, and finds what each has by itself", async () => {
    await using fresh = await open();
    const { orgId } = await acmeOf(fresh);
    const other = await addOrganization(fresh, "other");
    await replacePolicy(fresh.db.kysely, basicPolicy(other), null);
    const limiter = {
      org_id: other,
      app_id: null,
      enabled: 1 as const,
      max_attempts: 3,
      window_seconds: 60,
      block_seconds: 60,
    };
    await fresh.db.transaction((trx) => saveRateLimit(trx, { ...limiter, owner_id: other, updated_at: 0 }));
    for (let i = 0; i < 30; i++) await addApplication(fresh, orgId, `open-${i}`);
    for (const [name, change] of Object.entries({
      theirs: {},
      custom: { auth_mode: "custom" },
      missing: { auth_mode: "custom" },
      disabled: { auth_mode: "disabled" },
      inactive: { is_active: 0 },
    } as const)) {
      const id = await addApplication(fresh, other, name);
      if (name === "custom")
        await replacePolicy(fresh.db.kysely, { ...basicPolicy(other, id), basic_username: "own" }, null);
      await fresh.db.kysely
        .updateTable("applications")
        .set({ subdomain: name, ...change })
        .where("id", "=", id)
        .execute();
    }
    let statements = 0;
    await using at = await openTestRegistry(fresh, { beforePolicyQuery: () => void statements++ });
    expect(statements).toBeLessThan(10);
    expect(at.shards.names.get("custom")?.policy).toMatchObject({ kind: "basic", limiter: { maxAttempts: 3 } });
    const alone = [];
    for (const name of at.shards.names.keys()) alone.push([name, await at.policies.compileForName(name)]);
    expect(alone).toHaveLength(36);
    expect([...at.shards.names].map(([name, { policy }]) => [name, policy])).toEqual(alone);
  });

  test("an agent that is faster than the feed finds its application's entry at the shard", async () => {
    await using fresh = await open();
    const { orgId, key } = await acmeOf(fresh);
    await using at = await openTestRegistry(fresh);
    // No row in the feed: as if nobody had looked at it yet.
    const app = {
      id: newId("app"),
      org_id: orgId,
      subdomain: "brand-new",
      name: "brand-new",
      auth_mode: "inherit" as const,
    };
    const totals = { total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0 };
    await fresh.db.kysely
      .insertInto("applications")
      .values({ ...app, is_active: 1, created_at: 0, ...totals })
      .execute();
    expect(at.shards.names.has("brand-new")).toBe(false);
    await at.mustRegister(key, { subdomain: "brand-new" });
    expect(at.shards.names.get("brand-new")).toMatchObject({ appId: app.id, orgId });
  });

  test.each(["brief", null])("a lease that is given up while its name is entered is no more: %p", async (subdomain) => {
    await using fresh = await open();
    const { ada } = await acmeOf(fresh);
    const entered: string[] = [];
    const duringRegistration = async (name: string): Promise<void> => {
      entered.push(name);
      for (const { id } of at.registry.live()) at.registry.release(id, ada.id);
    };
    await using at = await openTestRegistry(fresh, { duringRegistration });
    expect(await at.refusal(ada, subdomain === null ? {} : { subdomain })).toBe("unavailable");
    expect(entered).toHaveLength(1);
    expect(at.registry.live()).toEqual([]);
    expect(at.shards.names.has(entered[0]!)).toBe(false);
  });

  test("a name that went from one application to another stays known when its old owner's change is heard last", async () => {
    await using fresh = await open();
    const { orgId, shop } = await acmeOf(fresh);
    const shards = new FakeShards(1, Date.now);
    const policies = { compileForName: compiled("open"), compileForOwner: compiled("open"), compileForApplications };
    const directory = new NameDirectory({ db: fresh.db.kysely, link: shards, policies });
    await directory.load();
    await fresh.db.kysely.updateTable("applications").set({ subdomain: "old-shop" }).where("id", "=", shop).execute();
    const heir = await addApplication(fresh, orgId, "shop");
    await directory.lease({ name: "shop", appId: heir, orgId });
    directory.hold("shop", 5);
    await directory.refreshApplication(shop);
    expect(shards.names.get("shop")).toMatchObject({ appId: heir, heldUntilMs: 5 });
    expect(shards.names.get("old-shop")).toMatchObject({ appId: shop });
  });

  describe("security", () => {
    test("what was read of an application before a change never takes the place of what was read after it", async () => {
      await using fresh = await open();
      const { orgId, shop } = await acmeOf(fresh);
      const shards = new FakeShards(1, Date.now);
      let inForce: "open" | "deny" = "open";
      let reads = 0;
      const read = async () => {
        const kind = inForce;
        if (reads++ === 0) await Bun.sleep(100);
        return { kind };
      };
      const policies = { compileForName: read, compileForOwner: read, compileForApplications };
      const directory = new NameDirectory({ db: fresh.db.kysely, link: shards, policies });
      const registration = directory.lease({ name: "shop", appId: shop, orgId });
      await eventually(() => reads === 1, "its agent registers before the feed tells of the application");
      inForce = "deny";
      await Promise.all([registration, directory.refreshApplication(shop).then(() => directory.recompile(orgId))]);
      expect(shards.names.get("shop")).toMatchObject({ appId: shop, policy: { kind: "deny" } });
    });

    test("a policy that can't be read for a moment lets nobody in meanwhile, and is in force as soon as it can be read", async () => {
      await using fresh = await open();
      const { orgId } = await acmeOf(fresh);
      let isBroken = false;
      const beforePolicyQuery = (): void => {
        if (isBroken) throw new StorageFailure(new Error("no connection"));
      };
      await using at = await openTestRegistry(fresh, { beforePolicyQuery });
      const kindOf = (name: string) => at.shards.names.get(name)?.policy.kind;
      expect(kindOf("shop")).toBe("open");
      isBroken = true;
      await at.change("policy", orgId, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId), null));
      await eventually(() => kindOf("shop") === "deny", "nobody is let in");
      isBroken = false;
      await eventually(() => kindOf("shop") === "basic", "the policy is in force");
    });

    test("a policy that changes is compiled and pushed: the organization's to all who inherit it, ad-hoc names too, and to nobody else", async () => {
      await using fresh = await open();
      const { orgId, shop, ada } = await acmeOf(fresh);
      const other = await addOrganization(fresh, "globex");
      await addApplication(fresh, other, "theirs");
      const own = await addApplication(fresh, orgId, "own");
      await fresh.db.kysely.updateTable("applications").set({ auth_mode: "custom" }).where("id", "=", own).execute();
      await using at = await openTestRegistry(fresh);
      const kindOf = (name: string) => at.shards.names.get(name)?.policy.kind;
      await at.serve(ada, { subdomain: "adhoc" });
      expect([kindOf("shop"), kindOf("adhoc"), kindOf("theirs"), kindOf("own")]).toEqual([
        "open",
        "open",
        "open",
        "deny",
      ]);
      const sentBefore = at.shards.sent.length;
      await at.change("policy", orgId, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId), null));
      await eventually(() => kindOf("shop") === "basic" && kindOf("adhoc") === "basic", "the policy is in force");
      expect([kindOf("theirs"), kindOf("own")]).toEqual(["open", "deny"]);
      // Only what changed is sent.
      expect(
        at.shards.sent
          .slice(sentBefore)
          .map(({ message }) => (message.type === "names" ? message.set[0]?.name : ""))
          .sort(),
      ).toEqual(["adhoc", "shop"]);
      await at.change("application", shop, orgId, (trx) =>
        trx.updateTable("applications").set({ auth_mode: "disabled" }).where("id", "=", shop).execute(),
      );
      await eventually(() => kindOf("shop") === "open", "the application's own choice is in force");
      await at.change("policy", own, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId, own), null));
      await eventually(() => kindOf("own") === "basic", "its own policy is in force");
    });

    test("an ad-hoc lease never takes the place of an application's entry", async () => {
      await using fresh = await open();
      const { orgId, shop } = await acmeOf(fresh);
      const shards = new FakeShards(1, Date.now);
      const policies = { compileForName: compiled("deny"), compileForOwner: compiled("open"), compileForApplications };
      const directory = new NameDirectory({ db: fresh.db.kysely, link: shards, policies });
      await directory.load();
      await directory.lease({ name: "shop", appId: null, orgId: null });
      expect(shards.names.get("shop")).toMatchObject({ appId: shop, orgId, policy: { kind: "deny" } });
    });
  });
});
