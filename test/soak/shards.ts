// Shards killed under load: 200 times with canary files beside, and in a whole server with visitors on every shard.

import { shardOf } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { killUnderLoad } from "../helpers/kill-under-load.ts";
import { descriptorCount } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { keepVisiting } from "../helpers/visit.ts";
import { atLeast, atMost, exactly, type Scenario, scaled } from "./scenario.ts";

export const shardKills: Scenario = {
  name: "shard-kills",
  about: "200 shard kills while connections move, with canary files and sockets open",
  async run(options) {
    const kills = scaled(options, 200, 10);
    const report = await killUnderLoad(kills);
    return [
      exactly("kills", report.kills, kills),
      exactly("canaries hit", report.canariesHit, 0),
      exactly("wrong answers", report.wrong, 0),
      atLeast("connections that went all their way", report.finished, kills),
      atMost("descriptors more than before", report.descriptorsAfter - report.descriptorsBefore, 0),
      exactly("descriptors in flight afterwards", report.inFlight, 0),
      exactly("connections counted afterwards", report.connections, 0),
    ];
  },
};

export const shardFaults: Scenario = {
  name: "shard-faults",
  about: "60 shards of a whole server throw, leave or hang; the other shards' visitors notice nothing",
  async run(options) {
    const faults = scaled(options, 60, 6);
    await using server = await startServerProcess({ shards: 4, faults: true, env: { HOLD_MS: "15000" } });
    await using service = startTaggedService("local");
    const names = Array.from({ length: 4 }, (_, shard) => nameOn(shard));
    const agents = await Promise.all(names.map((name) => openTunnel({ ...server, port: service.port, name })));
    const before = descriptorCount(server.pid);
    let [othersFailed, othersServed, slowestBackMs] = [0, 0, 0];
    for (let i = 0; i < faults; i++) {
      const shard = i % 4;
      const others = names.filter((_, k) => k !== shard).map((name) => keepVisiting(server.port, name));
      const own = keepVisiting(server.port, names[shard]!);
      const agent = agents[shard]!;
      const readies = agent.all("tunnel.ready").length;
      const started = performance.now();
      const kind = (["throw", "exit", "hang"] as const)[i % 3]!;
      await server.fault(kind, shard);
      await agent.until("tunnel.ready", readies + 1, 20_000);
      // A hang is known after 2 s only.
      slowestBackMs = Math.max(slowestBackMs, performance.now() - started - (kind === "hang" ? 2_000 : 0));
      for (const other of others) {
        const { "200": served = 0, ...failed } = await other.stop();
        othersServed += served;
        othersFailed += Object.values(failed).reduce((sum, count) => sum + count, 0);
      }
      await own.stop();
    }
    await eventually(() => descriptorCount(server.pid) <= before, "descriptors", 15_000).catch(() => {});
    const facts = [
      exactly("faults", faults, faults),
      exactly("failed requests on other shards", othersFailed, 0),
      atLeast("served requests on other shards", othersServed, faults),
      atMost("slowest return of an agent", slowestBackMs, 5_000, "ms"),
      atMost("descriptors more than before", descriptorCount(server.pid) - before, 0),
    ];
    await Promise.all(agents.map((agent) => agent.stop(0)));
    return facts;
  },
};

function nameOn(shard: number): string {
  for (let i = 0; ; i++) if (shardOf(`soak-${i}`, 4) === shard) return `soak-${i}`;
}
