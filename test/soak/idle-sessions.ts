// What thousands of idle sessions cost: 5,000 through the one public port, 10,000 on the shards' own ports.

import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { openIdleSessions, pongs } from "../helpers/idle-sessions.ts";
import { cpuMs, descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { atMost, exactly, type Fact, figure, type Scenario, scaled } from "./scenario.ts";

const mib = 1_048_576;
/** The server pings after 10 s of silence, for which it looks once a second. */
const roundMs = 11_000;

export const idleSessions: Scenario = {
  name: "idle-sessions",
  about: "5,000 idle sessions through the public port: ≤ 15 KB each",
  run: async (options) => measure(scaled(options, 5_000, 500), null),
};

export const idleSessionsDirect: Scenario = {
  name: "idle-direct",
  about: "10,000 idle sessions over SHARD_PORTS: ≤ 15 KB each, ≤ 250 MB in all, ≤ 5 % of a core",
  run: async (options) => measure(scaled(options, 10_000, 500), await freePorts(2)),
};

async function measure(sessions: number, shardPorts: number[] | null): Promise<Fact[]> {
  await using server = await startServerProcess({
    shards: 2,
    env: {
      MAX_CONNECTIONS_PER_ADDRESS: "100000",
      // Deadlines as in production.
      ...(shardPorts === null ? {} : { SHARD_PORTS: shardPorts.join(",") }),
    },
  });
  // The first registrations and sessions bring in code and caches that are there once.
  const first = await openIdleSessions(server, 100, "warm", shardPorts);
  for (const session of first.list) session.close();
  await eventually(() => first.list.every(({ open }) => !open), "the warm-up is over");
  await Bun.sleep(2_000);
  const before = residentBytes(server.pid);
  const descriptors = descriptorCount(server.pid);
  const started = performance.now();
  const { list, failed } = await openIdleSessions(server, sessions, "idle", shardPorts);
  const seconds = (performance.now() - started) / 1_000;
  // In the first round the server still cleans up and compiles what the opening of thousands has left behind.
  await Bun.sleep(roundMs);
  const cpuBefore = cpuMs(server.pid);
  // Two rounds of pings: a part of a round would count some sessions twice and others once.
  const idleMs = 2 * roundMs;
  const pongsBefore = pongs.sent;
  await Bun.sleep(idleMs);
  const answered = pongs.sent - pongsBefore;
  const cpuShare = ((cpuMs(server.pid) - cpuBefore) / idleMs) * 100;
  let bytes = residentBytes(server.pid);
  for (let look = 0; look < 4; look++) {
    await Bun.sleep(500);
    bytes = Math.min(bytes, residentBytes(server.pid));
  }
  const open = list.filter((one) => one.open).length;
  const perSession = (bytes - before) / sessions;
  const opened = descriptorCount(server.pid) - descriptors;
  for (const session of list) session.close();
  return [
    exactly("sessions that failed to open", failed, 0),
    exactly("sessions open after idling", open, sessions),
    atMost("memory per session", perSession / 1_000, 15, "KB"),
    ...(shardPorts === null ? [] : [atMost("memory in all", bytes, 250_000_000, "bytes")]),
    atMost("CPU while idle", cpuShare, 5, "%"),
    figure("pings answered per second", answered / (idleMs / 1_000)),
    figure("descriptors per session", opened / sessions),
    figure("sessions opened per second", sessions / seconds),
    figure("memory before", before, "bytes"),
    ...(bytes > 1_000 * mib ? [figure("memory after", bytes, "bytes")] : []),
  ];
}
