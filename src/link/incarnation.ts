// One life of one shard: a worker from its start to its `close` event.

import type { FromShard, ShardStart, ToShard } from "./messages.ts";

/** What the supervisor hears of an incarnation. */
export interface IncarnationListener {
  onMessage(incarnation: Incarnation, message: FromShard): void;
  /** The worker is gone: no message of it comes any more, and all its descriptors are closed. Once. */
  onClosed(incarnation: Incarnation, why: string): void;
}

/** A worker thread and what is known about it. `number` is unique over all shards and never 0 (which is main). */
export class Incarnation {
  readonly shard: number;
  readonly number: number;
  readonly startedAtMs = performance.now();
  /** Of main's clock, while it starts. */
  ticks = 0;
  /** `dying` since it was terminated; its `close` event is still to come. */
  state: "starting" | "ready" | "dying" | "closed" = "starting";
  /** It said `ready` once. */
  wasReady = false;
  /** Resolves when the worker is gone. */
  readonly closed: Promise<void>;
  readonly #worker: Worker;
  #why = "it exited";

  constructor(url: string | URL, start: ShardStart, listener: IncarnationListener) {
    this.shard = start.shard;
    this.number = start.incarnation;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#worker = new Worker(url, { name: `shard-${start.shard}` });
    this.#worker.onmessage = ({ data }: MessageEvent<FromShard>) => listener.onMessage(this, data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      if (this.state !== "dying") this.#why = messageOf(event.message);
    };
    this.#worker.addEventListener("close", () => {
      if (this.state === "closed") return;
      this.state = "closed";
      listener.onClosed(this, this.#why);
      resolve();
    });
    this.#worker.postMessage(start);
  }

  /** The worker said `ready`. */
  markReady(): void {
    this.state = "ready";
    this.wasReady = true;
  }

  /** Posting to a worker that is gone is silently nothing. */
  post(message: ToShard, transfer: MessagePort[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Ends the thread, stuck or not; `onClosed` follows. Waits for native calls that are running in it. */
  terminate(why: string): void {
    if (this.state === "dying" || this.state === "closed") return;
    this.state = "dying";
    this.#why = why;
    this.#worker.terminate();
  }
}

/** Bun reports an uncaught error as a page with sources and stack; the log wants the one line. */
function messageOf(report: string): string {
  return /^error: (.*)$/m.exec(report)?.[1] ?? report.split("\n", 1)[0] ?? "it threw";
}
