// Many requests at once to a slow service, and visitors beside one that doesn't read and one that reads all it can.

import { percentile } from "../../bench/measure/statistics.ts";
import { measureVisits } from "../helpers/latencies.ts";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { cpuMs } from "../helpers/process-facts.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { readAll } from "../helpers/read-all.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { statusOf } from "../helpers/visit.ts";
import { atMost, exactly, figure, type Scenario, scaled } from "./scenario.ts";

export const slowService: Scenario = {
  name: "slow-service",
  about: "1,000 requests at once on one tunnel to a service that takes 1 s: all well in ≤ 2.5 s",
  async run(options) {
    const count = scaled(options, 1_000, 100);
    await using service = startTaggedService("slow");
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "slow" });
    await agent.until("session");
    // What those who ask and the service need by themselves, which is this process.
    const alone = await askAtOnce(service.port, count);
    const [serverMs, agentMs] = [cpuMs(server.pid), cpuMs(agent.pid)];
    const tunnelled = await askAtOnce(server.port, count);
    return [
      exactly("answers with 200", tunnelled.well, count),
      atMost("the last after", tunnelled.seconds, 2.5, "s"),
      figure("the last without a tunnel after", alone.seconds, "s"),
      figure("CPU of the server, just started", cpuMs(server.pid) - serverMs, "ms"),
      figure("CPU of the agent, just started", cpuMs(agent.pid) - agentMs, "ms"),
    ];
  },
};

/** Sends `count` requests at once on as many connections; their set-up is not what is measured. */
async function askAtOnce(port: number, count: number): Promise<{ well: number; seconds: number }> {
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.open({ port })));
  const started = performance.now();
  const statuses = await Promise.all(
    clients.map(async (client) => {
      await client.send("GET /slow/1000 HTTP/1.1\r\nHost: slow.localhost\r\n\r\n");
      return statusOf(client.response());
    }),
  );
  const seconds = (performance.now() - started) / 1_000;
  for (const client of clients) client[Symbol.dispose]();
  return { well: statuses.filter((status) => status === 200).length, seconds };
}

export const readers: Scenario = {
  name: "readers",
  about: "one stalled and one bulk reader on a tunnel: others' p99 at most doubled + 20 ms",
  async run(options) {
    const seconds = scaled(options, 20, 4);
    await using service = await startLocalServiceProcess();
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "shared" });
    await agent.until("session");
    await measureVisits(server.port, "shared", 2);
    const alone = await measureVisits(server.port, "shared", seconds);
    // The same bytes through another agent: what the machine alone costs.
    await using other = await openTunnelProcess({ ...server, port: service.port, name: "other" });
    await other.until("session");
    const elsewhere = readAll(server.port, "other", seconds + settleMs / 1_000);
    await Bun.sleep(settleMs);
    const control = await measureVisits(server.port, "shared", seconds);
    await elsewhere;
    using stalled = await RawClient.open(server);
    await stalled.send("GET /size/8000000000 HTTP/1.1\r\nHost: shared.localhost\r\n\r\n");
    stalled.pause();
    const bulk = readAll(server.port, "shared", seconds + settleMs / 1_000);
    await Bun.sleep(settleMs);
    const beside = await measureVisits(server.port, "shared", seconds);
    const limit = percentile(alone.ms, 99) * 2 + 20;
    return [
      atMost("p99 beside the two", percentile(beside.ms, 99), limit, "ms"),
      figure("p99 alone", percentile(alone.ms, 99), "ms"),
      figure("p99 with the bulk reader on another tunnel", percentile(control.ms, 99), "ms"),
      figure("p50 alone", percentile(alone.ms, 50), "ms"),
      figure("p50 with the bulk reader on another tunnel", percentile(control.ms, 50), "ms"),
      figure("p50 beside the two", percentile(beside.ms, 50), "ms"),
      exactly("failed", alone.failed + control.failed + beside.failed, 0),
      figure("the bulk reader's speed", (await bulk) / 1_048_576 / seconds, "MiB/s"),
    ];
  },
};

/** The server looks once a second who moves much. */
const settleMs = 1_500;
