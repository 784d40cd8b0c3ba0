// Contract: connections that change their host on every request: every answer right and in order, nothing leaked.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../helpers/eventually.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { patternBytes } from "../helpers/pattern.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { requestBytes } from "../helpers/services.ts";
import { openTunnelProcess, type ProcessAgent } from "../helpers/tunnel-agent.ts";

const isSoak = process.env["SOAK"] !== undefined;
/** Connections at once, and requests on each: in the soak run 100,000 moves, as the issue asks for. */
const visitors = 50;
const requestsEach = isSoak ? 2_100 : 60;
const mib = 1024 * 1024;

/** Names on three of four shards, and a host that stays on the main thread. */
const names = ["demo", "other", "next"];
const hosts = [...names.map((name) => `${name}.localhost`), "localhost"];

const openDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const resident = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;

describe.each([
  ["4 shards, every time", { SHARDS: "4", LEND_AFTER_MOVES: "1000000" }],
  ["2 shards, piped, every time", { SHARDS: "2", HANDOVER: "pipe", LEND_AFTER_MOVES: "1000000" }],
  ["4 shards, lent", { SHARDS: "4", LEND_AFTER_MOVES: "1" }],
  ["2 shards, piped, lent", { SHARDS: "2", HANDOVER: "pipe", LEND_AFTER_MOVES: "1" }],
])("moves: %s", (_, env) => {
  let server: ServerProcess;
  let agents: ProcessAgent[];
  let service: LocalService;

  beforeAll(async () => {
    service = startLocalService();
    server = await startServerProcess({ shards: Number(env.SHARDS), env });
    const { origin, token } = server;
    agents = await Promise.all(names.map((name) => openTunnelProcess({ origin, token, port: service.port, name })));
    await run(10);
  });
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
    await server[Symbol.asyncDispose]();
    service[Symbol.dispose]();
  });

  /** One visitor: `count` requests in twos, the second pipelined behind the first, each for the next host, bodies both ways. */
  async function visit(visitor: number, count: number): Promise<void> {
    using client = await RawClient.open(server);
    const request = (i: number): { bytes: string; wanted: string } => {
      const host = hosts[(visitor + i) % hosts.length]!;
      if (host === "localhost") return { bytes: requestBytes(host, "/live"), wanted: "" };
      const wanted = `${visitor}/${i}/${host} ${patternBytes(i, i + (i % 7) * 1_000).toString("latin1")}`;
      const lines = [`Content-Length: ${wanted.length}`];
      return { bytes: requestBytes(host, "/echo", { method: "POST", lines, body: wanted }), wanted };
    };
    for (let i = 0; i < count; i += 2) {
      const pair = [request(i), request(i + 1)];
      await client.send(pair.map(({ bytes }) => bytes).join(""));
      for (const { wanted } of pair) {
        const response = await client.response({ timeoutMs: 60_000 });
        if (response.status !== 200) throw new Error(`status ${response.status} for ${wanted.slice(0, 40)}`);
        if (wanted !== "" && response.body.toString("latin1") !== wanted)
          throw new Error(`another answer than ${wanted.slice(0, 40)}`);
      }
    }
  }

  const run = (count: number): Promise<void[]> =>
    Promise.all(Array.from({ length: visitors }, (_, visitor) => visit(visitor, count)));

  test(
    `${visitors * requestsEach} requests, each for another host than the last`,
    async () => {
      const before = openDescriptors(server.pid);
      const residentBefore = resident(server.pid);
      await run(requestsEach);
      expect(service.problems).toEqual([]);
      await eventually(
        () => openDescriptors(server.pid) <= before + 4,
        `${openDescriptors(server.pid)} descriptors are ${before} again`,
      );
      expect((resident(server.pid) - residentBefore) / mib).toBeLessThan(64);
    },
    isSoak ? 600_000 : 60_000,
  );
});
