// How late the timers of a server's threads are, each measured by itself.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ThreadLag {
  /** `main`, or `shard thread N`. */
  thread: string;
  p99Ms: number;
  worstMs: number;
  /** Timers that were looked at, one every 10 ms. */
  timers: number;
}

export interface LoopLag extends Disposable {
  /** What `startServerProcess` needs to have it measured, from its start on. */
  readonly server: { preload: readonly string[]; env: Record<string, string> };
  /** What was told so far, at most half a second ago. */
  read(): ThreadLag[];
}

export function watchLoopLag(): LoopLag {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-lag-"));
  return {
    server: { preload: ["loop-lag-preload.ts"], env: { TEST_LAG: folder } },
    read: () =>
      readdirSync(folder)
        .filter((file) => !file.endsWith(".new"))
        .toSorted()
        .map((thread) => {
          const counts = JSON.parse(readFileSync(join(folder, thread), "utf8")) as Record<string, number>;
          return { thread, ...summary(Object.entries(counts).map(([ms, count]) => [Number(ms), count])) };
        }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Milliseconds in ascending order, as integer keys of an object always are. */
function summary(counts: [ms: number, count: number][]): Omit<ThreadLag, "thread"> {
  const timers = counts.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  const p99Ms = counts.find(([, count]) => (seen += count) >= 0.99 * timers)?.[0] ?? Number.NaN;
  return { p99Ms, worstMs: counts.at(-1)?.[0] ?? Number.NaN, timers };
}
