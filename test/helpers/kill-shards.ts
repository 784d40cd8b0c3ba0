// Kills shards of a whole server again and again under load, with canaries open, and looks whether anything else was hit.

import { shardOf } from "../../src/link/shard-of.ts";
import { keepAsking, keepMoving, type MovingCounts } from "./busy-visitors.ts";
import { createCanaries } from "./canaries.ts";
import { eventually } from "./eventually.ts";
import { describeDescriptors, residentBytes } from "./process-facts.ts";
import { startServerProcess } from "./server-process.ts";
import { startTaggedService } from "./tagged-service.ts";
import { openTunnel } from "./tunnel-agent.ts";

export interface ShardKillReport {
  kills: number;
  /** Of visitors who only ask for names of shards that were not being killed. */
  othersServed: number;
  othersFailed: string[];
  /** Visitors whose connections move between all shards and main. */
  moving: MovingCounts;
  /** Requests that a local service saw more than once. */
  seenTwice: string[];
  slowestBackMs: number;
  /** Sessions of other shards' agents that were lost. */
  othersLost: number;
  /** Connections that were on their way to a shard when it died, and were closed for it. */
  swept: number;
  canariesOpened: number;
  canariesHit: string[];
  /** How many of each kind are open at rest: before the first visitor, and after the last. */
  descriptors: Record<"before" | "after", Record<string, number>>;
  bytesMore: number;
}

const kinds = ["terminate", "throw", "terminate", "exit", "terminate", "throw", "terminate", "hang"] as const;
/** What a hang takes to be known. */
const hangMs = 2_000;

export async function killShards(kills: number, env: Record<string, string> = {}): Promise<ShardKillReport> {
  const shards = 4;
  using canaries = createCanaries();
  await using server = await startServerProcess({
    ...{ shards, faults: true, preload: canaries.server.preload },
    // Connections that nobody uses close soon, so that what is open at rest is always the same.
    env: { HOLD_MS: "15000", IDLE_TIMEOUT_MS: "2000", ...canaries.server.env, ...env },
  });
  const names = Array.from({ length: shards }, (_, shard) => nameOn(shard, shards));
  const services = names.map(startTaggedService);
  const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
  await Promise.all(agents.map((agent) => eventually(() => agent.all("session").at(-1)?.open === 2, "both sessions")));
  const before = await restingDescriptors(server.pid);
  const warm = keepMoving(server.port, names, 8, "warm");
  await eventually(() => warm.counts.right > 500, "warm-up", 30_000);
  await warm.stop();
  const bytesBefore = residentBytes(server.pid);
  const lost = (): number[] => agents.map((agent) => agent.all("tunnel.lost").length);
  let victim = -1;
  let othersLost = 0;
  const othersFailed: string[] = [];
  const steady = names.map((name, shard) =>
    keepAsking(server.port, name, (why) => {
      if (shard !== victim) othersFailed.push(why);
    }),
  );
  const moving = keepMoving(server.port, names, 8, "moving");
  const served = (): number => steady.reduce((sum, one, shard) => sum + (shard === victim ? 0 : one.served()), 0);
  canaries.start();
  let [slowestBackMs, othersServed] = [0, 0];
  for (let i = 0; i < kills; i++) {
    const moved = moving.counts.right;
    await eventually(() => moving.counts.right > moved + 50, "connections move before the next kill", 30_000);
    victim = i % shards;
    const kind = kinds[Math.floor(i / shards) % kinds.length]!;
    const [servedBefore, lostBefore] = [served(), lost()];
    const readies = agents[victim]!.all("tunnel.ready").length;
    const started = performance.now();
    await server.fault(kind, victim);
    await agents[victim]!.until("tunnel.ready", readies + 1, 20_000);
    slowestBackMs = Math.max(slowestBackMs, performance.now() - started - (kind === "hang" ? hangMs : 0));
    const own = steady[victim]!.served();
    // Its two visitors each have had an answer since: what failed has failed.
    await eventually(() => steady[victim]!.served() > own + 10, "the tunnel is served again", 20_000);
    othersServed += served() - servedBefore;
    othersLost += lost().reduce((sum, now, shard) => sum + (shard === victim ? 0 : now - lostBefore[shard]!), 0);
  }
  victim = -1;
  await Promise.all([...steady, moving].map((one) => one.stop()));
  const seen = await canaries.stop();
  // What a message never came for is closed after 10 s.
  const isAsBefore = (): boolean => Bun.deepEquals(describeDescriptors(server.pid), before);
  await eventually(isAsBefore, "descriptors", 20_000).catch(() => {});
  const swept = server.log
    .filter(({ message }) => message === "closed connections on their way to a dead shard")
    .reduce((sum, line) => sum + Number(line["connections"]), 0);
  const report: ShardKillReport = {
    ...{ kills, othersServed, othersFailed, moving: moving.counts, slowestBackMs, othersLost, swept },
    seenTwice: services.flatMap((service) => [...service.seen].filter(([, times]) => times > 1).map(([id]) => id)),
    canariesOpened: seen.opened,
    canariesHit: seen.hits,
    descriptors: { before, after: describeDescriptors(server.pid) },
    bytesMore: residentBytes(server.pid) - bytesBefore,
  };
  for (const agent of agents) await agent.stop(0);
  for (const service of services) await service[Symbol.asyncDispose]();
  return report;
}

/** What is open once nothing is being opened or closed any more: unchanged for longer than pools keep what is idle. */
async function restingDescriptors(pid: number): Promise<Record<string, number>> {
  let seen = describeDescriptors(pid);
  let since = performance.now();
  await eventually(
    () => {
      const now = describeDescriptors(pid);
      if (!Bun.deepEquals(now, seen)) since = performance.now();
      seen = now;
      return performance.now() - since > 6_000;
    },
    "descriptors are at rest",
    30_000,
  );
  return seen;
}

function nameOn(shard: number, shards: number): string {
  for (let i = 0; ; i++) if (shardOf(`soak-${i}`, shards) === shard) return `soak-${i}`;
}
