// Traffic over time: what is stored when, for how long each resolution is kept, and a database that is away for a while.

import { expect, test } from "bun:test";
import { sql } from "kysely";
import { createLogger } from "../../src/lib/log.ts";
import { createTraffic, type TunnelOwner } from "../../src/observe/traffic.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { tunnelCounters } from "../helpers/tunnel-counters.ts";

const log = createLogger({ level: "error", format: "json", write: () => {} });
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const owners: Record<string, TunnelOwner> = {
  adhoc: { name: "adhoc", appId: null, orgId: null },
  ofOrg: { name: "of-org", appId: null, orgId: "org_1" },
};

describeEngines("traffic", (open) => {
  /** At noon of a day. */
  const create = ({ db }: TestDatabase) => {
    const clock = { nowMs: Date.UTC(2030, 0, 1, 12) };
    const stored: string[][] = [];
    const traffic = createTraffic({
      ...{ db, log, retentionDays: 90, flushMs: hour },
      ownerOf: (id) => owners[id] ?? null,
      nowMs: () => clock.nowMs,
      onStored: (orgIds) => void stored.push([...orgIds]),
    });
    const requests = async (resolution: "minute" | "quarter" | "day") => {
      const rows = db.kysely.selectFrom("traffic").select(["slot_at", "name", "org_id", "requests", "bytes_out"]);
      return await rows
        .where("resolution", "=", resolution)
        .orderBy("slot_at")
        .orderBy("name")
        .orderBy("org_id")
        .execute();
    };
    return { clock, traffic, stored, requests };
  };
  const none = { requests: 0, connections: 0, bytesIn: 0, bytesOut: 0, status2xx: 0 };

  test("is stored by name, organization and in all; what did nothing is not; who reads charts hears whose it was", async () => {
    await using fresh = await open();
    const { traffic, stored, requests, clock } = create(fresh);
    // At once after a quiet time, and the rest at the end.
    traffic.onCounters([tunnelCounters("ofOrg")]);
    await traffic.flush();
    traffic.onCounters([tunnelCounters("ofOrg", none), tunnelCounters("adhoc"), tunnelCounters("unknown")]);
    traffic.onCounters([tunnelCounters("adhoc")]);
    clock.nowMs += minute;
    traffic.onCounters([tunnelCounters("adhoc", none)]);
    await traffic.close();
    const slot_at = clock.nowMs - minute;
    expect(await requests("minute")).toEqual([
      { slot_at, name: "*", org_id: "", requests: 3, bytes_out: 300 },
      { slot_at, name: "*", org_id: "*", requests: 4, bytes_out: 400 },
      { slot_at, name: "*", org_id: "org_1", requests: 1, bytes_out: 100 },
      { slot_at, name: "adhoc", org_id: "", requests: 2, bytes_out: 200 },
      { slot_at, name: "of-org", org_id: "org_1", requests: 1, bytes_out: 100 },
    ]);
    expect(stored).toEqual([["org_1"], [""]]);
  });

  test("what could not be stored is stored later, with what came meanwhile", async () => {
    await using fresh = await open();
    const { traffic, requests, clock } = create(fresh);
    await sql`alter table traffic rename to traffic_away`.execute(fresh.db.kysely);
    traffic.onCounters([tunnelCounters("adhoc")]);
    await traffic.flush();
    const before = clock.nowMs;
    traffic.onCounters([tunnelCounters("adhoc"), tunnelCounters("ofOrg")]);
    const failing = traffic.flush();
    traffic.onCounters([tunnelCounters("adhoc")]);
    clock.nowMs += minute;
    traffic.onCounters([tunnelCounters("ofOrg")]);
    await failing;
    await sql`alter table traffic_away rename to traffic`.execute(fresh.db.kysely);
    await traffic.close();
    const rows = (await requests("minute")).filter(({ org_id }) => org_id === "*");
    expect(rows).toEqual([
      { slot_at: before, name: "*", org_id: "*", requests: 4, bytes_out: 400 },
      { slot_at: before + minute, name: "*", org_id: "*", requests: 1, bytes_out: 100 },
    ]);
    expect((await requests("day")).filter(({ name }) => name === "adhoc")).toMatchObject([{ requests: 3 }]);
  });

  test("minutes are kept for two hours, quarters for a day and two hours, days as long as is set", async () => {
    await using fresh = await open();
    const { traffic, requests, clock } = create(fresh);
    const now = clock.nowMs;
    const ages = [0, hour, 2 * hour, 2 * hour + 2 * minute, 26 * hour, 26 * hour + 30 * minute, 90 * day, 92 * day];
    for (const age of ages.toReversed()) {
      clock.nowMs = now - age;
      traffic.onCounters([tunnelCounters("unknown")]);
      await traffic.flush();
    }
    await traffic.close();
    const kept = async (resolution: "minute" | "quarter" | "day", slotMs: number) =>
      (await requests(resolution))
        .filter(({ org_id }) => org_id === "*")
        .map(({ slot_at }) => (now - slot_at) / slotMs);
    expect(await kept("minute", minute)).toEqual([120, 60, 0]);
    expect(await kept("quarter", 15 * minute)).toEqual([104, 9, 8, 4, 0]);
    // Of older ones the sum.
    const days = (await requests("day")).filter(({ org_id }) => org_id === "*");
    expect(days.map(({ slot_at }) => (slot_at === 0 ? 0 : (now - slot_at) / day))).toEqual([0, 90.5, 1.5, 0.5]);
    expect(days[0]).toMatchObject({ requests: 1 });
  });
});
