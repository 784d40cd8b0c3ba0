// One shard put together, with main on paper: what it keeps of questions that main does not answer.

import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { shardSettings } from "../src/config/shard-settings.ts";
import { loadConfig } from "../src/config/load.ts";
import { ConnectionCounts, createCountsMemory } from "../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../src/handover/ledger.ts";
import type { FromShard } from "../src/link/messages.ts";
import { createLoadMemory } from "../src/link/organization-load.ts";
import type { ShardSide } from "../src/link/shard-side.ts";
import { Shard } from "./shard-core.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

test("a question that main never answers is forgotten", () => {
  const settings = shardSettings(loadConfig({ env: { DOMAIN: "tunnel.test" }, file: null }), {
    shard: 0,
    controlSocket: "/nowhere",
  });
  const sent: FromShard[] = [];
  const side = {
    start: { settings, shard: 0, shards: 1, loads: createLoadMemory(1) },
    send: (message: FromShard) => void sent.push(message),
    event() {},
  };
  const ledger = new Ledger(createLedgerMemory(1_024), 1);
  const shard = new Shard(side as unknown as ShardSide, ledger, new ConnectionCounts(createCountsMemory(1), 1));
  const question = { kind: "api_key", name: "a", appId: null, orgId: null, key: "k", address: "192.0.2.1" } as const;
  for (let i = 0; i < 3; i++) void shard["ask"]({ ...question, network: null });
  expect([sent.map(({ type }) => type), shard["asks"].size]).toEqual([["ask", "ask", "ask"], 3]);
  jest.advanceTimersByTime(20_000);
  expect(shard["asks"].size).toBe(0);
});
