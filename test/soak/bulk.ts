// 1 GiB each way and 10 × 100 MiB at once, with the memory of server and agent watched; and the same with TLS of our own.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { patternPieces, patternSha1 } from "../helpers/pattern.ts";
import { residentBytes, watchMemory } from "../helpers/process-facts.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { testTls } from "../helpers/test-tls.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { atMost, type Fact, figure, nothingIn, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

const mib = 1_048_576;

/** Opens a visitor's connection. */
type Open = () => Promise<RawClient>;

export const bulk: Scenario = {
  name: "bulk",
  about: "1 GiB down, 1 GiB up, 10 × 100 MiB each way at once: checksums, memory ≤ +64 MiB",
  async run(options) {
    await using service = await startLocalServiceProcess();
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "bulk" });
    return await transfer(options, () => RawClient.open(server), { server: server.pid, agent: agent.pid }, 64 * mib);
  },
};

export const bulkTls: Scenario = {
  name: "bulk-tls",
  about: "the same with TLS_CERT, visitors and agent by TLS: memory of the server ≤ +96 MiB",
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), "digit-link-tls-"));
    const files = { TLS_CERT: join(folder, "cert.pem"), TLS_KEY: join(folder, "key.pem") };
    writeFileSync(files.TLS_CERT, testTls.cert);
    writeFileSync(files.TLS_KEY, testTls.key);
    await using service = await startLocalServiceProcess();
    await using server = await startServerProcess({ shards: 2, env: { SCHEME: "https", ...files } });
    const origin = server.origin.replace("http:", "https:");
    const env = { NODE_EXTRA_CA_CERTS: files.TLS_CERT };
    await using agent = await openTunnelProcess({ ...server, origin, port: service.port, name: "bulk", env });
    const open = async (): Promise<RawClient> => {
      const { port } = server;
      const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: testTls.cert });
      await once(socket, "secureConnect");
      return new RawClient(socket);
    };
    const facts = await transfer(options, open, { server: server.pid, agent: agent.pid }, 96 * mib);
    rmSync(folder, { recursive: true, force: true });
    return facts;
  },
};

async function transfer(
  options: SoakOptions,
  open: Open,
  pids: { server: number; agent: number },
  serverBytes: number,
): Promise<Fact[]> {
  const wrong: string[] = [];
  const facts: Fact[] = [];
  const big = scaled(options, 1_024, 64) * mib;
  const many = scaled(options, 100, 8) * mib;
  // A first round grows buffers and heaps to what any load needs.
  await Promise.all([download(open, 16 * mib, wrong), upload(open, 16 * mib, wrong)]);
  const phases: [string, number, () => Promise<unknown>][] = [
    ["down", big, () => download(open, big, wrong)],
    ["up", big, () => upload(open, big, wrong)],
    ["10 down", 10 * many, () => all(() => download(open, many, wrong))],
    ["10 up", 10 * many, () => all(() => upload(open, many, wrong))],
  ];
  const first = [residentBytes(pids.server), residentBytes(pids.agent)] as const;
  const most = [0, 0] as [number, number];
  for (const [name, bytes, run] of phases) {
    const before = [residentBytes(pids.server), residentBytes(pids.agent)] as const;
    const watches = [watchMemory(pids.server), watchMemory(pids.agent)] as const;
    const started = performance.now();
    await run();
    const seconds = (performance.now() - started) / 1_000;
    for (const [i, watch] of watches.entries()) {
      watch.stop();
      most[i] = Math.max(most[i]!, watch.peakBytes() - first[i]!);
    }
    facts.push(
      figure(`${name}: speed`, bytes / mib / seconds, "MiB/s"),
      atMost(`${name}: memory of the server`, watches[0].peakBytes() - before[0], serverBytes, "bytes"),
      atMost(`${name}: memory of the agent`, watches[1].peakBytes() - before[1], 64 * mib, "bytes"),
    );
  }
  return [
    nothingIn("wrong checksums", wrong),
    ...facts,
    atMost("over all of it: memory of the server", most[0], serverBytes, "bytes"),
    atMost("over all of it: memory of the agent", most[1], 64 * mib, "bytes"),
  ];
}

const all = (run: () => Promise<void>): Promise<unknown> => Promise.all(Array.from({ length: 10 }, run));

async function download(open: Open, bytes: number, wrong: string[]): Promise<void> {
  using client = await open();
  await client.send(`GET /size/${bytes} HTTP/1.1\r\nHost: bulk.localhost\r\nConnection: close\r\n\r\n`);
  const { sha1 } = await client.response({ discard: true, timeoutMs: 300_000 });
  if (sha1 !== patternSha1(bytes)) wrong.push(`down ${bytes}`);
}

async function upload(open: Open, bytes: number, wrong: string[]): Promise<void> {
  using client = await open();
  const head = `POST /upload HTTP/1.1\r\nHost: bulk.localhost\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;
  const answer = client.response({ timeoutMs: 300_000 });
  answer.catch(() => {});
  await client.send(head);
  for (const piece of patternPieces(0, bytes)) await client.send(piece);
  const { sha1 } = JSON.parse((await answer).body.toString()) as { sha1: string };
  if (sha1 !== patternSha1(bytes)) wrong.push(`up ${bytes}`);
}
