// Canaries in a server under test: descriptors that nobody but their owner may close.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

export interface CanaryReport {
  rounds: number;
  /** Descriptors opened in all, a round of some milliseconds each. */
  opened: number;
  /** The first that were closed, or belonged to somebody else, while they were open. */
  hits: string[];
  /** None is open. */
  resting: boolean;
}

export interface Canaries extends Disposable {
  /** What `startServerProcess` needs to have them. */
  readonly server: { preload: readonly string[]; env: Record<string, string> };
  start(): void;
  /** Closes them all; resolves to what was noticed. */
  stop(): Promise<CanaryReport>;
}

export function createCanaries(): Canaries {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-canaries-"));
  const read = (): CanaryReport => JSON.parse(readFileSync(join(folder, "report"), "utf8")) as CanaryReport;
  return {
    server: { preload: ["canaries-preload.ts"], env: { TEST_CANARIES: folder } },
    start: () => writeFileSync(join(folder, "on"), ""),
    async stop() {
      rmSync(join(folder, "on"));
      const before = read().rounds;
      await eventually(() => read().resting && read().rounds > before, "the canaries rest");
      return read();
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
