// Kills shards again and again while connections move between them, and looks whether anything else was hit.

import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPair } from "../../src/lib/descriptor.ts";
import { connectLines } from "./line-client.ts";
import { eventually, openDescriptors, startLineServer } from "./line-server.ts";

export interface KillReport {
  kills: number;
  /** Connections that went all their way with right answers, and those that a kill closed. */
  finished: number;
  broken: number;
  /** Answers that were not what was asked for. */
  wrong: number;
  /** Canaries (files and sockets) whose descriptor was closed, or belonged to somebody else, while they were open. */
  canariesHit: number;
  descriptorsBefore: number;
  descriptorsAfter: number;
  inFlight: number;
  connections: number;
}

/** `kills` times: a shard of two is terminated, crashed or crashed by a peer's connection, under the load of 16 clients. */
export async function killUnderLoad(kills: number): Promise<KillReport> {
  await using server = await startLineServer(2);
  const warm = await connectLines(server.port, "move 0\nmove 1\nx\n");
  await warm.until("1:x\n");
  warm.socket.terminate();
  await eventually(() => server.counts.total() === 0, "warm-up is over");
  const report: KillReport = {
    kills: 0,
    finished: 0,
    broken: 0,
    wrong: 0,
    canariesHit: 0,
    descriptorsBefore: await restingDescriptors(),
    descriptorsAfter: 0,
    inFlight: 0,
    connections: 0,
  };
  let stop = false;
  const script = "move 0\na\nmove 1\nb\nmove main\nc\nmove 1\nd\nmove 0\ne\n";
  const right = "0:a\n1:b\nmain:c\n1:d\n0:e\n";
  const client = async (): Promise<void> => {
    while (!stop) {
      const one = await connectLines(server.port, script);
      // While a shard is away, main or its peer answers for it; that is as good.
      await one.until(":e\n").then(
        (got) => (answersFit(got, right) ? report.finished++ : report.wrong++),
        () => report.broken++,
      );
      one.socket.terminate();
    }
  };
  const clients = Array.from({ length: 16 }, client);
  const directory = mkdtempSync(join(tmpdir(), "digit-link-canaries-"));
  const canaries = (async () => {
    while (!stop) {
      const open = Array.from({ length: 25 }, (_, i) => openSync(join(directory, `canary-${i}`), "w"));
      for (let i = 0; i < 10; i++) open.push(...(createPair() ?? []));
      const inodes = open.map(inodeOf);
      await Bun.sleep(2);
      for (const [i, fd] of open.entries()) {
        if (inodeOf(fd) === inodes[i]) closeSync(fd);
        else report.canariesHit++;
      }
    }
  })();
  for (; report.kills < kills; report.kills++) {
    const shard = report.kills % 2;
    const heard = server.heard.length;
    if (report.kills % 3 === 0) (await connectLines(server.port, `move ${shard}\ncrash\n`)).socket.unref();
    else server.supervisor.replace(shard, "the test kills it");
    await eventually(() => server.heard.length >= heard + 2, `shard ${shard} is back after kill ${report.kills}`);
    await Bun.sleep(10 + Math.random() * 20);
  }
  stop = true;
  await Promise.all([...clients, canaries]);
  rmSync(directory, { recursive: true, force: true });
  const settled = (): boolean => openDescriptors() <= report.descriptorsBefore && server.counts.total() === 0;
  await eventually(settled, "descriptors and counts are as before", 3000).catch(() => {});
  report.descriptorsAfter = openDescriptors();
  report.inFlight = server.ledger.inFlight();
  report.connections = server.counts.total();
  return report;
}

/** Same lines in the same order; a line may be answered by another thread when "not moved" says why. */
function answersFit(got: string, right: string): boolean {
  const answers = got.split("\n").filter((line) => !line.endsWith(":not moved"));
  const asked = right.split("\n").map((line) => line.replace(/^.*:/, ""));
  const moved = answers.length === got.split("\n").length;
  return moved ? got === right : answers.map((line) => line.replace(/^.*:/, "")).join() === asked.join();
}

/** The inode number of whatever is open there. */
function inodeOf(fd: number): number {
  try {
    return fstatSync(fd).ino;
  } catch {
    // Closed by somebody: what the canaries are there to notice.
    return 0;
  }
}

/** How many descriptors are open once nothing of what ran in this process before is still closing: unchanged for a second. */
async function restingDescriptors(): Promise<number> {
  let count = openDescriptors();
  let since = performance.now();
  await eventually(() => {
    const now = openDescriptors();
    if (now !== count) {
      count = now;
      since = performance.now();
    }
    return performance.now() - since > 1_000;
  }, "earlier tests have closed what they had open");
  return count;
}
