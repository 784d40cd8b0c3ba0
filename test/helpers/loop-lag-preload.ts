// Preloaded into a server under test and, by itself, into its shards: how late each thread's timers are, in files of the folder TEST_LAG.

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

const folder = process.env["TEST_LAG"] ?? "";
const everyMs = 10;
/** Timers that were late by so many milliseconds; the last entry is for all beyond. */
const late: number[] = Array.from({ length: 10_001 }, () => 0);

if (Bun.isMainThread) {
  const RealWorker = globalThis.Worker;
  globalThis.Worker = class extends RealWorker {
    constructor(url: string | URL, options: Bun.WorkerOptions = {}) {
      // The thread that hashes is busy for as long as a hash takes: that is its work, and nobody's lag.
      super(url, options.name?.startsWith("shard-") === true ? { ...options, preload: [import.meta.path] } : options);
    }
  } as typeof Worker;
}

if (folder !== "") {
  let [lastMs, toldMs] = [performance.now(), performance.now()];
  setInterval(() => {
    const nowMs = performance.now();
    const lateMs = Math.max(0, Math.floor(nowMs - lastMs - everyMs));
    late[Math.min(lateMs, late.length - 1)]!++;
    lastMs = nowMs;
    if (nowMs - toldMs < 500) return;
    toldMs = nowMs;
    const path = join(folder, Bun.isMainThread ? "main" : `shard thread ${threadId}`);
    const counts = Object.fromEntries([...late.entries()].filter(([, count]) => count > 0));
    writeFileSync(`${path}.new`, JSON.stringify(counts));
    renameSync(`${path}.new`, path);
  }, everyMs).unref();
}
