// Tests of how long tunnels that are gone are remembered.

import { expect, test } from "bun:test";
import { loadConfig } from "../../config/load.ts";
import { GoneTunnels } from "./gone.ts";
import { restoreLease, type Lease } from "./lease.ts";

const hourMs = 3_600_000;
const config = loadConfig({ env: { DOMAIN: "tunnel.test" }, file: null });

function lease(name: string, awaySinceMs: number): Lease {
  const row = {
    ...{ name, kind: "http" as const, holder_id: "acc_1", account_id: "acc_1", key_id: null, org_id: null },
    ...{ app_id: null, agent_id: "agent-one", generation: 1, tunnel_id: `tun_${name}`, random: 0 as const },
    ...{ taken_at: awaySinceMs, target: null, free_at: null },
  };
  return restoreLease(row, awaySinceMs, { graceMs: 1_000, randomNameKeepMs: 0 })!;
}

test("each for a day, whatever stands before it: one that left while the clock was ahead, or that left later", () => {
  const gone = new GoneTunnels(config);
  const nowMs = Date.UTC(2030, 0, 1);
  const namesAt = (hours: number) => gone.all(nowMs + hours * hourMs).map(({ name }) => name);
  gone.add(lease("ahead", nowMs + 9_000 * hourMs), nowMs + 9_000 * hourMs);
  gone.add(lease("later", nowMs + 2 * hourMs), nowMs + 2 * hourMs);
  gone.add(lease("first", nowMs), nowMs + 3 * hourMs);
  expect(namesAt(3)).toEqual(["ahead", "later", "first"]);
  expect(namesAt(25)).toEqual(["ahead", "later"]);
  // It was seen to be ahead in the third hour.
  expect(namesAt(26.5)).toEqual(["ahead"]);
  expect(namesAt(27.5)).toEqual([]);
});
