// Three times what can be carried: by one tunnel's limit of requests in flight, and by the machine.

import { join } from "node:path";
import { runWrk } from "../../bench/load/wrk.ts";
import { percentile } from "../../bench/measure/statistics.ts";
import type { Endpoint } from "../../bench/parties/party.ts";
import { ensurePrograms } from "../../bench/prerequisites.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { offerLoad } from "../helpers/open-loop.ts";
import { endWithThisProcess, startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { atLeast, atMost, exactly, type Fact, figure, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

export const overload: Scenario = {
  name: "overload",
  about: "three times the load of a tunnel and of the machine: goodput at least 80 %, the rest fast 503",
  async run(options) {
    return [...(await beyondTheLimit(options)), ...(await beyondTheMachine(options))];
  },
};

async function beyondTheLimit(options: SoakOptions): Promise<Fact[]> {
  // What the machine carries easily, with the load's own process beside it.
  const [atOnce, serviceMs] = [200, 500];
  const capacity = atOnce / (serviceMs / 1_000);
  await using service = startTaggedService("full");
  const env = { MAX_CONNECTIONS_PER_TUNNEL: String(atOnce) };
  await using server = await startServerProcess({ shards: 2, env });
  await using agent = await openTunnelProcess({ ...server, port: service.port, name: "full" });
  await agent.until("session");
  const load = { port: server.port, name: "full", path: `/slow/${serviceMs}`, perSecond: 3 * capacity };
  const { ms, offered, broken, seconds } = await offerLoad({ ...load, seconds: scaled(options, 20, 4) });
  const [served = [], refused = []] = [ms[200], ms[503]];
  return [
    figure("offered requests/s", Math.round(offered / seconds)),
    atLeast(`served/s of ${capacity} that the tunnel carries`, served.length / seconds, 0.8 * capacity),
    exactly("neither served nor refused", offered - served.length - refused.length, 0),
    exactly("broken", broken, 0),
    atMost("p99 of the served", percentile(served, 99), 2 * serviceMs, "ms"),
    atMost("p50 of the 503s", percentile(refused, 50), 50, "ms"),
    atMost("p99 of the 503s", percentile(refused, 99), serviceMs, "ms"),
  ];
}

/** Connections that ask again as soon as they are answered: 64 of them keep the machine busy. */
async function beyondTheMachine(options: SoakOptions): Promise<Fact[]> {
  await ensurePrograms(options.say);
  const [servicePort = 0] = await freePorts(1);
  // The bench's own service: that of the tests records what it gets, and would be what is measured.
  const service = Bun.spawn([
    process.execPath,
    join(import.meta.dir, "../../bench/local-service.ts"),
    String(servicePort),
  ]);
  endWithThisProcess(service.pid);
  await using server = await startServerProcess({ shards: 2 });
  await using agent = await openTunnelProcess({ ...server, port: servicePort, name: "busy" });
  await agent.until("session");
  const endpoint: Endpoint = {
    address: "127.0.0.1",
    port: server.port,
    hostHeaders: [`busy.localhost:${server.port}`],
  };
  const seconds = scaled(options, 10, 2);
  const rate = async (connections: number): Promise<{ perSecond: number; errors: number }> => {
    const result = await runWrk(endpoint, { connections, seconds });
    return { perSecond: result.requests / (result.durationUs / 1e6), errors: result.errors };
  };
  await rate(64);
  const full = await rate(64);
  const facts: Fact[] = [
    figure("requests/s of 64 busy connections", full.perSecond),
    exactly("their errors", full.errors, 0),
  ];
  const three = await rate(64 * 3);
  const many = await rate(64 * 16);
  facts.push(
    atLeast("requests/s of 192", three.perSecond, 0.8 * full.perSecond),
    figure("requests/s of 1,024", many.perSecond),
    exactly("errors of 192 and 1,024", three.errors + many.errors, 0),
  );
  service.kill();
  return facts;
}
