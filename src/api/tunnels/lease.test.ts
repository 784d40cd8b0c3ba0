// Leases after a restart: who is waited for, what is kept, what is over.

import { describe, expect, test } from "bun:test";
import type { LeasesTable } from "../../db/tables-record.ts";
import { restoreLease } from "./lease.ts";

const nowMs = 1_000_000;
const times = { graceMs: 60, randomNameKeepMs: 1_000 };
const row: LeasesTable = {
  ...{ name: "mine", kind: "http", holder_id: "acc_1", account_id: "acc_1", key_id: null, org_id: null, app_id: null },
  ...{
    agent_id: "agent-one",
    generation: 3,
    tunnel_id: "tun_1",
    random: 0,
    taken_at: 5,
    free_at: null,
    target: "tcp://localhost:22",
  },
};

describe("a stored lease", () => {
  const cases: [string, Partial<LeasesTable>, { state: "away" | "kept"; freeAtMs: number } | null][] = [
    ["was served", {}, { state: "away", freeAtMs: nowMs + 60 }],
    ["was served, invented name", { random: 1 }, { state: "away", freeAtMs: nowMs + 60 }],
    ["was away", { free_at: nowMs + 10 }, { state: "away", freeAtMs: nowMs + 10 }],
    ["was away for long enough", { free_at: nowMs }, null],
    ["was away, invented name", { random: 1, free_at: nowMs + 1_010 }, { state: "away", freeAtMs: nowMs + 10 }],
    ["was kept", { random: 1, free_at: nowMs + 1_000 }, { state: "kept", freeAtMs: nowMs + 1_000 }],
    ["was kept, almost over", { random: 1, free_at: nowMs + 1 }, { state: "kept", freeAtMs: nowMs + 1 }],
    ["was kept for long enough", { random: 1, free_at: nowMs }, null],
  ];
  for (const [what, change, expected] of cases)
    test(what, () => {
      const lease = restoreLease({ ...row, ...change }, nowMs, times);
      expect(lease === null ? null : { state: lease.state, freeAtMs: lease.freeAtMs! }).toEqual(expected as never);
    });

  test("knows its port and its agent", () => {
    const lease = restoreLease({ ...row, name: "tcp:20001", kind: "tcp", random: 1 }, nowMs, times);
    expect(lease).toMatchObject({ port: 20001, kind: "tcp", formerAgentId: "agent-one", openedAtMs: null });
    expect(lease?.target).toBe("tcp://localhost:22");
    expect(restoreLease(row, nowMs, times)?.port).toBeNull();
  });
});
