// Connections that change host on every request: every answer right and in order, nothing leaked, moved, piped or lent.

import { describe, expect, test } from "bun:test";
import { shardOf } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { runMovingVisitors } from "../helpers/moving-visitors.ts";
import { describeDescriptors, descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

/** Names on shards 0 and 1 of two. */
const tags = ["ant", "bee", "cat", "dog"];

/** Moved or piped on every change of host, and passed on instead (workers/lender.ts). */
const ways = [
  { HANDOVER: "move", LEND_AFTER_MOVES: "1000000" },
  { HANDOVER: "pipe", LEND_AFTER_MOVES: "1000000" },
  { HANDOVER: "move", LEND_AFTER_MOVES: "3" },
  { HANDOVER: "pipe", LEND_AFTER_MOVES: "1" },
];

for (const env of ways) {
  describe(`HANDOVER=${env.HANDOVER}, LEND_AFTER_MOVES=${env.LEND_AFTER_MOVES}`, () => {
    test("2,000 changes of host over 8 connections, pipelined, with bodies both ways", async () => {
      expect(new Set(tags.map((tag) => shardOf(tag, 2))).size).toBe(2);
      await using server = await startServerProcess({ shards: 2, env });
      const services: TaggedService[] = tags.map(startTaggedService);
      const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
      await runMovingVisitors({ port: server.port, tags, moves: 500, connections: 8, run: "warm" });
      await eventually(() => settled(server.pid), "the server is quiet after the warm-up");
      const before = { descriptors: descriptorCount(server.pid), bytes: residentBytes(server.pid) };

      const report = await runMovingVisitors({ port: server.port, tags, moves: 2_000, connections: 8, run: "test" });
      expect(report.wrong).toEqual([]);
      expect(report.broken).toEqual([]);
      expect(report.answers).toBe(2_000);
      // No request was delivered twice, not even where a connection was closed behind an answer.
      for (const { seen } of services) expect([...seen].filter(([, times]) => times !== 1)).toEqual([]);

      await eventually(
        () => descriptorCount(server.pid) <= before.descriptors,
        `descriptors are as before: ${before.descriptors}, now ${JSON.stringify(describeDescriptors(server.pid))}`,
      );
      expect(residentBytes(server.pid) - before.bytes).toBeLessThan(64 * 1024 * 1024);
      await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
    }, 60_000);
  });
}

let last = { pid: 0, count: 0, since: 0 };

/** Whether the number of descriptors has stood still for 300 ms. */
function settled(pid: number): boolean {
  const count = descriptorCount(pid);
  if (last.pid !== pid || last.count !== count) last = { pid, count, since: performance.now() };
  return performance.now() - last.since > 300;
}
