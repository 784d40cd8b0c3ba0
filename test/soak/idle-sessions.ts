// What thousands of idle sessions cost: 5,000 through the one public port, 10,000 on the shards' own ports.

import type { Socket } from "bun";
import { PING, PONG } from "../../src/protocol/frames.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { cpuMs, descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { atMost, exactly, type Fact, figure, type Scenario, scaled } from "./scenario.ts";

const sessionsPerTunnel = 2;
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
  const first = await openAll(server, 100, shardPorts, "warm");
  for (const session of first.list) session.close();
  await eventually(() => first.list.every(({ open }) => !open), "the warm-up is over");
  await Bun.sleep(2_000);
  const before = residentBytes(server.pid);
  const descriptors = descriptorCount(server.pid);
  const started = performance.now();
  const { list, failed } = await openAll(server, sessions, shardPorts, "idle");
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

interface IdleSession {
  open: boolean;
  close(): void;
}

/** Registers tunnels, 20 at a time, and opens two bare sessions for each. */
async function openAll(
  server: ServerProcess,
  sessions: number,
  shardPorts: number[] | null,
  run: string,
): Promise<{ list: IdleSession[]; failed: number }> {
  const list: IdleSession[] = [];
  let [next, failed] = [0, 0];
  const lane = async (): Promise<void> => {
    while (next < sessions / sessionsPerTunnel) {
      const subdomain = `${run}-${next++}`;
      const response = await fetch(`${server.origin}/_tunnel/register`, {
        method: "POST",
        headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
        body: JSON.stringify({
          ...{ subdomain, agentId: `agt_${subdomain}`, generation: 1, version: "0.1.0", capabilities: [] },
          ...{ pool: false, protocol: "http", connections: sessionsPerTunnel },
        }),
      });
      const body = (await response.json()) as { tickets?: string[]; session?: { path: string } };
      for (const ticket of body.tickets ?? []) {
        const path = body.session!.path;
        const shard = Number(path.split("/").at(-1));
        const session = await openSession(shardPorts?.[shard] ?? server.port, `${path}?ticket=${ticket}`);
        if (session === null) failed++;
        else list.push(session);
      }
      if (body.tickets === undefined) failed += sessionsPerTunnel;
    }
  };
  await Promise.all(Array.from({ length: 20 }, lane));
  return { list, failed };
}

/** A masked WebSocket message with one PONG frame of the protocol, but for its 8 bytes. */
const pongHead = [0x82, 0x80 | 16, 0, 0, 0, 0, PONG, 0, 0, 8, 0, 0, 0, 0];
const pongs = { sent: 0 };

/** The least an agent's session needs: an upgrade, and an answer to each ping. */
async function openSession(port: number, path: string): Promise<IdleSession | null> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const session = { open: false, close: (): void => {} };
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: digit-link.v1",
  ];
  const socket: Socket<undefined> = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (opened) => void opened.write(`${lines.join("\r\n")}\r\n\r\n`),
      data(opened, bytes) {
        if (!session.open) {
          session.open = bytes.toString("latin1", 0, 12) === "HTTP/1.1 101";
          resolve(session.open);
        } else if (bytes.length === 18 && bytes[2] === PING) {
          pongs.sent++;
          opened.write(Buffer.concat([Buffer.from(pongHead), bytes.subarray(10)]));
        }
      },
      close() {
        session.open = false;
        resolve(false);
      },
      error: (failed) => void failed.terminate(),
    },
  });
  session.close = () => void socket.terminate();
  return (await promise) ? session : null;
}
