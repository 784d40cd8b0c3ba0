// What a connection and the handler of one of its requests say to each other.

import type { BodySink } from "../http1/body.ts";
import type { Head } from "../http1/head.ts";
import type { ErrorCode } from "../lib/errors.ts";
import type { AccessLog } from "./access-log.ts";
import type { HostVerdict } from "./gate.ts";
import type { VisitorConnection } from "./connection.ts";
import type { Counted } from "./movable-socket.ts";

/**
 * The handler of one request. Body bytes come by `bodyData`/`bodyEnd` (after `goRaw`: raw bytes and the visitor's
 * half-close). It ends by `connection.finish()` or `connection.destroy()`; after `abort` it says nothing more.
 */
export interface Exchange extends BodySink {
  /** The visitor has gone or took too long; with `answer`, it broke a rule and is told so unless an answer has begun. */
  abort(reason: string, answer?: ErrorCode): void;
  /** Some of what was written has left; `connection.backlogBytes` says what has not. */
  drained(): void;
  /** How many body bytes it can take now; 0: none, and it has paused reading until it can. Left out: as many as come. */
  room?(): number;
}

/** What differs between the main thread and a shard. */
export interface IngressHost {
  readonly settings: IngressSettings;
  /** Hears of every request that is over; null: nobody wants to know. */
  readonly accessLog: AccessLog | null;
  /** Verdict for a Host value. */
  judgeHost(value: string): HostVerdict;
  /**
   * Decides about a complete head: calls exactly one of `connection.begin`, `connection.answer`, `connection.move` (which
   * may answer false when the receiver isn't there: then `answer`). `head` is valid during the call only.
   */
  route(
    connection: VisitorConnection,
    head: Head,
    host: Extract<HostVerdict, { kind: "base" | "tunnel" | "probe" }>,
  ): void;
  /** A request was refused before it had a handler. */
  refused(code: ErrorCode, detail: string, address: string, requestId: string): void;
  /** The connection is closed for good or has left this thread. One that becomes a pipe is released with nothing to count, and what is left of it at the end. */
  released(connection: Counted): void;
}

/** Durations in ms, sizes in bytes; names as in ShardSettings. */
export interface IngressSettings {
  /** What visitors and agents speak to the server. */
  scheme: "http" | "https";
  headTimeoutMs: number;
  idleTimeoutMs: number;
  bodyProgressTimeoutMs: number;
  writeProgressTimeoutMs: number;
  maxBodyBytes: number;
}
