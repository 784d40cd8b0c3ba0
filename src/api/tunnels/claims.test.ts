// Who gets a name, decided without database or clock: holders, generations, pools, quotas, invented names, ports.

import { describe, expect, test } from "bun:test";
import { claimOf, nowMs, setUp, shop, ticketMs } from "../../../test/helpers/claims.ts";
import type { LeaseState } from "./lease.ts";

describe("a name that is held", () => {
  const inEveryState: LeaseState[] = ["opening", "live", "away", "kept"];
  const cases: [string, LeaseState[], Parameters<typeof claimOf>[0], Parameters<typeof claimOf>[0], string | null][] = [
    ["by another account", inEveryState, {}, { by: "bob" }, "name_taken"],
    ["by another account in no organization", inEveryState, { orgId: null }, { by: "bob", orgId: null }, "name_taken"],
    ["by the same agent and generation", inEveryState, {}, {}, null],
    ["by an older generation", inEveryState, {}, { generation: 2 }, null],
    ["by a newer generation that serves", ["opening", "live"], { generation: 2 }, {}, "name_in_use"],
    ["by a newer generation that left", ["away", "kept"], { generation: 2 }, {}, null],
    ["by another agent that serves", ["opening", "live"], {}, { agentId: "agent-two" }, "name_in_use"],
    ["by another agent that left", ["away", "kept"], {}, { agentId: "agent-two" }, null],
    ["by another agent, only the newcomer pools", ["live"], {}, { agentId: "agent-two", pool: true }, "name_in_use"],
    ["by another agent, both pool", ["opening", "live"], { pool: true }, { agentId: "agent-two", pool: true }, null],
    [
      "by another agent, both pool, but the account was moved",
      ["opening", "live"],
      { pool: true, orgId: null },
      { agentId: "agent-two", pool: true },
      "unavailable",
    ],
    [
      "by a colleague who serves the application",
      ["live"],
      { application: shop, pool: true },
      { by: "bob", application: shop, pool: true, agentId: "b" },
      "name_in_use",
    ],
    [
      "by a colleague who left the application",
      ["away"],
      { application: shop },
      { by: "bob", application: shop, agentId: "b" },
      null,
    ],
    [
      "from before it was an application's",
      ["live", "away"],
      { by: "eve", orgId: null },
      { application: shop },
      "name_taken",
    ],
  ];
  for (const [who, states, first, second, expected] of cases)
    for (const state of states)
      test(`${who} (${state}): ${expected ?? "granted"}`, () => {
        const { be, code } = setUp();
        be(state, first);
        expect(code(second)).toBe(expected as never);
      });

  test("is free once its time is over, and then ended before it is given away", () => {
    const { be, code, ended } = setUp();
    be("away", {});
    expect(code({ by: "bob" }, nowMs + 999)).toBe("name_taken");
    expect(code({ by: "bob" }, nowMs + 1_000)).toBeNull();
    expect(ended).toEqual(["mine"]);
  });

  test("whose tickets nobody used within their time is served by nobody", () => {
    const { be, code } = setUp();
    be("opening", {});
    expect(code({ agentId: "agent-two" }, nowMs + ticketMs - 1)).toBe("name_in_use");
    expect(code({ agentId: "agent-two" }, nowMs + ticketMs)).toBeNull();
  });
});

describe("a claim that is granted", () => {
  test("a newer generation begins without sessions; the same one keeps its count", () => {
    const { be, grant } = setUp();
    be("live", {});
    expect(grant({}).agent.sessions).toBe(1);
    expect(grant({ generation: 2 }).agent).toMatchObject({ sessions: 0, generation: 2, ending: false });
  });

  test("who serves alone decides whose the lease is; who joins does not", () => {
    const { be, grant } = setUp();
    const lease = be("away", { application: shop, name: "shop" });
    grant({ by: "bob", application: shop, name: "shop", agentId: "bobs" });
    expect(lease).toMatchObject({ holderId: "bob", accountId: "bob", appId: "app_shop" });
    const pool = be("live", { name: "pool", pool: true });
    grant({ name: "pool", pool: true, agentId: "agent-two" });
    expect(pool.agents.size).toBe(2);
  });

  test("a kept name that comes back is a new tunnel", () => {
    const { be, grant, leases } = setUp();
    const lease = be("kept", { name: null });
    const before = lease.tunnelId;
    lease.totals.requests = 7;
    lease.openedAtMs = 5;
    const again = grant({ name: null });
    expect(again.lease).toBe(lease);
    expect(lease).toMatchObject({ state: "opening", openedAtMs: null, freeAtMs: null });
    expect(lease.totals.requests).toBe(0);
    expect(leases.byTunnelId(before)).toBeUndefined();
    expect(leases.byTunnelId(lease.tunnelId)).toBe(lease);
  });

  test("agents that left are remembered, but not without bound", () => {
    const { grant } = setUp();
    for (let i = 0; i < 500; i++) {
      const { agent, lease } = grant({ agentId: `agent-${i}` });
      agent.tickets = 0;
      expect(lease.agents.size).toBeLessThanOrEqual(66);
    }
  });
});

