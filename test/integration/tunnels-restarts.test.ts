// Leases over restarts of the server and deaths of shards, on both engines.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/lib/errors.ts";
import type { Registered } from "../../src/api/tunnels/register.ts";
import { createDatabase } from "../../src/db/database.ts";
import { insertTunnel, pruneTunnels } from "../../src/db/leases.ts";
import { shardOf } from "../../src/link/shard-of.ts";
import { describeEngines } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { stateOf, becomes, leaseRow, historyOf } from "../helpers/registry-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import {
  addAccount,
  addApplication,
  addOrganization,
  openTestRegistry,
  type TestRegistry,
} from "../helpers/test-registry.ts";

const graceMs = 60_000;
const dayMs = 86_400_000;

describeEngines("leases over restarts", (open) => {
  test("the history of tunnels is removed when it is old, and not what is still open", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const [closed, live] = [
      await at.serve(ada, { subdomain: "former" }),
      await at.serve(ada, { subdomain: "lasting" }),
    ];
    const closedAtMs = (at.clock.nowMs += 1_000);
    at.registry.release(closed.tunnelId, ada.id);
    await eventually(async () => (await historyOf(fresh, closed))?.closed_at === closedAtMs, "the end is stored");
    await pruneTunnels(fresh.db.kysely, closedAtMs);
    expect(await historyOf(fresh, closed)).toBeDefined();
    await pruneTunnels(fresh.db.kysely, closedAtMs + 1);
    expect([await historyOf(fresh, closed), (await historyOf(fresh, live))?.name]).toEqual([undefined, "lasting"]);
    // More than one statement takes.
    const row = await fresh.db.kysely.selectFrom("tunnels").selectAll().executeTakeFirstOrThrow();
    const old = Array.from({ length: 1_500 }, (_, i) => ({ ...row, id: `tun_${i}`, closed_at: closedAtMs }));
    for (let i = 0; i < old.length; i += 500)
      await fresh.db.kysely
        .insertInto("tunnels")
        .values(old.slice(i, i + 500))
        .execute();
    await pruneTunnels(fresh.db.kysely, closedAtMs + 1);
    expect(await fresh.db.kysely.selectFrom("tunnels").select("id").execute()).toEqual([{ id: live.tunnelId }]);
  });

  test("a restart restores leases: names held for their agents, invented ones known to theirs, histories closed", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    const org = await addOrganization(fresh, "acme");
    const member = await addAccount(fresh, "member", org);
    const shop = await addApplication(fresh, org, "shop");
    const clock = { nowMs: Date.UTC(2030, 0, 1) };
    const env = { TCP_PORTS: "20001-20009" };
    const before = { mine: "", random: "", kept: "", port: 0, shop: "" };
    let orphan: Registered;
    {
      await using at = await openTestRegistry(fresh, { clock, env });
      before.mine = (await at.serve(ada, { subdomain: "mine" })).tunnelId;
      before.random = (await at.serve(ada)).subdomain;
      before.port = (await at.serve(ada, { protocol: "tcp" })).port!;
      before.shop = (await at.serve(member, { subdomain: "shop" })).tunnelId;
      const kept = await at.serve(ada, { agentId: "agent-two" });
      before.kept = kept.subdomain;
      at.registry.release(kept.tunnelId, ada.id);
      orphan = await at.serve(ada, { subdomain: "orphan" });
      await fresh.db.kysely.deleteFrom("leases").where("name", "=", "orphan").execute();
    }
    clock.nowMs += 10_000;
    await using at = await openTestRegistry(fresh, { clock, env });
    expect(at.shards.names.get("mine")).toMatchObject({ heldUntilMs: clock.nowMs + graceMs, appId: null });
    expect(at.shards.names.get("shop")).toMatchObject({ heldUntilMs: clock.nowMs + graceMs, appId: shop });
    expect(at.shards.names.has(before.kept)).toBe(false);
    expect((await historyOf(fresh, orphan))?.close_reason).toBe("server_stopped");
    for (const subdomain of ["mine", before.random, before.kept])
      expect(await at.refusal(bob, { subdomain })).toBe("name_taken");
    // An agent that runs on names what it had; one that was started anew is known by its id.
    expect((await at.serve(ada, { subdomain: "mine", generation: 9 })).tunnelId).toBe(before.mine);
    expect((await at.serve(ada, { generation: 9 })).subdomain).toBe(before.random);
    expect((await at.serve(ada, { agentId: "agent-two", generation: 9 })).subdomain).toBe(before.kept);
    expect((await at.serve(ada, { protocol: "tcp", port: before.port, generation: 9 })).port).toBe(before.port);
    clock.nowMs += graceMs;
    await eventually(() => at.registry.find(before.shop) === null, "who doesn't come back loses the name");
    await eventually(
      async () => (await historyOf(fresh, { tunnelId: before.shop } as Registered))?.closed_at !== null,
      "its history is closed",
    );
  });

  test("what went offline is listed for a day, over a restart too, until its name is served again or somebody clears it", async () => {
    await using fresh = await open();
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    const clock = { nowMs: Date.UTC(2030, 0, 1) };
    const names = (at: TestRegistry) =>
      at.registry
        .gone()
        .map(({ name }) => name)
        .sort();
    let cleared = "";
    {
      await using at = await openTestRegistry(fresh, { clock });
      const target = "http://localhost:3000";
      for (const subdomain of ["back", "cleared", "gone"]) {
        const tunnel = await at.serve(ada, { subdomain, target });
        if (subdomain === "cleared") cleared = tunnel.tunnelId;
        expect(at.registry.clear(tunnel.tunnelId)).toBe(false);
        at.shards.lose(tunnel.tunnelId);
        await becomes(at, tunnel, "away");
        expect(at.registry.find(tunnel.tunnelId)).toMatchObject({ target, lastAgent: { address: "127.0.0.1" } });
      }
      const never = await at.mustRegister(ada, { subdomain: "never-opened" });
      expect(at.registry.gone()).toEqual([]);
      expect(at.registry.clear(never.tunnelId)).toBe(false);
      expect(at.registry.clear(cleared)).toBe(true);
      expect(await at.refusal(bob, { subdomain: "cleared" })).toBeNull();
      const awaySinceMs = clock.nowMs;
      clock.nowMs += 2 * graceMs;
      await eventually(() => names(at).join() === "back,gone", "the grace period is over");
      expect(at.registry.gone()[0]).toMatchObject({ state: "gone", target, awaySinceMs, agents: [], sessions: 0 });
      await at.serve(bob, { subdomain: "back" });
      expect(names(at)).toEqual(["gone"]);
    }
    await using at = await openTestRegistry(fresh, { clock });
    const [row] = at.registry.gone();
    expect(names(at)).toEqual(["gone"]);
    expect(row).toMatchObject({ accountId: ada.id, target: "http://localhost:3000", url: "https://gone.tunnel.test" });
    expect(at.registry.clear(row?.id ?? "")).toBe(true);
    expect(names(at)).toEqual([]);
    expect((await historyOf(fresh, { tunnelId: cleared } as Registered))?.close_reason).toBe("cleared");
    clock.nowMs += dayMs + 2 * graceMs;
    await eventually(() => at.registry.live().length === 0, "the name of before the restart is free");
    clock.nowMs += dayMs;
    expect(names(at)).toEqual([]);
  });

  test("a shard that dies takes its sessions along, and only its own; its successor is told every name", async () => {
    await using fresh = await open();
    const ada = await addAccount(fresh, "ada");
    await using at = await openTestRegistry(fresh);
    const names = ["one", "two", "three", "four", "five", "six"];
    const tunnels = new Map<string, Registered>();
    for (const subdomain of names) tunnels.set(subdomain, await at.serve(ada, { subdomain }));
    const dead = shardOf("one", 3);
    at.registry.onReplaced(dead);
    for (const name of names)
      expect([name, stateOf(at, tunnels.get(name)!)]).toEqual([name, shardOf(name, 3) === dead ? "away" : "live"]);
    at.registry.onReady(dead);
    const snapshot = at.shards.sent.at(-1)!.message;
    expect(snapshot).toMatchObject({ type: "names", snapshot: true, remove: [] });
    const own = names.filter((name) => shardOf(name, 3) === dead).sort();
    expect(snapshot.type === "names" ? snapshot.set.map(({ name }) => name).sort() : []).toEqual(own);
    expect(snapshot.type === "names" && snapshot.set.every(({ heldUntilMs }) => heldUntilMs > at.clock.nowMs)).toBe(
      true,
    );
    expect(await at.serve(ada, { subdomain: "one", generation: 2 })).toMatchObject({
      tunnelId: tunnels.get("one")!.tunnelId,
    });
  });

  describe("security", () => {
    test("nor when the server was down for longer than the grace period", async () => {
      await using fresh = await open();
      const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
      const clock = { nowMs: Date.UTC(2030, 0, 1) };
      let name = "";
      {
        await using at = await openTestRegistry(fresh, { clock });
        const tunnel = await at.serve(ada);
        name = tunnel.subdomain;
        at.shards.lose(tunnel.tunnelId);
        await becomes(at, tunnel, "away");
      }
      clock.nowMs += 3 * graceMs;
      await using at = await openTestRegistry(fresh, { clock });
      expect(await at.refusal(bob, { subdomain: name })).toBe("name_taken");
      expect((await at.serve(ada, { generation: 2 })).subdomain).toBe(name);
    });

    test("a lease from before a name became an application's is not restored over it", async () => {
      await using fresh = await open();
      const [ada, org] = [await addAccount(fresh, "ada"), await addOrganization(fresh, "acme")];
      const clock = { nowMs: Date.UTC(2030, 0, 1) };
      {
        await using at = await openTestRegistry(fresh, { clock });
        await at.serve(ada, { subdomain: "shop" });
      }
      const shop = await addApplication(fresh, org, "shop");
      await using at = await openTestRegistry(fresh, { clock });
      expect(at.shards.names.get("shop")).toMatchObject({ appId: shop, orgId: org, heldUntilMs: 0 });
      expect(await at.register(ada, { subdomain: "shop" })).toBeInstanceOf(AppError);
      expect(await leaseRow(fresh, "shop")).toBeUndefined();
    });
  });
});

