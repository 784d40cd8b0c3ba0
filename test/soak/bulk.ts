// 1 GiB each way and 10 × 100 MiB at once, with the memory of server and agent watched.

import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { patternPieces, patternSha1 } from "../helpers/pattern.ts";
import { residentBytes, watchMemory } from "../helpers/process-facts.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { atMost, type Fact, figure, nothingIn, type Scenario, scaled } from "./scenario.ts";

const mib = 1_048_576;

export const bulk: Scenario = {
  name: "bulk",
  about: "1 GiB down, 1 GiB up, 10 × 100 MiB each way at once: checksums, memory ≤ +64 MiB",
  async run(options) {
    await using service = await startLocalServiceProcess();
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "bulk" });
    const { port } = server;
    const wrong: string[] = [];
    const facts: Fact[] = [];
    const big = scaled(options, 1_024, 64) * mib;
    const many = scaled(options, 100, 8) * mib;
    // A first round grows buffers and heaps to what any load needs.
    await Promise.all([download(port, 16 * mib, wrong), upload(port, 16 * mib, wrong)]);
    const phases: [string, number, () => Promise<unknown>][] = [
      ["down", big, () => download(port, big, wrong)],
      ["up", big, () => upload(port, big, wrong)],
      ["10 down", 10 * many, () => all(() => download(port, many, wrong))],
      ["10 up", 10 * many, () => all(() => upload(port, many, wrong))],
    ];
    for (const [name, bytes, run] of phases) {
      const before = [residentBytes(server.pid), residentBytes(agent.pid)] as const;
      const watches = [watchMemory(server.pid), watchMemory(agent.pid)] as const;
      const started = performance.now();
      await run();
      const seconds = (performance.now() - started) / 1_000;
      for (const watch of watches) watch.stop();
      facts.push(
        figure(`${name}: speed`, bytes / mib / seconds, "MiB/s"),
        atMost(`${name}: memory of the server`, watches[0].peakBytes() - before[0], 64 * mib, "bytes"),
        atMost(`${name}: memory of the agent`, watches[1].peakBytes() - before[1], 64 * mib, "bytes"),
      );
    }
    return [nothingIn("wrong checksums", wrong), ...facts];
  },
};

const all = (run: () => Promise<void>): Promise<unknown> => Promise.all(Array.from({ length: 10 }, run));

async function download(port: number, bytes: number, wrong: string[]): Promise<void> {
  using client = await RawClient.open({ port });
  await client.send(`GET /size/${bytes} HTTP/1.1\r\nHost: bulk.localhost\r\nConnection: close\r\n\r\n`);
  const { sha1 } = await client.response({ discard: true, timeoutMs: 300_000 });
  if (sha1 !== patternSha1(bytes)) wrong.push(`down ${bytes}`);
}

async function upload(port: number, bytes: number, wrong: string[]): Promise<void> {
  using client = await RawClient.open({ port });
  const head = `POST /upload HTTP/1.1\r\nHost: bulk.localhost\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;
  const answer = client.response({ timeoutMs: 300_000 });
  answer.catch(() => {});
  await client.send(head);
  for (const piece of patternPieces(0, bytes)) await client.send(piece);
  const { sha1 } = JSON.parse((await answer).body.toString()) as { sha1: string };
  if (sha1 !== patternSha1(bytes)) wrong.push(`up ${bytes}`);
}
