// Tickets that nobody uses, on both engines: how long they hold a name, and against whom.

import { describe, expect, test } from "bun:test";
import { StorageFailure } from "../../src/db/engine.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { acmeOf, becomes, stateOf } from "../helpers/registry-facts.ts";
import { addAccount, addOrganization, allow, openTestRegistry, type Credential } from "../helpers/test-registry.ts";

describeEngines("unused tickets", (open) => {
  test("tickets that nobody uses end: at first, and after a takeover that never came", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const unused = await at.mustRegister(ada, { subdomain: "unused" });
    const taken = await at.serve(ada, { subdomain: "taken", generation: 1 });
    await at.mustRegister(ada, { subdomain: "taken", generation: 2 });
    await Promise.resolve();
    expect([stateOf(at, unused), stateOf(at, taken)]).toEqual(["opening", "live"]);
    at.clock.nowMs += 60_000;
    await becomes(at, unused, "away");
    await becomes(at, taken, "away");
    expect(at.registry.count()).toBe(0);
  });

  test("an agent that went with a ticket unused holds its name no longer than one that used all, and comes back with it unless another came", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const mine = { subdomain: "mine", connections: 2 };
    const first = await at.serve(ada, mine);
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    expect(at.shards.open(first.tickets[1]!)).toBe(true);
    expect(at.registry.find(first.tunnelId)).toMatchObject({ state: "live", sessions: 1 });
    expect(await at.refusal(ada, { ...mine, agentId: "agent-two" })).toBe("name_in_use");
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");

    // Started again, it lost the one session that it had opened.
    const again = await at.serve(ada, { ...mine, generation: 2 });
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    const second = await at.serve(ada, { ...mine, agentId: "agent-two" });
    expect(second.tunnelId).toBe(first.tunnelId);
    expect(at.shards.open(again.tickets[1]!)).toBe(false);
    expect(at.registry.find(first.tunnelId)).toMatchObject({
      state: "live",
      sessions: 1,
      agents: [{ agentId: "agent-two" }],
    });
  });

  for (const pool of [false, true])
    test(`nor does its newer start hold the name against the agent itself, whose clock was set back (pool: ${pool})`, async () => {
      await using fresh = await open();
      const ada = await addAccount(fresh, "ada");
      await using at = await openTestRegistry(fresh);
      const mine = { subdomain: "mine", connections: 2, pool };
      const newer = await at.serve(ada, { ...mine, generation: 2 });
      expect(await at.refusal(ada, mine)).toBe("name_in_use");
      at.shards.lose(newer.tunnelId);
      await becomes(at, newer, "away");
      const older = await at.serve(ada, mine);
      expect(older.tunnelId).toBe(newer.tunnelId);
      expect(at.shards.open(newer.tickets[1]!)).toBe(false);
      expect(at.shards.open(older.tickets[1]!)).toBe(true);
      expect(at.registry.find(newer.tunnelId)).toMatchObject({ state: "live", sessions: 2 });
    });

  test("an agent that was closed before it used its tickets has none, and holds its name no longer", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const { tunnelId, ticket } = await at.mustRegister(ada, { subdomain: "mine" });
    await at.registry.disconnect({ tunnelId }, "disconnected_by_admin");
    expect(at.shards.open(ticket)).toBe(false);
    expect(await at.refusal(ada, { subdomain: "mine", agentId: "agent-two" })).toBeNull();
  });

  test("the unused ticket of an agent that went stays good when others join its pool", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const first = await at.serve(ada, { subdomain: "shared", connections: 2, pool: true });
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    await at.serve(ada, { subdomain: "shared", agentId: "agent-two", pool: true });
    expect(at.shards.open(first.tickets[1]!)).toBe(true);
    expect(at.registry.find(first.tunnelId)).toMatchObject({ state: "live", sessions: 2 });
  });

  test("a registration that fails is no tunnel of its agent", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada", await addOrganization(fresh, "acme"));
    let isBroken = false;
    await using at = await openTestRegistry(fresh, {
      env: { MAX_TUNNELS_PER_ACCOUNT: "1" },
      beforePolicyQuery() {
        if (isBroken) throw new StorageFailure("the disk is full");
      },
    });
    // A start asks as well.
    isBroken = true;
    expect(await at.register(ada).catch(String)).toContain("the disk is full");
    isBroken = false;
    await eventually(async () => (await at.refusal(ada)) === null, "there is room for another try");
  });

  describe("security", () => {
    test("a ticket of an earlier registration is void after a change, whichever ticket was used, and if the next registration was refused", async () => {
      await using fresh = await open();
      const { orgId } = await acmeOf(fresh);
      const [bob, eve] = [await addAccount(fresh, "bob", orgId), await addAccount(fresh, "eve", orgId)];
      let [isBroken, meanwhile] = [false, async () => {}];
      await using at = await openTestRegistry(fresh, {
        beforePolicyQuery() {
          if (isBroken) throw new StorageFailure("not now");
        },
        duringRegistration: () => meanwhile(),
      });
      const deactivate = ({ id }: Credential) =>
        at.change("account", id, orgId, (trx) =>
          trx.updateTable("accounts").set({ active: 0 }).where("id", "=", id).execute(),
        );
      const early = await at.mustRegister(bob, { subdomain: "two" });
      const later = await at.serve(bob, { subdomain: "two" });
      at.shards.lose(later.tunnelId);
      await becomes(at, later, "away");
      await deactivate(bob);
      await at.applied();
      expect(at.shards.open(early.ticket)).toBe(false);

      const first = await at.mustRegister(eve, { subdomain: "refused" });
      meanwhile = async () => {
        // Changes are heard and not applied yet.
        isBroken = true;
        await at.change("policy", orgId, orgId, async () => {});
        await deactivate(eve);
        await fresh.db.changes.caughtUp();
      };
      expect(await at.refusal(eve, { subdomain: "refused" })).toBe("account_inactive");
      isBroken = false;
      await at.applied();
      expect(at.shards.open(first.ticket)).toBe(false);
    });

    test("what an agent may not any more it may not with the unused ticket of a tunnel that is away: account and address", async () => {
      await using fresh = await open();
      const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
      const home = await allow(fresh, "192.0.2.7");
      await using at = await openTestRegistry(fresh);
      const revoked = await at.serve(ada, { subdomain: "revoked", connections: 2 });
      const unlisted = await at.serve(bob, { subdomain: "unlisted", connections: 2, address: "192.0.2.7" });
      for (const tunnel of [revoked, unlisted]) {
        at.shards.lose(tunnel.tunnelId);
        await becomes(at, tunnel, "away");
      }
      await at.change("account", ada.id, null, (trx) =>
        trx.updateTable("accounts").set({ active: 0 }).where("id", "=", ada.id).execute(),
      );
      await at.change("whitelist", home, null, (trx) =>
        trx.deleteFrom("whitelist_entries").where("id", "=", home).execute(),
      );
      await at.applied();
      expect(at.shards.open(revoked.tickets[1]!)).toBe(false);
      expect(at.shards.told("agent-allow", unlisted.tunnelId).at(-1)?.allow).toEqual(["127.0.0.0/8"]);
    });
  });
});
