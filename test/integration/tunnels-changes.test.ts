// Changes in the database act on live tunnels within a second, whoever wrote them, on both engines.

import { describe, expect, test } from "bun:test";
import { createDatabase } from "../../src/db/database.ts";
import { replacePolicy } from "../../src/db/policies.ts";
import { removeRateLimit, saveRateLimit } from "../../src/db/rate-limits.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { closed, reasonsOf, basicPolicy, acmeOf } from "../helpers/registry-facts.ts";
import {
  addAccount,
  addApplication,
  addKey,
  addOrganization,
  allow,
  openTestRegistry,
} from "../helpers/test-registry.ts";

describeEngines("changes and live tunnels", (open) => {
  test("what does not concern a tunnel leaves it alone", async () => {
    await using fresh = await open();
    const { orgId, ada, key } = await acmeOf(fresh);
    await using at = await openTestRegistry(fresh);
    const [one, two] = [await at.serve(ada, { subdomain: "one" }), await at.serve(key, { subdomain: "two" })];
    const before = at.shards.sent.length;
    for (const kind of ["account", "api_key", "whitelist", "organization", "session", "rate_limit"] as const)
      await at.change(kind, "other", orgId, async () => {});
    await addApplication(fresh, orgId, "last");
    await eventually(() => at.shards.names.has("last"), "all changes are applied");
    expect(at.shards.sent.slice(before).map(({ message }) => message.type)).toEqual(["names"]);
    expect(
      [at.shards.sessionsOf(one.tunnelId), at.shards.sessionsOf(two.tunnelId)].map((found) => found.length),
    ).toEqual([1, 1]);
  });

  test("whoever waits for it finds that the shards have heard what was committed before", async () => {
    await using fresh = await open();
    const { orgId, ada } = await acmeOf(fresh);
    await using at = await openTestRegistry(fresh);
    await at.serve(ada, { subdomain: "adhoc" });
    const kind = () => at.shards.names.get("adhoc")?.policy.kind;
    await at.change("policy", orgId, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId), null));
    const before = kind();
    await at.registry.caughtUp();
    expect([before, kind()]).toEqual(["open", "basic"]);
  });

  test("an organization's limiter is pushed to its applications and ad-hoc tunnels, and taken back", async () => {
    await using fresh = await open();
    const { orgId, ada } = await acmeOf(fresh);
    await replacePolicy(fresh.db.kysely, basicPolicy(orgId), null);
    await using at = await openTestRegistry(fresh);
    await at.serve(ada, { subdomain: "adhoc" });
    const attempts = () =>
      ["shop", "adhoc"].map((name) => {
        const policy = at.shards.names.get(name)?.policy;
        return policy?.kind === "basic" ? policy.limiter?.maxAttempts : null;
      });
    expect(attempts()).toEqual([10, 10]);
    const numbers = { enabled: 1, max_attempts: 3, window_seconds: 60, block_seconds: 60, updated_at: 0 } as const;
    await at.change("rate_limit", orgId, orgId, (trx) =>
      saveRateLimit(trx, { owner_id: orgId, org_id: orgId, app_id: null, ...numbers }),
    );
    await eventually(() => Bun.deepEquals(attempts(), [3, 3]), "the organization's limiter is in force");
    await at.change("rate_limit", orgId, orgId, (trx) => removeRateLimit(trx, orgId));
    await eventually(() => Bun.deepEquals(attempts(), [10, 10]), "the server's limiter is in force again");
  });

  describe("security", () => {
    test("a key that is deleted, an account that is deactivated, moved, deleted or given another token: sessions and tickets end", async () => {
      await using fresh = await open();
      const { orgId, key, shopKey } = await acmeOf(fresh);
      const other = await addOrganization(fresh, "globex");
      await using at = await openTestRegistry(fresh);
      const edits: [string, (id: string) => Promise<void>][] = (
        [
          ["deactivated", { active: 0 }],
          ["moved", { org_id: other }],
          ["tokened", { token_hash: "0".repeat(64) }],
        ] as const
      ).map(([name, set]) => [
        name,
        (id) =>
          at.change("account", id, orgId, (trx) => trx.updateTable("accounts").set(set).where("id", "=", id).execute()),
      ]);
      edits.push([
        "deleted",
        (id) => at.change("account", id, orgId, (trx) => trx.deleteFrom("accounts").where("id", "=", id).execute()),
      ]);
      for (const [name, edit] of edits) {
        const account = await addAccount(fresh, name, orgId);
        const tunnel = await at.serve(account, { subdomain: name });
        const spare = await at.mustRegister(account, { subdomain: name });
        await edit(account.id);
        await closed(at, tunnel.tunnelId);
        expect(at.shards.open(spare.ticket)).toBe(false);
        expect([name, reasonsOf(at, tunnel.tunnelId)]).toEqual([name, ["credential_revoked"]]);
        expect(at.audited.at(-1)).toMatchObject({
          action: "tunnel.disconnected",
          reason: "credential_revoked",
          actorId: account.id,
        });
        const code = await at.refusal(account, { subdomain: name });
        expect([name, code]).toEqual([
          name,
          { deactivated: "account_inactive", moved: null, tokened: "bad_token", deleted: "bad_token" }[name] ?? null,
        ]);
      }
      for (const [credential, wish] of [
        [key, { subdomain: "adhoc" }],
        [shopKey, {}],
      ] as const) {
        const tunnel = await at.serve(credential, wish);
        await at.change("api_key", credential.id, orgId, (trx) =>
          trx.deleteFrom("api_keys").where("id", "=", credential.id).execute(),
        );
        await closed(at, tunnel.tunnelId);
        expect(reasonsOf(at, tunnel.tunnelId)).toEqual(["credential_revoked"]);
      }
    });

    test("another process's change counts as much, and one that comes twice closes once", async () => {
      await using fresh = await open();
      const { orgId, ada } = await acmeOf(fresh);
      await using at = await openTestRegistry(fresh);
      const tunnel = await at.serve(ada, { subdomain: "mine" });
      const other = await createDatabase(fresh.options);
      await other.transaction(async (trx) => {
        await trx.updateTable("accounts").set({ active: 0 }).where("id", "=", ada.id).execute();
        await other.changes.record(trx, { kind: "account", refId: ada.id, orgId, action: "updated" });
      });
      await other.close();
      await closed(at, tunnel.tunnelId);
      await at.registry.disconnect({ accountId: ada.id }, "credential_revoked");
      await at.change("account", ada.id, orgId, async () => {});
      const closings = () => at.audited.filter(({ action }) => action === "tunnel.disconnected").length;
      expect(closings()).toBe(1);
      // Before the shard's answer.
      const bob = await addAccount(fresh, "bob");
      const { tunnelId } = await at.serve(bob, { subdomain: "other" });
      void at.registry.disconnect({ tunnelId }, "disconnected_by_admin");
      void at.registry.disconnect({ accountId: bob.id }, "credential_revoked");
      expect(closings()).toBe(2);
      // It may come back, and be closed once more.
      await at.serve(bob, { subdomain: "other", generation: 2 });
      await at.registry.disconnect({ accountId: bob.id }, "credential_revoked");
      expect(closings()).toBe(3);
    });

    test("a key that expires ends its sessions", async () => {
      await using fresh = await open();
      const orgId = await addOrganization(fresh, "acme");
      await using at = await openTestRegistry(fresh);
      const key = await addKey(fresh, orgId, { expires_at: at.clock.nowMs + 5_000 });
      const tunnel = await at.serve(key, { subdomain: "mine" });
      at.clock.nowMs += 5_000;
      await closed(at, tunnel.tunnelId);
      expect(await at.refusal(key, { subdomain: "mine" })).toBe("bad_token");
    });

    test("an entry that leaves a list closes whoever came by it, and nobody else", async () => {
      await using fresh = await open();
      const { orgId, ada, key } = await acmeOf(fresh);
      await using at = await openTestRegistry(fresh, { env: { AGENT_WHITELIST: "none" } });
      const office = await allow(fresh, "10.0.0.0/8", { orgId });
      const home = await allow(fresh, "192.0.2.7", { orgId, accountId: ada.id });
      const bob = await addAccount(fresh, "bob", orgId);
      await allow(fresh, "192.0.2.8", { orgId, accountId: bob.id });
      const [far, colleague, near] = [
        await at.serve(ada, { subdomain: "far", address: "192.0.2.7" }),
        await at.serve(bob, { subdomain: "colleague", address: "192.0.2.8" }),
        await at.serve(key, { subdomain: "near", address: "10.0.0.1" }),
      ];
      const spare = await at.mustRegister(ada, { subdomain: "far", address: "192.0.2.7" });
      await at.change("whitelist", home, orgId, (trx) =>
        trx.deleteFrom("whitelist_entries").where("id", "=", home).execute(),
      );
      await closed(at, far.tunnelId);
      expect(at.shards.told("agent-allow", far.tunnelId).at(-1)?.allow).toEqual(["10.0.0.0/8"]);
      expect(at.shards.sessionsOf(near.tunnelId)).toHaveLength(1);
      expect(await at.refusal(ada, { subdomain: "far", address: "192.0.2.7" })).toBe("not_whitelisted");
      expect(at.shards.tickets.get(spare.ticket)?.tunnelId).toBe(far.tunnelId);
      await at.change("whitelist", office, orgId, (trx) =>
        trx.deleteFrom("whitelist_entries").where("id", "=", office).execute(),
      );
      await closed(at, near.tunnelId);
      // The agents are judged one after the other, and once more for each change.
      await at.applied();
      expect(at.shards.told("agent-allow", near.tunnelId).at(-1)?.allow).toEqual([]);
      // Whose own list has the address stays, whatever a colleague's lost.
      expect(at.shards.told("agent-allow", colleague.tunnelId).at(-1)?.allow).toEqual(["192.0.2.8"]);
      expect(at.shards.sessionsOf(colleague.tunnelId)).toHaveLength(1);
    });

    test("an application made of a leased name ends the lease of whoever had it, in the database too", async () => {
      await using fresh = await open();
      const { orgId, ada, key } = await acmeOf(fresh);
      const stranger = await addAccount(fresh, "stranger");
      await using at = await openTestRegistry(fresh);
      const tunnel = await at.serve(stranger, { subdomain: "blog" });
      const own = await at.serve(ada, { subdomain: "wiki" });
      await at.change("policy", orgId, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId), null));
      const blog = await addApplication(fresh, orgId, "blog");
      await addApplication(fresh, orgId, "wiki");
      await closed(at, tunnel.tunnelId);
      await closed(at, own.tunnelId);
      await eventually(
        () => at.shards.names.get("blog")?.policy.kind === "basic",
        "the application's policy is in force",
      );
      expect(at.shards.names.get("blog")?.appId).toBe(blog);
      expect(reasonsOf(at, tunnel.tunnelId)).toContain("application_changed");
      expect(await at.refusal(stranger, { subdomain: "blog" })).toBe("name_taken");
      await eventually(
        async () =>
          (await fresh.db.kysely.selectFrom("leases").select("name").where("name", "=", "blog").executeTakeFirst()) ===
          undefined,
        "the lease is gone",
      );
      expect(at.shards.names.get("blog")?.appId).toBe(blog);
      const mine = await at.serve(key, { subdomain: "blog" });
      expect(at.registry.find(mine.tunnelId)?.appId).toBe(blog);
    });

    test("an application that is renamed or deleted loses its live tunnel, and its bound key opens the old name no more", async () => {
      await using fresh = await open();
      const { orgId, shop, shopKey, ada } = await acmeOf(fresh);
      await using at = await openTestRegistry(fresh);
      const tunnel = await at.serve(shopKey);
      await at.change("application", shop, orgId, (trx) =>
        trx.updateTable("applications").set({ subdomain: "store" }).where("id", "=", shop).execute(),
      );
      await closed(at, tunnel.tunnelId);
      expect(reasonsOf(at, tunnel.tunnelId)).toContain("application_changed");
      expect(await at.refusal(shopKey, { subdomain: "shop", generation: 2 })).toBe("application_forbidden");
      const renamed = await at.serve(shopKey, { generation: 3 });
      expect(renamed.subdomain).toBe("store");
      const spare = await at.mustRegister(ada, { subdomain: "unrelated" });
      await fresh.db.transaction(async (trx) => {
        await trx.deleteFrom("applications").where("id", "=", shop).execute();
        await fresh.db.changes.record(trx, { kind: "application", refId: shop, orgId, action: "deleted" });
      });
      await closed(at, renamed.tunnelId);
      expect(at.shards.names.has("store")).toBe(false);
      expect(await at.refusal(shopKey, { generation: 4 })).toBe("bad_token");
      expect(at.shards.open(spare.ticket)).toBe(true);
    });

    test("what changes in the middle of a registration is not granted: credential, list, policy, owner of the name", async () => {
      await using fresh = await open();
      const { orgId, ada, key } = await acmeOf(fresh);
      const home = await allow(fresh, "192.0.2.7", { orgId, accountId: ada.id });
      let meanwhile: (() => Promise<void>) | null = null;
      await using at = await openTestRegistry(fresh, {
        async duringRegistration() {
          const work = meanwhile;
          meanwhile = null;
          await work?.();
        },
      });
      /** The feed delivers in order: once this entry is there, what was written before has been applied. */
      const applied = async (marker: string) => {
        await addApplication(fresh, orgId, marker);
        await eventually(() => at.shards.names.has(marker), "everything is applied");
      };
      const ticketsOf = (name: string) => [...at.shards.tickets.values()].filter((ticket) => ticket.name === name);

      meanwhile = async () => {
        await at.change("policy", orgId, orgId, (trx) => replacePolicy(trx, basicPolicy(orgId), null));
        await applied("marker-1");
      };
      expect(await at.refusal(key, { subdomain: "tightened" })).toBeNull();
      expect(at.shards.names.get("tightened")?.policy.kind).toBe("basic");

      meanwhile = async () => {
        await at.change("whitelist", home, orgId, (trx) =>
          trx.deleteFrom("whitelist_entries").where("id", "=", home).execute(),
        );
        await applied("marker-2");
      };
      expect(await at.refusal(ada, { subdomain: "unlisted", address: "192.0.2.7" })).toBe("not_whitelisted");
      expect(ticketsOf("unlisted")).toEqual([]);

      meanwhile = () => addApplication(fresh, orgId, "owned").then(() => applied("marker-3"));
      const stranger = await addAccount(fresh, "stranger");
      expect(await at.refusal(stranger, { subdomain: "owned" })).toBe("name_taken");
      expect(ticketsOf("owned")).toEqual([]);

      meanwhile = async () => {
        await at.change("account", ada.id, orgId, (trx) =>
          trx.updateTable("accounts").set({ active: 0 }).where("id", "=", ada.id).execute(),
        );
        await applied("marker-4");
      };
      expect(await at.refusal(ada, { subdomain: "revoked" })).toBe("account_inactive");
      expect(ticketsOf("revoked")).toEqual([]);
    });
  });
});
