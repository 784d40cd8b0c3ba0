// A shard's side of the link: the typed first contact with main, its peers' ports, the heartbeat and the batched reports.

import type { MovedConnection } from "../handover/moved-connection.ts";
import type { CapturedRequest, FromShard, ShardEvent, ShardStart, ToShard, TunnelCounters } from "./messages.ts";
import type { Ledger } from "../handover/ledger.ts";
import { tickMs } from "./heartbeat.ts";

const flushMs = 100;
/** Counters come from a look at every tunnel, of which there may be thousands. */
const countersMs = 500;
/** How long the port of a replaced shard stays open. */
const oldPortMs = 10_000;
/** This many waiting events are sent at once, without waiting for the next flush. */
const eventsPerMessage = 1000;
/** Live request rows per flush; they are only for somebody who watches, and more than this nobody can read. */
const maxRequests = 500;

/** What main says apart from connections and peers, which the link deals with itself. */
export type ShardOrder = Exclude<ToShard, { type: "connection" } | { type: "peers" } | { type: "peer" }>;

/** What a shard does with what it hears. Handlers never throw. */
export interface ShardHandlers {
  onOrder(order: ShardOrder): void;
  /** A connection arrived from main or from another shard: adopt it. */
  onConnection(connection: MovedConnection): void;
  /** Counters since the last call, only of tunnels where something changed. Called every 500 ms, and at the end. */
  takeCounters(): TunnelCounters[];
}

/** How a shard speaks to main and to its peers. */
export interface ShardSide {
  readonly start: ShardStart;
  /** This thread's view of the descriptor ledger. */
  readonly ledger: Ledger;
  /** Everything is set up: main may send connections from now on. Once. */
  ready(): void;
  send(message: FromShard): void;
  /** Hands a connection to another shard, or to main; false: the receiver is not there, and the connection is still ours. */
  sendConnection(owner: number | "main", connection: MovedConnection): boolean;
  /** Sent within 100 ms; that a session closed, with the end of this turn: whoever takes its name next is on the way. */
  event(event: ShardEvent): void;
  /** A live row for watchers, within 100 ms; dropped when there are too many. */
  request(request: CapturedRequest): void;
  /** Sends what waits now, e.g. before `drained`. */
  flush(): void;
}

interface WorkerScope {
  postMessage(message: FromShard): void;
  onmessage: ((event: MessageEvent<ShardStart | ToShard>) => void) | null;
}

/**
 * Called once, synchronously, while the worker's entry module is evaluated (a message that arrives before is lost). `onStart` is called with main's
 * first message, sets the shard up and returns its handlers; it calls `side.ready()` then or later. `ledgerOf` makes `side.ledger`
 * (`new Ledger(start.ledger, start.incarnation)`).
 */
export function connectToMain(
  ledgerOf: (start: ShardStart) => Ledger,
  onStart: (side: ShardSide) => ShardHandlers,
): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = ({ data: start }) => {
    if (start.type !== "start") return;
    const link = new Link(scope, start, ledgerOf(start));
    link.run(onStart(link));
  };
}

class Link implements ShardSide {
  readonly start: ShardStart;
  readonly #scope: WorkerScope;
  readonly ledger: Ledger;
  readonly #ports: (MessagePort | null)[];
  readonly #incarnations: number[];
  #handlers: ShardHandlers | null = null;
  #events: ShardEvent[] = [];
  #requests: CapturedRequest[] = [];
  /** The events that wait leave with the end of this turn. */
  #isHurrying = false;

  constructor(scope: WorkerScope, start: ShardStart, ledger: Ledger) {
    this.#scope = scope;
    this.start = start;
    this.ledger = ledger;
    this.#ports = Array.from({ length: start.shards }, () => null);
    this.#incarnations = Array.from({ length: start.shards }, () => 0);
  }

  run(handlers: ShardHandlers): void {
    this.#handlers = handlers;
    this.#scope.onmessage = ({ data }) => this.#receive(data as ToShard);
    const ticks = new Int32Array(this.start.ticks);
    setInterval(() => Atomics.add(ticks, this.start.shard, 1), tickMs);
    setInterval(() => this.#flushEvents(), flushMs);
    setInterval(() => this.flush(), countersMs);
  }

  ready(): void {
    this.send({ type: "ready" });
  }

  send(message: FromShard): void {
    this.#scope.postMessage(message);
  }

  sendConnection(owner: number | "main", connection: MovedConnection): boolean {
    if (owner === "main")
      return this.ledger.send(connection.fd, -1, 0, () => this.send({ type: "connection", connection }));
    const port = this.#ports[owner];
    const incarnation = this.#incarnations[owner];
    if (!port || !incarnation) return false;
    return this.ledger.send(connection.fd, owner, incarnation, () => port.postMessage(connection));
  }

  event(event: ShardEvent): void {
    if (this.#events.push(event) >= eventsPerMessage) this.#flushEvents();
    else if (event.type === "session.closed" && !this.#isHurrying) {
      this.#isHurrying = true;
      setImmediate(() => {
        this.#isHurrying = false;
        this.#flushEvents();
      });
    }
  }

  request(request: CapturedRequest): void {
    if (this.#requests.length < maxRequests) this.#requests.push(request);
  }

  flush(): void {
    this.#flushEvents();
    const counters = this.#handlers?.takeCounters() ?? [];
    if (counters.length > 0) this.send({ type: "counters", counters });
  }

  #flushEvents(): void {
    if (this.#events.length > 0) this.send({ type: "events", events: this.#events.splice(0) });
    if (this.#requests.length > 0) this.send({ type: "request", requests: this.#requests.splice(0) });
  }

  #receive(message: ToShard): void {
    switch (message.type) {
      case "connection":
        return this.#handlers?.onConnection(message.connection);
      case "peers":
        for (const [shard, port] of message.ports.entries()) {
          if (port !== null) this.#join(shard, port, message.incarnations[shard] ?? 0);
        }
        return;
      case "peer":
        return this.#join(message.shard, message.port, message.incarnation);
      default:
        return this.#handlers?.onOrder(message);
    }
  }

  #join(shard: number, port: MessagePort, incarnation: number): void {
    const old = this.#ports[shard];
    // What the dead shard posted last may not have arrived yet.
    if (old) setTimeout(() => old.close(), oldPortMs);
    this.#ports[shard] = port;
    this.#incarnations[shard] = incarnation;
    port.onmessage = ({ data }: { data: MovedConnection }) => this.#handlers?.onConnection(data);
  }
}
