// A main thread for tests of the hand-over: accepts connections that speak the line protocol and supervises line workers.

import { readdirSync } from "node:fs";
import { createAdopter } from "../../src/handover/adopt.ts";
import { ConnectionCounts, createCountsMemory } from "../../src/handover/counts.ts";
import { descriptorLimit } from "../../src/lib/descriptor.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import { pipeThrough, type PipeEnd } from "../../src/handover/pipe.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { Answer, ShardEvent, ShardSettings } from "../../src/link/messages.ts";
import { startShards, type Supervisor } from "../../src/link/supervisor.ts";
import { createLineHandlers, toLineConnection, type LineConnection } from "./line-connections.ts";

export interface LineServer extends AsyncDisposable {
  /** Connections accepted here speak to main first. */
  port: number;
  /** Connections accepted here are piped to shard 0 at once, by TLS when `tls` was given. */
  pipedPort: number;
  supervisor: Supervisor;
  ledger: Ledger;
  counts: ConnectionCounts;
  /** What the listener heard, in order: `ready K`, `replaced K`. */
  heard: string[];
  events: ShardEvent[];
  fatal: Error[];
  /** What shards have asked waits to be answered here. */
  answers: ((answer: Answer) => void)[];
}

/** Open descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits for a fact, up to 10 s. */
export async function eventually(fact: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  for (const start = performance.now(); !fact(); await Bun.sleep(5)) {
    if (performance.now() - start > timeoutMs) throw new Error(`never happened: ${what}`);
  }
}

/** Starts it with this many shards. `domain: "!"` makes workers that refuse to start. */
export async function startLineServer(
  shards: number,
  options: { tls?: Bun.TLSOptions; domain?: () => string } = {},
): Promise<LineServer> {
  const ledgerMemory = createLedgerMemory(descriptorLimit());
  const countsMemory = createCountsMemory(shards);
  const ledger = new Ledger(ledgerMemory, 0);
  const counts = new ConnectionCounts(countsMemory, 0);
  const heard: string[] = [];
  const events: ShardEvent[] = [];
  const fatal: Error[] = [];
  const answers: LineServer["answers"] = [];
  let supervisor: Supervisor | null = null;
  const handlers = createLineHandlers({
    label: "main",
    counts,
    ledger,
    send: (owner, connection) => owner !== "main" && supervisor!.sendConnection(owner, connection),
  });
  const adopt = createAdopter<LineConnection>(handlers, ledger, () => {});
  supervisor = await startShards({
    url: new URL("./line-worker.ts", import.meta.url),
    shards,
    // The fixture reads nothing else of the settings.
    settingsFor: () => ({ domain: options.domain?.() ?? "localhost" }) as ShardSettings,
    ledger,
    ledgerMemory,
    counts,
    countsMemory,
    log: createLogger({ level: "error", format: "text", write: () => {} }),
    mostRestartDelayMs: 100,
    onFatal: (error) => void fatal.push(error),
    listener: {
      onReady: (shard) => void heard.push(`ready ${shard}`),
      onReplaced: (shard) => void heard.push(`replaced ${shard}`),
      onEvents: (_, some) => void events.push(...some),
      onCounters() {},
      onRequests() {},
      onAccess() {},
      onAsk: (_, answer) => void answers.push(answer),
      onConnection: (_, connection) => adopt(connection.fd, toLineConnection(connection)),
    },
  });
  const listener = Bun.listen<LineConnection>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...handlers,
      open(socket) {
        socket.data = toLineConnection({
          address: socket.remoteAddress,
          secure: false,
          unread: "",
          acceptedAtMs: Date.now(),
          last: false,
          moves: 0,
          lent: false,
        });
        return handlers.open?.(socket);
      },
    },
  });
  const piped = Bun.listen<PipeEnd | null>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    socket: {
      open(socket) {
        const { remoteAddress: address } = socket;
        const meta = {
          address,
          secure: true,
          unread: "",
          acceptedAtMs: Date.now(),
          last: false,
          moves: 1,
          lent: false,
        };
        socket.data = pipeThrough(socket, meta, ledger, (moved) => supervisor.sendConnection(0, moved));
        if (socket.data === null) socket.terminate();
      },
      handshake() {},
      data: (socket, chunk) => socket.data?.received(chunk),
      drain: (socket) => socket.data?.drain(),
      end: (socket) => socket.data?.end(),
      close: (socket, error) => socket.data?.close(error),
      error: (socket) => socket.terminate(),
    },
  });
  return {
    port: listener.port,
    pipedPort: piped.port,
    supervisor,
    ledger,
    counts,
    heard,
    events,
    fatal,
    answers,
    async [Symbol.asyncDispose]() {
      listener.stop(true);
      piped.stop(true);
      await supervisor.stop();
    },
  };
}
