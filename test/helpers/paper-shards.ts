// Shards whose threads only exist on paper: what they say, and when they end, is their test's to decide.

import { afterEach, beforeEach } from "bun:test";
import { ConnectionCounts, createCountsMemory } from "../../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import type { Logger } from "../../src/lib/log.ts";
import type { FromShard, ShardStart, ToShard } from "../../src/link/messages.ts";
import { startShards, type SupervisorOptions } from "../../src/link/supervisor.ts";

/** A thread that says what its test has it say, and ends when its test has it end. */
class PaperWorker {
  onmessage: ((event: { data: FromShard }) => void) | null = null;
  onerror: unknown = null;
  readonly told: (ToShard | ShardStart)[] = [];
  wasTerminated = false;
  /** It does not say that it has ended. */
  isStuck = false;
  private onClose = (): void => {};
  constructor() {
    workers.push(this);
  }
  addEventListener(_: "close", listener: () => void): void {
    this.onClose = listener;
  }
  postMessage(message: ToShard | ShardStart): void {
    this.told.push(message);
    if (message.type === "end" && !this.isStuck) this.say({ type: "ended" } as FromShard);
  }
  terminate(): void {
    this.wasTerminated = true;
    if (ending.isQuick) this.close();
  }
  close(): void {
    this.onClose();
  }
  say(message: FromShard): void {
    this.onmessage?.({ data: message });
  }
  get types(): string[] {
    return this.told.map(({ type }) => type);
  }
}

/** In the order in which they were started. */
export const workers: PaperWorker[] = [];
/** Whether a thread that is terminated ends at once. */
export const ending = { isQuick: false };

/** For all tests of the file. */
export function useThreadsOnPaper(): void {
  const RealWorker = globalThis.Worker;
  beforeEach(() => {
    workers.length = 0;
    ending.isQuick = false;
    globalThis.Worker = PaperWorker as unknown as typeof Worker;
  });
  afterEach(() => {
    globalThis.Worker = RealWorker;
  });
}

/** `heard`: what the listener, the log and `onFatal` hear. */
export function optionsOf(shards: number, heard: string[]): SupervisorOptions {
  const note = (what: string) => (shard: number) => void heard.push(`${what} ${shard}`);
  const ledgerMemory = createLedgerMemory(1024);
  const countsMemory = createCountsMemory(shards);
  return {
    ...{ url: "paper", shards, ledgerMemory, countsMemory, mostRestartDelayMs: 1 },
    ...{ ledger: new Ledger(ledgerMemory, 0), counts: new ConnectionCounts(countsMemory, 0) },
    settingsFor: () => ({}),
    listener: {
      ...{ onReady: note("ready"), onReplaced: note("replaced"), onEvents: note("events") },
      onConnection: note("connection"),
    },
    log: { info() {}, error: (message: string) => heard.push(message) } as unknown as Logger,
    onFatal: () => heard.push("fatal"),
  } as unknown as SupervisorOptions;
}

/** Shards that are up. */
export async function startOnPaper(shards = 2) {
  const heard: string[] = [];
  const options = optionsOf(shards, heard);
  const starting = startShards(options);
  for (const worker of workers.slice()) worker.say({ type: "ready" });
  const supervisor = await starting;
  const stop = async (): Promise<void> => {
    ending.isQuick = true;
    await supervisor.stop();
  };
  return { supervisor, options, heard, [Symbol.asyncDispose]: stop };
}
