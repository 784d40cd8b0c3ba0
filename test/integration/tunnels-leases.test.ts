// The life of a lease, on both engines: generations, pools, grace, names that are kept, restarts, shards that die.

import { describe, expect, test } from "bun:test";
import type { Registered } from "../../src/api/tunnels/register.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { becomes, leaseRow, historyOf } from "../helpers/registry-facts.ts";
import { addAccount, openTestRegistry } from "../helpers/test-registry.ts";

const graceMs = 60_000;
const dayMs = 86_400_000;

describeEngines("leases", (open) => {
  test("a lost session comes back beside its survivor; a newer generation replaces both, and late news of the old count nowhere", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const first = await at.serve(ada, { subdomain: "mine", generation: 5 });
    const more = await at.serve(ada, { subdomain: "mine", generation: 5 });
    expect(more.tunnelId).toBe(first.tunnelId);
    expect(at.registry.find(first.tunnelId)?.sessions).toBe(2);

    const newer = await at.mustRegister(ada, { subdomain: "mine", generation: 6 });
    expect(newer.tunnelId).toBe(first.tunnelId);
    expect(at.shards.sessionsOf(first.tunnelId)).toHaveLength(0);
    at.shards.open(newer.ticket);
    await Promise.resolve();
    const late = { tunnelId: first.tunnelId, agentId: "agent-one", generation: 5, sessions: 0, atMs: at.clock.nowMs };
    at.registry.onEvents(0, [
      { type: "session.closed", reason: "late", ...late },
      { type: "session.opened", address: "127.0.0.1", ...late },
    ]);
    expect(at.registry.find(first.tunnelId)).toMatchObject({ state: "live", sessions: 1 });
    expect(await at.refusal(ada, { subdomain: "mine", generation: 5 })).toBe("name_in_use");
  });

  test("another agent of the account joins only when both say --pool, and only so many", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh, { env: { MAX_AGENTS_PER_TUNNEL: "2" } });
    await at.serve(ada, { subdomain: "alone" });
    expect(await at.refusal(ada, { subdomain: "alone", agentId: "agent-two", pool: true })).toBe("name_in_use");
    const pooled = await at.serve(ada, { subdomain: "shared", pool: true });
    expect(await at.refusal(ada, { subdomain: "shared", agentId: "agent-two" })).toBe("name_in_use");
    await at.serve(ada, { subdomain: "shared", agentId: "agent-two", pool: true });
    expect(await at.refusal(ada, { subdomain: "shared", agentId: "agent-three", pool: true })).toBe("quota_exceeded");
    expect(await at.refusal(bob, { subdomain: "shared", agentId: "bobs-agent", pool: true })).toBe("name_taken");
    at.shards.lose(pooled.tunnelId, "agent-one");
    await Promise.resolve();
    expect(at.registry.find(pooled.tunnelId)).toMatchObject({
      state: "live",
      sessions: 1,
      agents: [{ agentId: "agent-two" }],
    });
    await at.serve(ada, { subdomain: "shared", agentId: "agent-three", pool: true });
  });

  test("after the last session visitors wait and the holder may return, for the grace period and no longer", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh);
    const first = await at.serve(ada, { subdomain: "mine" });
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    const freeAtMs = at.clock.nowMs + graceMs;
    expect(at.shards.names.get("mine")?.heldUntilMs).toBe(freeAtMs);
    await eventually(async () => (await leaseRow(fresh, "mine"))?.free_at === freeAtMs, "the end is stored");
    at.clock.nowMs = freeAtMs - 1;
    expect(await at.refusal(bob, { subdomain: "mine" })).toBe("name_taken");
    const back = await at.serve(ada, { subdomain: "mine", generation: 2 });
    expect(back.tunnelId).toBe(first.tunnelId);
    expect(at.shards.names.get("mine")?.heldUntilMs).toBe(0);
    await eventually(async () => (await leaseRow(fresh, "mine"))?.free_at === null, "the lease has no end again");

    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    at.clock.nowMs += graceMs;
    await becomes(at, first, null);
    expect(at.shards.names.has("mine")).toBe(false);
    await eventually(async () => (await leaseRow(fresh, "mine")) === undefined, "the lease is gone");
    await eventually(
      async () => (await historyOf(fresh, first))?.closed_at === at.clock.nowMs,
      "the history is closed",
    );
    expect(at.audited.map(({ action, identity }) => `${action} ${identity}`)).toEqual([
      "tunnel.opened mine",
      "tunnel.refused mine",
      "tunnel.closed mine",
    ]);
    expect(await at.refusal(bob, { subdomain: "mine" })).toBeNull();
  });

  test("an agent that left while the clock was ahead keeps its name for the grace period, not until the clock is there again", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh);
    const tunnel = await at.serve(ada, { subdomain: "mine" });
    at.clock.nowMs += dayMs;
    at.shards.lose(tunnel.tunnelId);
    await becomes(at, tunnel, "away");
    at.clock.nowMs -= dayMs;
    const freeAtMs = at.clock.nowMs + graceMs;
    await eventually(() => at.shards.names.get("mine")?.heldUntilMs === freeAtMs, "visitors wait no longer than usual");
    await eventually(async () => (await leaseRow(fresh, "mine"))?.free_at === freeAtMs, "that end is stored");
    at.clock.nowMs = freeAtMs - 1;
    expect(await at.refusal(bob, { subdomain: "mine" })).toBe("name_taken");
    at.clock.nowMs = freeAtMs;
    expect(await at.refusal(bob, { subdomain: "mine" })).toBeNull();
  });

  test("an invented name returns to its agent for 24 h as a new tunnel; then it is anybody's", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh);
    const first = await at.serve(ada);
    const name = first.subdomain;
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    // The same agent, started anew within the grace period.
    expect(await at.serve(ada, { generation: 2 })).toMatchObject({ subdomain: name, tunnelId: first.tunnelId });
    expect((await at.serve(ada, { agentId: "agent-two" })).subdomain).not.toBe(name);
    at.shards.lose(first.tunnelId);
    await becomes(at, first, "away");
    at.clock.nowMs += graceMs;
    await becomes(at, first, null);
    const again = await at.serve(ada, { generation: 3 });
    expect(again.subdomain).toBe(name);
    expect(again.tunnelId).not.toBe(first.tunnelId);
    expect(at.registry.find(again.tunnelId)?.totals.requests).toBe(0);
    await eventually(async () => (await historyOf(fresh, again))?.closed_at === null, "a history of its own");

    expect(at.registry.release(again.tunnelId, ada.id)).toBe(true);
    at.clock.nowMs += dayMs;
    await eventually(async () => (await leaseRow(fresh, name)) === undefined, "the name is let go");
    expect(await at.refusal(bob, { subdomain: name })).toBeNull();
  });

  test("a port is kept like a name, but given away before anybody gets none", async () => {
    await using fresh = await open();
    const [ada, bob, eve] = [
      await addAccount(fresh, "ada"),
      await addAccount(fresh, "bob"),
      await addAccount(fresh, "eve"),
    ];
    await using at = await openTestRegistry(fresh, { env: { TCP_PORTS: "20001,20002" } });
    const first = await at.serve(ada, { protocol: "tcp" });
    at.registry.release(first.tunnelId, ada.id);
    const other = await at.serve(bob, { protocol: "tcp" });
    expect(other.port).not.toBe(first.port);
    expect((await at.serve(ada, { protocol: "tcp", generation: 2 })).port).toBe(first.port!);
    at.registry.release(at.registry.live().find(({ accountId }) => accountId === ada.id)!.id, ada.id);
    expect((await at.serve(eve, { protocol: "tcp" })).port).toBe(first.port!);
    const row = await leaseRow(fresh, `tcp:${first.port}`);
    expect(row).toMatchObject({ holder_id: eve.id, kind: "tcp" });
    expect(await at.refusal(ada, { protocol: "tcp", generation: 3 })).toBe("ports_exhausted");
  });

  test("giving up: only by the holder, at once, and a second time there is nothing", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await using at = await openTestRegistry(fresh);
    const tunnel = await at.serve(ada, { subdomain: "mine" });
    expect(at.registry.release(tunnel.tunnelId, bob.id)).toBe(false);
    expect(at.registry.release("tun_unknown", ada.id)).toBe(false);
    expect(at.registry.release(tunnel.tunnelId, ada.id)).toBe(true);
    expect(at.registry.release(tunnel.tunnelId, ada.id)).toBe(false);
    expect(at.shards.told("disconnect", tunnel.tunnelId)).toEqual([
      { type: "disconnect", tunnelId: tunnel.tunnelId, agentId: null, reason: "released" },
    ]);
    expect(at.shards.sessions).toHaveLength(0);
    expect(await at.refusal(bob, { subdomain: "mine" })).toBeNull();
    const random = await at.serve(ada);
    expect(at.registry.release(random.tunnelId, ada.id)).toBe(true);
    expect(at.registry.release(random.tunnelId, ada.id)).toBe(false);
  });

  test("counters and the state of the local service are added up and shown", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const { tunnelId } = await at.serve(ada, { subdomain: "mine" });
    const counters = {
      tunnelId,
      requests: 2,
      connections: 1,
      bytesIn: 10,
      bytesOut: 20,
      status2xx: 1,
      status3xx: 0,
      status4xx: 1,
      status5xx: 0,
    };
    const local = { state: "up", provenAtMs: 1, connectMs: 2 } as const;
    at.registry.onCounters(0, [{ ...counters, rttMs: 3, local, streams: 4 }]);
    at.registry.onCounters(0, [{ ...counters, rttMs: 5, local, streams: 0 }]);
    expect(at.registry.find(tunnelId)).toMatchObject({
      totals: { requests: 4, bytesOut: 40, status4xx: 2 },
      rttMs: 5,
      local,
    });
    const down = { state: "down", sinceMs: 1, provenAtMs: 2, why: "refused" } as const;
    at.registry.onEvents(0, [{ type: "local.status", tunnelId, status: down }]);
    expect(at.registry.find(tunnelId)?.local).toEqual(down);
    at.registry.release(tunnelId, ada.id);
    await eventually(
      async () => Number((await historyOf(fresh, { tunnelId } as Registered))?.requests) === 4,
      "totals are stored",
    );
  });

  describe("security", () => {
    test("a stranger gets no invented name at the end of its grace period, before any sweep", async () => {
      await using fresh = await open();
      const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
      await using at = await openTestRegistry(fresh);
      const tunnel = await at.serve(ada);
      at.shards.lose(tunnel.tunnelId);
      await becomes(at, tunnel, "away");
      at.clock.nowMs += graceMs;
      expect(await at.refusal(bob, { subdomain: tunnel.subdomain })).toBe("name_taken");
      expect((await at.serve(ada, { generation: 2 })).subdomain).toBe(tunnel.subdomain);
    });

    test("a registration that is overtaken in its middle gives no ticket: by a newer start of its agent, by giving up", async () => {
      await using fresh = await open();
      const ada = await addAccount(fresh, "ada");
      let meanwhile: (() => Promise<unknown>) | null = null;
      await using at = await openTestRegistry(fresh, {
        async duringRegistration() {
          const work = meanwhile;
          meanwhile = null;
          await work?.();
        },
      });
      let newer: Registered | null = null;
      meanwhile = async () => (newer = await at.serve(ada, { subdomain: "mine", generation: 2 }));
      expect(await at.refusal(ada, { subdomain: "mine", generation: 1 })).toBe("unavailable");
      expect(at.registry.find(newer!.tunnelId)).toMatchObject({ state: "live", sessions: 1 });
      expect(at.shards.tickets.size).toBe(0);
      meanwhile = async () => at.registry.release(at.registry.live().find(({ name }) => name === "other")!.id, ada.id);
      expect(await at.refusal(ada, { subdomain: "other" })).toBe("unavailable");
      expect(at.shards.tickets.size).toBe(0);
    });

    test("what one credential keeps is bounded", async () => {
      await using fresh = await open();
      const ada = await addAccount(fresh, "ada");
      await using at = await openTestRegistry(fresh, { env: { MAX_TUNNELS_PER_ACCOUNT: "3" } });
      for (let i = 0; i < 10; i++) {
        const { tunnelId } = await at.mustRegister(ada, { agentId: `agent-number-${i}` });
        at.registry.release(tunnelId, ada.id);
      }
      await eventually(
        async () => (await fresh.db.kysely.selectFrom("leases").select("name").execute()).length === 3,
        "three names are kept",
      );
    });

    test("news of a tunnel that was given up do not revive it", async () => {
      await using fresh = await open();
      const ada = await addAccount(fresh, "ada");
      await using at = await openTestRegistry(fresh);
      const { tunnelId } = await at.mustRegister(ada);
      at.registry.release(tunnelId, ada.id);
      const event = { tunnelId, agentId: "agent-one", generation: 1, address: "127.0.0.1", sessions: 1, atMs: 0 };
      at.registry.onEvents(0, [{ type: "session.opened", ...event }]);
      expect(at.registry.find(tunnelId)).toBeNull();
      expect(at.registry.count()).toBe(0);
      expect(at.audited).toEqual([]);
    });
  });
});
