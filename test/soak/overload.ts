// Three times what can be carried: by one tunnel's limit of requests in flight, and by the machine.

import { join } from "node:path";
import { runWrk } from "../../bench/load/wrk.ts";
import type { Endpoint } from "../../bench/parties/party.ts";
import { ensurePrograms } from "../../bench/prerequisites.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { type OfferedResult, offerRequests } from "../helpers/offer-load.ts";
import { residentBytes } from "../helpers/process-facts.ts";
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
  const over = await offerRequests({ ...load, seconds: scaled(options, 20, 4), connections: 4_000 });
  const [served, refused] = [answersOf(over, 200), answersOf(over, 503)];
  return [
    figure("offered requests/s", Math.round(over.offered / over.seconds)),
    atLeast(`served/s of ${capacity} that the tunnel carries`, served.count / over.seconds, 0.8 * capacity),
    exactly("neither served nor refused", over.offered - served.count - refused.count, 0),
    exactly("broken", over.broken, 0),
    atMost("p99 of the served", served.p99Ms, 2 * serviceMs, "ms"),
    atMost("p50 of the 503s", refused.p50Ms, 50, "ms"),
    atMost("p99 of the 503s", refused.p99Ms, serviceMs, "ms"),
  ];
}

/** Small answers to connections that ask again as soon as they are answered, and large ones to visitors who come whatever became of others. */
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
  const facts = [...(await closedLoop(options, servicePort)), ...(await openLoop(options, servicePort))];
  service.kill();
  return facts;
}

/** 64 connections keep the machine busy; more of them must not slow it down. */
async function closedLoop(options: SoakOptions, servicePort: number): Promise<Fact[]> {
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
  const three = await rate(64 * 3);
  const many = await rate(64 * 16);
  return [
    figure("requests/s of 64 busy connections", full.perSecond),
    atLeast("requests/s of 192", three.perSecond, 0.8 * full.perSecond),
    atLeast("requests/s of 1,024", many.perSecond, 0.6 * full.perSecond),
    exactly("errors of all of them", full.errors + three.errors + many.errors, 0),
  ];
}

/**
 * Answers of 1 MiB: they keep server and agent busy, and what the load itself costs on the same cores counts little. As many are let in
 * at once as the capacity was measured with.
 */
async function openLoop(options: SoakOptions, servicePort: number): Promise<Fact[]> {
  const atOnce = 64;
  const env = { MAX_CONNECTIONS_PER_TUNNEL: String(atOnce) };
  await using server = await startServerProcess({ shards: 2, env });
  await using agent = await openTunnelProcess({ ...server, port: servicePort, name: "bulky" });
  await agent.until("session");
  const load = { port: server.port, name: "bulky", path: "/bulk?bytes=1048576", seconds: scaled(options, 10, 3) };
  const closed = { ...load, perSecond: null, connections: atOnce };
  await offerRequests(closed);
  const bytes = residentBytes(server.pid);
  const full = await offerRequests(closed);
  const capacity = answersOf(full, 200).count / load.seconds;
  const over = await offerRequests({ ...load, perSecond: 3 * capacity, connections: 4_000 });
  const after = await offerRequests({ ...load, perSecond: capacity / 2, connections: 4_000 });
  const [served, refused] = [answersOf(over, 200), answersOf(over, 503)];
  const limitMs = 2 * answersOf(full, 200).p99Ms + 20;
  return [
    figure("1 MiB: answers/s of 64 busy connections", capacity),
    atLeast("1 MiB: offered/s", over.offered / over.seconds, 2.9 * capacity),
    figure("1 MiB: how late the load itself was (p99)", over.lateMs, "ms"),
    atLeast("1 MiB: served/s", served.count / over.seconds, 0.8 * capacity),
    exactly("1 MiB: neither served nor refused", over.offered - served.count - refused.count, 0),
    atMost("1 MiB: p99 of the served (twice that at full load + 20)", served.p99Ms, limitMs, "ms"),
    atMost("1 MiB: p50 of the 503s", refused.p50Ms, 50, "ms"),
    atMost("1 MiB: p99 of the 503s (that of the served)", refused.p99Ms, served.p99Ms, "ms"),
    exactly("1 MiB: half of the capacity right afterwards: not served", after.offered - answersOf(after, 200).count, 0),
    atMost("1 MiB: their p99 (that at full load)", answersOf(after, 200).p99Ms, answersOf(full, 200).p99Ms, "ms"),
    figure("1 MiB: memory of the server, more than before", residentBytes(server.pid) - bytes, "bytes"),
  ];
}

function answersOf(result: OfferedResult, status: number): OfferedResult["answers"][string] {
  return result.answers[status] ?? { count: 0, p50Ms: Number.NaN, p99Ms: Number.NaN, worstMs: Number.NaN };
}
