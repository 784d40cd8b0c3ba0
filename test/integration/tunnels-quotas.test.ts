// How many tunnels a credential, an organization and the list of ports have room for, on both engines.

import { describe, expect, test } from "bun:test";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { acmeOf, becomes, populate, stateOf } from "../helpers/registry-facts.ts";
import { addAccount, addKey, openTestRegistry } from "../helpers/test-registry.ts";

describeEngines("quotas", (open) => {
  test("quotas of a credential and of an organization count what is open", async () => {
    await using fresh = await open();
    const { ada, orgKey, loner } = await populate(fresh);
    await using at = await openTestRegistry(fresh, {
      env: { MAX_TUNNELS_PER_ACCOUNT: "2", MAX_TUNNELS_PER_ORGANIZATION: "3" },
    });
    const [first] = [await at.serve(ada, { subdomain: "a1" }), await at.serve(ada, { subdomain: "a2" })];
    expect(await at.refusal(ada, { subdomain: "a3" })).toBe("quota_exceeded");
    expect(await at.refusal(ada, { subdomain: "a1" })).toBeNull();
    await at.serve(orgKey, { subdomain: "k1" });
    expect(await at.refusal(orgKey, { subdomain: "k2" })).toBe("quota_exceeded");
    expect(await at.refusal(loner, { subdomain: "l1" })).toBeNull();
    expect(at.registry.release(first.tunnelId, ada.id)).toBe(true);
    expect(await at.refusal(orgKey, { subdomain: "k2" })).toBeNull();
  });

  test("TCP tunnels are under the same lists and quotas as names", async () => {
    await using fresh = await open();
    const { ada } = await populate(fresh);
    const env = { TCP_PORTS: "20001-20004", MAX_TUNNELS_PER_ACCOUNT: "2", MAX_TUNNELS_PER_ORGANIZATION: "2" };
    await using at = await openTestRegistry(fresh, { env });
    for (const protocol of ["tcp", "http"] as const)
      expect(await at.refusal(ada, { protocol, address: "192.0.2.1" })).toBe("not_whitelisted");
    expect(await at.refusal(null, { protocol: "tcp" })).toBe("bad_token");
    await at.serve(ada, { protocol: "tcp" });
    await at.serve(ada, { subdomain: "named" });
    for (const protocol of ["tcp", "http"] as const)
      expect(await at.refusal(ada, { protocol, agentId: "adas-third" })).toBe("quota_exceeded");
  });

  test("TCP: a port of the list, another one for the next, and a clear refusal when there is none", async () => {
    await using fresh = await open();
    const { ada, loner, shopKey } = await populate(fresh);
    {
      await using none = await openTestRegistry(fresh);
      expect(await none.refusal(ada, { protocol: "tcp" })).toBe("protocol_unavailable");
    }
    await using at = await openTestRegistry(fresh, { env: { TCP_PORTS: "20001,20002" } });
    expect(await at.refusal(shopKey, { protocol: "tcp" })).toBe("application_forbidden");
    const first = await at.serve(ada, { protocol: "tcp" });
    const second = await at.serve(loner, { protocol: "tcp" });
    expect([first.port, second.port].sort()).toEqual([20001, 20002]);
    expect(first).toMatchObject({ subdomain: "", url: `tcp://tunnel.test:${first.port}` });
    expect(await at.refusal(ada, { protocol: "tcp", agentId: "adas-second" })).toBe("ports_exhausted");
    // One more session beside the survivor, and the same port after a loss.
    expect(await at.mustRegister(ada, { protocol: "tcp", port: first.port! })).toMatchObject({
      port: first.port!,
      tunnelId: first.tunnelId,
    });
    at.shards.lose(first.tunnelId);
    await Promise.resolve();
    expect((await at.mustRegister(ada, { protocol: "tcp", port: first.port!, generation: 2 })).port).toBe(first.port!);
    // Somebody else's port, or none of ours, is no reason to get none.
    expect(await at.refusal(loner, { protocol: "tcp", port: first.port!, agentId: "loners-second" })).toBe(
      "ports_exhausted",
    );
  });

  describe("security", () => {
    test("what one organization keeps is bounded, however many keys it makes", async () => {
      await using fresh = await open();
      const { orgId, ada } = await acmeOf(fresh);
      await using at = await openTestRegistry(fresh, { env: { MAX_TUNNELS_PER_ORGANIZATION: "3" } });
      const live = await at.serve(ada);
      for (let i = 0; i < 10; i++) {
        const key = await addKey(fresh, orgId);
        const { tunnelId } = await at.mustRegister(key);
        at.registry.release(tunnelId, key.id);
      }
      const count = async () => (await fresh.db.kysely.selectFrom("leases").select("name").execute()).length;
      await eventually(async () => (await count()) === 4, "three names are kept, and one is live");
      expect(at.registry.find(live.tunnelId)?.state).toBe("live");
    });

    test("50 parallel registrations with one credential: exactly the permitted number is open", async () => {
      await using fresh = await open();
      const { loner } = await populate(fresh);
      await using at = await openTestRegistry(fresh, { env: { MAX_TUNNELS_PER_ACCOUNT: "7" } });
      const names = Array.from({ length: 50 }, (_, i) => `parallel-${i}`);
      const results = await Promise.all(names.map((subdomain) => at.refusal(loner, { subdomain })));
      expect(results.filter((code) => code === null)).toHaveLength(7);
      expect(new Set(results)).toEqual(new Set([null, "quota_exceeded"]));
      expect(at.registry.live()).toHaveLength(7);
      const rows = await fresh.db.kysely.selectFrom("leases").select("name").execute();
      expect(rows).toHaveLength(7);
      expect(at.shards.tickets.size).toBe(7);
    });

    test("nor do more come back with tickets that were unused when their tunnels went away", async () => {
      await using fresh = await open();
      const { loner, ada, orgKey } = await populate(fresh);
      await using at = await openTestRegistry(fresh, {
        env: { MAX_TUNNELS_PER_ACCOUNT: "1", MAX_TUNNELS_PER_ORGANIZATION: "1" },
      });
      for (const [first, second] of [
        [loner, loner],
        [ada, orgKey],
      ] as const) {
        const away = await at.serve(first, { subdomain: `first-${first.id.slice(-5)}`, connections: 3 });
        at.shards.lose(away.tunnelId);
        await becomes(at, away, "away");
        const { tunnelId } = await at.serve(second, { subdomain: `second-${first.id.slice(-5)}` });
        at.shards.open(away.tickets[1]!);
        await Promise.resolve();
        expect([stateOf(at, away), at.shards.sessionsOf(away.tunnelId)]).toEqual(["away", []]);
        expect(at.shards.told("disconnect", away.tunnelId).map(({ reason }) => reason)).toEqual(["quota_exceeded"]);
        expect(at.shards.open(away.tickets[2]!)).toBe(false);
        expect(at.registry.release(tunnelId, second.id)).toBe(true);
        expect(await at.refusal(first, { subdomain: away.subdomain })).toBeNull();
        expect(stateOf(at, away)).toBe("opening");
      }
    });

    test("50 credentials after one name: one has it", async () => {
      await using fresh = await open();
      await using at = await openTestRegistry(fresh);
      const people = await Promise.all(Array.from({ length: 50 }, (_, i) => addAccount(fresh, `person-${i}`)));
      const results = await Promise.all(people.map((one) => at.refusal(one, { subdomain: "wanted" })));
      expect(results.filter((code) => code === null)).toHaveLength(1);
      expect(results.filter((code) => code === "name_taken")).toHaveLength(49);
    });
  });
});
