// Keeps the shards running: starts the workers, watches their heartbeats, replaces the dead, and cleans up after them.

import type { MovedConnection } from "../handover/moved-connection.ts";
import type { ConnectionCounts } from "../handover/counts.ts";
import type { Ledger } from "../handover/ledger.ts";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { SharedCounts } from "../lib/shared-counts.ts";
import { within } from "../lib/within.ts";
import { AskedShards } from "./asked-shards.ts";
import { DrainedShards } from "./drained-shards.ts";
import { Heartbeat, tickMs } from "./heartbeat.ts";
import { Incarnation } from "./incarnation.ts";
import { introduce } from "./introduce.ts";
import type { FromShard, ShardSettings, ToShard } from "./messages.ts";
import { createLoadMemory } from "./organization-load.ts";
import type { ShardLink, ShardListener } from "./shard-link.ts";
import { RestartPolicy } from "./restart-policy.ts";

/** How long a worker may take until it says `ready`: counted in ticks, as the machine or main may stand still meanwhile. */
const startTicks = 20_000 / tickMs;
/** A thread that is stuck in a native call may take its time; its successor does not wait longer than this. */
const closeWaitMs = 5_000;
/** How long the end waits for what the shards have still to tell. One that hangs tells nothing. */
const lastWordsMs = 500;

export interface SupervisorOptions {
  /** The worker's entry: another file in the packed form. */
  url: string | URL;
  shards: number;
  settingsFor(shard: number): ShardSettings;
  /** Main's own views (incarnation 0, row 0) and the memory that the shards are given. */
  ledger: Ledger;
  ledgerMemory: SharedArrayBuffer;
  counts: ConnectionCounts;
  countsMemory: SharedArrayBuffer;
  listener: ShardListener;
  log: Logger;
  /** The longest pause before a shard that keeps dying is started again; 5 s when absent. */
  mostRestartDelayMs?: number;
  /** A shard could not be started several times in a row: the server cannot go on. */
  onFatal(error: Error): void;
}

/** The shards as main sees them; see `ShardLink`. */
export interface Supervisor extends ShardLink {
  /** Ends a shard now, stuck or not, and starts another in its place; nothing when it is not up. */
  replace(shard: number, why: string): void;
  /** Lets the shards finish (nothing is replaced any more); true when all did within so many ms. */
  drain(inAllMs: number): Promise<boolean>;
  /** Ends all shards at once, after their last events; resolves when their threads are gone (2.5 s at most). */
  stop(): Promise<void>;
}

/** Starts the shards; resolves when all are ready. Rejects, with all of them ended, when one can't start at all. */
export async function startShards(options: SupervisorOptions): Promise<Supervisor> {
  const shards = new Shards(options);
  try {
    await shards.start();
  } catch (error) {
    await shards.stop();
    throw error;
  }
  return shards;
}

class Shards extends AskedShards implements Supervisor {
  readonly shards: number;
  readonly #options: SupervisorOptions;
  readonly #ticks: SharedArrayBuffer;
  readonly #loads: SharedArrayBuffer;
  readonly #heartbeat: Heartbeat;
  readonly #timer: Timer;
  readonly #current: Incarnation[] = [];
  readonly #alive = new Set<Incarnation>();
  readonly #lost = new WeakSet<Incarnation>();
  readonly #policies: RestartPolicy[];
  readonly #firstReady = Promise.withResolvers<void>();
  readonly #drained: DrainedShards;
  readonly #ended: DrainedShards;
  #lastNumber = 0;
  #drainEndsAt = 0;
  #phase: "starting" | "running" | "draining" | "stopped" = "starting";

  constructor(options: SupervisorOptions) {
    super();
    this.#options = options;
    this.shards = options.shards;
    this.#drained = new DrainedShards(options.shards);
    this.#ended = new DrainedShards(options.shards);
    this.#policies = Array.from({ length: options.shards }, () => new RestartPolicy(options.mostRestartDelayMs));
    this.#ticks = new SharedArrayBuffer(options.shards * 4);
    this.#loads = createLoadMemory(options.shards);
    this.#heartbeat = new Heartbeat(this.#ticks, performance.now());
    this.#timer = setInterval(() => this.#beat(), tickMs);
  }

  start(): Promise<void> {
    for (let shard = 0; shard < this.shards; shard++) this.#startShard(shard);
    return this.#firstReady.promise;
  }

  isServing(): boolean {
    return this.#phase === "running" && this.#current.some((incarnation) => incarnation.state === "ready");
  }

  send(shard: number, message: ToShard): void {
    this.readyShard(shard)?.post(message);
  }

