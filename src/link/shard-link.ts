// How the rest of the main thread talks to the shards: the interface that the supervisor implements.

import type { MovedConnection } from "../handover/moved-connection.ts";
import type {
  Answer,
  Ask,
  CapturedRequest,
  LocalStatus,
  PortOpening,
  ShardEvent,
  ToShard,
  TunnelCounters,
} from "./messages.ts";
import type { RequestsQuery } from "./requests-query.ts";

/** The main thread's side of all shards. Sending to a dead shard is silently dropped: `onReplaced` follows. */
export interface ShardLink {
  readonly shards: number;
  /** Whether any shard is up, and none is being drained. */
  isServing(): boolean;
  send(shard: number, message: ToShard): void;
  /** Hands a connection over; false when the shard is not ready (the caller keeps the connection). */
  sendConnection(shard: number, connection: MovedConnection): boolean;
  /** Asks the agents of a tunnel whether the local service answers now; null when the tunnel has no session. 10 s at most. */
  check(shard: number, tunnelId: string): Promise<LocalStatus | null>;
  /** Opens the public port of a leased TCP name, until the name is free again; null when the shard does not answer, or is being replaced. 5 s at most. */
  openPort(shard: number, name: string): Promise<PortOpening | null>;
  /** Captured requests, sorted as asked; null when the shard does not answer, or is being replaced. 5 s at most. */
  requests(shard: number, query: RequestsQuery): Promise<CapturedRequest[] | null>;
}

/** What the main thread wants to hear from the shards. Handlers never throw. */
export interface ShardListener {
  /** A fresh incarnation is up: send it its names (and nothing of its predecessor lives any more). */
  onReady(shard: number): void;
  /** The shard died: its sessions and visitors are gone. */
  onReplaced(shard: number): void;
  onEvents(shard: number, events: ShardEvent[]): void;
  onCounters(shard: number, counters: TunnelCounters[]): void;
  onRequests(shard: number, requests: CapturedRequest[]): void;
  /** `count` lines of the access log. */
  onAccess(lines: string, count: number): void;
  /** `answer` reaches the very incarnation that asked; when that is no more it reaches nobody. */
  onAsk(ask: Ask, answer: (answer: Answer) => void): void;
  onConnection(shard: number, connection: MovedConnection): void;
}