describe("quotas", () => {
  test("count what is open or opening, per holder and per organization", () => {
    const { be, code, leases } = setUp({ maxTunnelsPerAccount: 2, maxTunnelsPerOrganization: 3 });
    be("live", { name: "a" });
    const opening = be("opening", { name: "b" });
    expect(code({ name: "c" })).toBe("quota_exceeded");
    expect(code({ name: "a" })).toBeNull();
    leases.setState(opening, "away", { awaySinceMs: nowMs, freeAtMs: nowMs + 1_000 });
    be("live", { name: "c" });
    expect(code({ name: "b" })).toBe("quota_exceeded");
    be("live", { name: "d", by: "bob" });
    expect(code({ name: "e", by: "bob" })).toBe("quota_exceeded");
    expect(code({ name: "e", by: "bob", orgId: "org_2" })).toBeNull();
    expect([leases.active("ada"), leases.active("org_1"), leases.active("org_2")]).toEqual([2, 3, 1]);
  });

  test("counts never drift, whatever happens to a lease", () => {
    const { be, grant, leases } = setUp();
    const lease = be("live", { application: shop, name: "shop" });
    lease.agents.get("agent-one")!.sessions = 0;
    leases.setState(lease, "away", { awaySinceMs: nowMs, freeAtMs: nowMs + 1_000 });
    grant({ by: "bob", application: shop, name: "shop", agentId: "bobs" });
    leases.setState(lease, "live", { awaySinceMs: null, freeAtMs: null });
    leases.setState(lease, "live", { awaySinceMs: null, freeAtMs: null });
    expect([leases.active("ada"), leases.active("bob"), leases.active("org_1")]).toEqual([0, 1, 1]);
    leases.remove(lease);
    leases.remove(lease);
    expect([leases.active("bob"), leases.active("org_1")]).toEqual([0, 0]);
  });

  test("of agents that share a name", () => {
    const { be, code } = setUp({ maxAgentsPerTunnel: 2 });
    be("live", { pool: true });
    be("live", { pool: true, agentId: "agent-two" });
    expect(code({ pool: true, agentId: "agent-three" })).toBe("quota_exceeded");
    expect(code({ pool: true, agentId: "agent-two" })).toBeNull();
  });

  test("what a holder keeps is in order, the longest kept first", () => {
    const { be, leases } = setUp();
    const kept = ["a", "b", "c"].map((name) => be("kept", { name, agentId: `agent-${name}` }));
    expect(leases.surplusKept("ada", 3)).toBeNull();
    expect(leases.surplusKept("ada", 2)).toBe(kept[0]!);
    leases.remove(kept[0]!);
    expect(leases.surplusKept("ada", 2)).toBeNull();
    expect(leases.surplusKept("ada", 1)).toBe(kept[1]!);
    expect(leases.surplusKept("bob", 0)).toBeNull();
  });

  test("what an organization keeps is counted apart from whose it is", () => {
    const { be, leases } = setUp();
    const [first] = ["ada", "bob"].map((by) => be("kept", { name: `of-${by}`, by }));
    expect([leases.surplusKept("ada", 1), leases.surplusKept("org_1", 2)]).toEqual([null, null]);
    expect(leases.surplusKept("org_1", 1)).toBe(first!);
    leases.remove(first!);
    expect(leases.surplusKept("org_1", 1)).toBeNull();
  });
});

