// Contract: bodies of any size pass without being collected: memory of server and agent while they do, as processes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { median } from "../../bench/measure/statistics.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { patternPieces, patternSha1 } from "../helpers/pattern.ts";
import { RawClient, requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { requestBytes, setups } from "../helpers/services.ts";
import { openSlowReader } from "../helpers/slow-reader.ts";
import { openTunnelProcess, type ProcessAgent } from "../helpers/tunnel-agent.ts";

const mib = 1024 * 1024;
const isSoak = process.env["SOAK"] !== undefined;
const host = "demo.localhost";

/** `VmRSS` now, or `VmHWM`: the most since `forgetPeak`. */
function resident(pid: number, which: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}
const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

describe.each(Object.entries(setups))("memory: %s", (setup, env) => {
  // 1 GiB takes its time: everywhere in the soak run, in one setup otherwise.
  const large = (isSoak || setup === "4 shards" ? 1024 : 128) * mib;
  // The slowest of all: ten at once.
  const tenth = Math.floor((isSoak ? 1024 : 128) / 10) * mib;
  let server: ServerProcess;
  let agent: ProcessAgent;
  let service: LocalService;

  beforeAll(async () => {
    service = startLocalService();
    server = await startServerProcess({ shards: Number(env["SHARDS"]), env });
    agent = await openTunnelProcess({ origin: server.origin, token: server.token, port: service.port, name: "demo" });
    // Code, buffers and pools are warm before anything is measured.
    await Promise.all([upload(32 * mib), download(32 * mib)]);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    service[Symbol.dispose]();
  });

  async function download(bytes: number): Promise<void> {
    const response = await requestOnce(server, requestBytes(host, `/size/${bytes}`), {
      discard: true,
      timeoutMs: 120_000,
    });
    expect([response.bodyBytes, response.sha1]).toEqual([bytes, patternSha1(bytes)]);
  }

  async function upload(bytes: number): Promise<void> {
    using client = await RawClient.open(server);
    const answer = client.response({ timeoutMs: 120_000 });
    await client.send(requestBytes(host, "/upload", { method: "POST", lines: [`Content-Length: ${bytes}`] }));
    for (const piece of patternPieces(0, bytes)) await client.send(piece);
    expect(JSON.parse((await answer).body.toString())).toMatchObject({ bodyBytes: bytes, sha1: patternSha1(bytes) });
  }

  /** Runs `work`; server and agent may hold so much more than before, at most. */
  async function expectFlat(work: () => Promise<unknown>): Promise<void> {
    const pids = [server.pid, agent.pid];
    const before = pids.map((pid) => resident(pid, "VmRSS"));
    pids.forEach(forgetPeak);
    await work();
    const grown = pids.map((pid, i) => resident(pid, "VmHWM") - before[i]!);
    expect(Math.max(...grown) / mib).toBeLessThan(64);
  }

  const timeoutMs = 240_000;
  test(`${large / mib} MiB down`, () => expectFlat(() => download(large)), timeoutMs);
  test(`${large / mib} MiB up`, () => expectFlat(() => upload(large)), timeoutMs);
  test(
    `10 × ${tenth / mib} MiB both ways at once`,
    () => expectFlat(() => Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? upload : download)(tenth)))),
    timeoutMs,
  );
  test(
    "visitors that hardly read cost a window each, and others run at full speed meanwhile",
    () =>
      expectFlat(async () => {
        const slow = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(server)));
        for (const client of slow) {
          client.pause();
          await client.send(requestBytes(host, "/size/100000000"));
        }
        for (let i = 0; i < 8; i++) await download(8 * mib);
        for (const client of slow) client.socket.destroy();
      }),
    timeoutMs,
  );
  test(
    "one visitor reads at 10 KB/s: others on its tunnel are as fast as without it",
    () =>
      expectFlat(async () => {
        const alone: number[] = [];
        const beside: number[] = [];
        const others = async (): Promise<number> => {
          const startedAt = performance.now();
          await Promise.all(Array.from({ length: 4 }, (_, i) => (i === 0 ? upload : download)(8 * mib)));
          return performance.now() - startedAt;
        };
        // In turns, so that what else the machine does hits both; `bun run soak --only paced-reader` measures it.
        for (let round = 0; round < 5; round++) {
          alone.push(await others());
          using slow = await openSlowReader({
            ...{ port: server.port, host, path: "/size/100000000", fastMs: 20 },
            ...{ bytesPerSecond: 10_000, receiveBytes: 1_024 },
          });
          await eventually(() => slow.received > 0, "it has begun");
          const first = slow.received;
          await eventually(() => slow.received > first, "it reads on");
          beside.push(await others());
          const meanwhile = slow.received;
          await eventually(() => slow.received > meanwhile, "it still reads");
          const { bytes, sha1 } = slow.body();
          expect([slow.over, sha1]).toEqual([null, patternSha1(bytes)]);
          expect(bytes).toBeLessThan(1_000_000);
        }
        expect(median(beside) / median(alone)).toBeLessThan(3);
      }),
    timeoutMs,
  );
});