  sendConnection(shard: number, connection: MovedConnection): boolean {
    const receiver = this.readyShard(shard);
    if (receiver === null) return false;
    return this.#options.ledger.send(connection.fd, shard, receiver.number, () =>
      receiver.post({ type: "connection", connection }),
    );
  }

  replace(shard: number, why: string): void {
    const incarnation = this.readyShard(shard);
    if (incarnation !== null) this.#end(incarnation, why);
  }

  drain(inAllMs: number): Promise<boolean> {
    this.#phase = "draining";
    this.#drainEndsAt = performance.now() + inAllMs;
    this.#drained.reset();
    for (const [shard, incarnation] of this.#current.entries()) {
      if (incarnation.state === "ready") incarnation.post({ type: "drain", inAllMs });
      else this.#drained.add(shard);
    }
    return this.#drained.wait(inAllMs);
  }

  async stop(): Promise<void> {
    this.#phase = "stopped";
    clearInterval(this.#timer);
    for (let shard = 0; shard < this.shards; shard++) {
      const incarnation = this.readyShard(shard);
      if (incarnation === null) this.#ended.add(shard);
      else incarnation.post({ type: "end" });
    }
    await this.#ended.wait(lastWordsMs);
    const alive = [...this.#alive];
    for (const incarnation of alive) this.#end(incarnation, "the server stops");
    await within(2_000, Promise.all(alive.map((incarnation) => incarnation.closed)), []);
  }

  protected override readyShard(shard: number): Incarnation | null {
    const incarnation = this.#current[shard];
    return incarnation?.state === "ready" ? incarnation : null;
  }

  #startShard(shard: number): void {
    if (this.#phase === "draining" || this.#phase === "stopped") return;
    const { url, ledgerMemory, countsMemory } = this.#options;
    // A predecessor's part of the counts; its connections closed with it.
    this.#options.counts.clearRow(shard + 1);
    new SharedCounts(this.#loads, shard).clearRow(shard);
    const incarnation = new Incarnation(
      url,
      {
        type: "start",
        shard,
        shards: this.shards,
        incarnation: ++this.#lastNumber,
        ticks: this.#ticks,
        ledger: ledgerMemory,
        counts: countsMemory,
        loads: this.#loads,
        settings: this.#options.settingsFor(shard),
      },
      {
        onMessage: (from, message) => this.#onMessage(from, message),
        onClosed: (closed, why) => this.#onClosed(closed, why),
      },
    );
    this.#current[shard] = incarnation;
    this.#alive.add(incarnation);
  }

  #onMessage(from: Incarnation, message: FromShard): void {
    const { listener } = this.#options;
    // A connection is taken whoever sent it: its descriptor is ours now.
    if (message.type === "connection") return listener.onConnection(from.shard, message.connection);
    if (this.#current[from.shard] !== from || from.state === "dying") return;
    switch (message.type) {
      case "ready":
        return this.#onReady(from);
      case "ask":
        return listener.onAsk(message.ask, (answer) => from.post({ type: "answer", id: message.id, answer }));
      case "events":
        return listener.onEvents(from.shard, message.events);
      case "counters":
        return listener.onCounters(from.shard, message.counters);
      case "access":
        return listener.onAccess(message.lines, message.count);
      case "request":
        return listener.onRequests(from.shard, message.requests);
      case "checked":
        return this.replies.settle(from.shard, message.id, message.status);
      case "port":
        return this.replies.settle(from.shard, message.id, message.opening);
      case "requests":
        return this.replies.settle(from.shard, message.id, message.requests);
      case "drained":
        return this.#drained.add(from.shard);
      case "ended":
        return this.#ended.add(from.shard);
    }
  }

  #onReady(incarnation: Incarnation): void {
    const { shard, number } = incarnation;
    incarnation.markReady();
    this.#heartbeat.reset(shard);
    this.#options.ledger.live(shard, number);
    introduce(incarnation, this.#current);
    this.#options.listener.onReady(shard);
    if (this.#phase === "draining") incarnation.post({ type: "drain", inAllMs: this.#drainEndsAt - performance.now() });
    const areAllUp = this.#current.every(({ state }) => state === "ready");
    if (this.#phase !== "starting" || !areAllUp) return;
    this.#phase = "running";
    this.#firstReady.resolve();
  }

  #beat(): void {
    for (const shard of this.#heartbeat.check(performance.now())) {
      this.replace(shard, "it stopped responding");
    }
    for (const incarnation of this.#current) {
      if (incarnation.state === "starting" && ++incarnation.ticks > startTicks)
        this.#end(incarnation, "it was not ready in time");
    }
  }

  #end(incarnation: Incarnation, why: string): void {
    incarnation.terminate(why);
    this.#lose(incarnation, why);
  }

  #onClosed(incarnation: Incarnation, why: string): void {
    const { shard, number } = incarnation;
    this.#lose(incarnation, why);
    this.#alive.delete(incarnation);
    const swept = this.#options.ledger.sweep(number);
    if (swept > 0)
      this.#options.log.info("closed connections on their way to a dead shard", { shard, connections: swept });
  }

  /** A shard is no more: tells everybody, once, and sees to a successor. Its thread may still have to end. */
  #lose(incarnation: Incarnation, why: string): void {
    const { shard } = incarnation;
    if (this.#lost.has(incarnation)) return;
    this.#lost.add(incarnation);
    this.#options.ledger.bury(shard);
    this.replies.drop(shard);
    this.#drained.add(shard);
    this.#ended.add(shard);
    if (this.#phase === "stopped") return;
    this.#options.log.error("a shard died", { shard, incarnation: incarnation.number, why });
    if (incarnation.wasReady) this.#options.listener.onReplaced(shard);
    if (this.#phase === "draining") return;
    const livedMs = performance.now() - incarnation.startedAtMs;
    const delayMs = this.#policies[shard]!.afterDeath(incarnation.wasReady, livedMs);
    const error = new AppError("unavailable", `Shard ${shard} could not be started: ${why}.`);
    // While the server starts, one failure is enough to say so.
    if (this.#phase === "starting" && !incarnation.wasReady) return this.#firstReady.reject(error);
    if (delayMs === null) return this.#options.onFatal(error);
    // Its ports are bound and its descriptors open until it is closed; but nobody waits for ever for a stuck native call.
    void within(closeWaitMs, incarnation.closed, undefined)
      .then(() => Bun.sleep(delayMs))
      .then(() => this.#startShard(shard));
  }
}