describe("names that the server chooses", () => {
  test("are nobody's: neither leased nor an application's", () => {
    const { be, grant } = setUp({}, ["taken", "shop", "free"]);
    be("live", { name: "taken", by: "bob" });
    expect(grant({ name: null }).lease).toMatchObject({ name: "free", random: true });
  });

  test("return to their agent while nobody serves them, and to no other agent, account or protocol", () => {
    const { be, grant } = setUp({}, ["first", "second", "third", "fourth"]);
    be("away", { name: null });
    expect(grant({ name: null, agentId: "agent-two" }).lease.name).toBe("second");
    expect(grant({ name: null, by: "bob" }).lease.name).toBe("third");
    expect(grant({ name: null, kind: "tcp" }).lease.name).toBe("tcp:7001");
    expect(grant({ name: null }).lease.name).toBe("first");
    expect(grant({ name: null }).lease.name).toBe("fourth");
  });

  test("that their agent was never told of are its own when it asks again, and a second start beside the first has another", () => {
    const { grant } = setUp({}, ["first-name", "second-name", "third-name"]);
    const ask = (generation: number, afterMs: number, agentId = "agent-one") =>
      grant({ name: null, generation, agentId, ticketsUntilMs: nowMs + afterMs + ticketMs }, nowMs + afterMs);
    const unheard = ask(1, 0).lease;
    expect(ask(2, 4_999).lease.name).toBe("second-name");
    const again = ask(3, 5_000);
    expect([again.lease, again.lease.agents.size, again.agent.generation]).toEqual([unheard, 1, 3]);
    expect(ask(4, 5_100, "agent-two").lease.name).toBe("third-name");
    again.agent.sessions = 1;
    expect(ask(5, 20_000).lease.name).toBe("second-name");
  });

  test("are known by the agent of before the restart", () => {
    const { be, grant } = setUp({}, ["first", "second"]);
    const lease = be("kept", { name: null });
    lease.agents.clear();
    lease.formerAgentId = "agent-old";
    expect(grant({ name: null }).lease.name).toBe("second");
    expect(grant({ name: null, agentId: "agent-old" }).lease.name).toBe("first");
  });
});

describe("ports", () => {
  const tcp = { kind: "tcp", name: null } as const;

  test("are given until there is none; the wanted one is had if it may be", () => {
    const { be, code, grant } = setUp();
    be("live", { ...tcp, name: "tcp:7002" });
    expect(grant({ ...tcp, by: "bob", name: "tcp:7002" }).lease).toMatchObject({ name: "tcp:7001", port: 7001 });
    expect(code({ ...tcp, by: "eve" })).toBe("ports_exhausted");
    expect(grant({ ...tcp, name: "tcp:7002" }).lease.port).toBe(7002);
  });

  test("that must be had are had or refused, and whose they are decides as with names", () => {
    const { be, code, grant } = setUp();
    const exact = { kind: "tcp", name: "tcp:7002", exactPort: true } as const;
    be("kept", exact);
    expect(code({ ...exact, by: "bob" })).toBe("name_taken");
    expect(grant({ ...exact, agentId: "agent-two", pool: true }).lease.port).toBe(7002);
    expect(code({ ...exact, agentId: "agent-three" })).toBe("name_in_use");
    expect(grant({ ...exact, agentId: "agent-three", pool: true }).lease.agents.size).toBe(2);
    expect(grant({ ...exact, by: "bob", name: "tcp:7001" }).lease.holderId).toBe("bob");
  });

  test("that are kept go to others last, the oldest first, and their record is named", () => {
    const { be, grant, leases } = setUp();
    const older = be("kept", { ...tcp, agentId: "agent-old" });
    const newer = be("kept", { ...tcp, agentId: "agent-new" });
    leases.setState(older, "kept", { awaySinceMs: null, freeAtMs: nowMs + 500 });
    const { lease, evicted } = grant({ ...tcp, by: "bob" });
    expect(evicted).toEqual({ name: older.name, tunnelId: older.tunnelId });
    expect(lease).toMatchObject({ name: older.name, holderId: "bob", random: true });
    expect(leases.get(older.name)).toBe(lease);
    expect(leases.byTunnelId(older.tunnelId)).toBeUndefined();
    expect(grant({ ...tcp, agentId: "agent-new" }).lease).toBe(newer);
  });
});