test("a server that starts removes what is older than it keeps", async () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-history-"));
  const path = join(folder, "digit-link.db");
  const db = await createDatabase({ url: null, path, onError: (error) => expect(error).toBeNull() });
  const row = {
    ...{ name: "old", kind: "http" as const, account_id: null, key_id: null, org_id: null, app_id: null, target: null },
    ...{ agent_id: "agent-one", agent_version: "1.0.0", address: "127.0.0.1", close_reason: "released" },
    ...{ requests: 0, connections: 0, bytes_in: 0, bytes_out: 0 },
  };
  const kept = async () => (await db.kysely.selectFrom("tunnels").select("id").execute()).map(({ id }) => id);
  const [old, young] = [Date.now() - 3 * dayMs, Date.now() - dayMs];
  await insertTunnel(db.kysely, { ...row, id: "tun_old", opened_at: old, closed_at: old });
  await insertTunnel(db.kysely, { ...row, id: "tun_young", opened_at: young, closed_at: young });
  const [port] = await freePorts(1);
  await using _server = await startServerProcess({
    again: { port: port!, folder },
    env: { HISTORY_RETENTION_DAYS: "2", AUDIT_RETENTION_DAYS: "30" },
  });
  await eventually(async () => Bun.deepEquals(await kept(), ["tun_young"]), "the old one is gone");
  await db.close();
});
