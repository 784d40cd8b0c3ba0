// One exchange as the inspector keeps it: filled in as it passes, bounded by the recorder's memory.

import type { ClientFailure } from "../../src/http1/client-connection.ts";
import type { ClientPool } from "../../src/http1/client-pool.ts";
import type { Head } from "../../src/http1/head.ts";
import { CHUNKED } from "../../src/protocol/frames.ts";
import { openLine } from "../../src/protocol/open-line.ts";
import { SocketFrames } from "./socket-frames.ts";

/** Of one body; what is longer is kept as far. */
export const maxKeptBody = 1024 * 1024;

const nothing = Buffer.alloc(0);

/** Memory that recordings share. */
export interface Keeper {
  /** `recording` grew by so many bytes. It may be forgotten by that. */
  grew(recording: Recording, bytes: number): void;
  /** Something that is shown has changed. */
  changed(): void;
}

/** The first bytes of a body, and how many there were. */
export class KeptBody {
  bytes = 0;
  kept = 0;
  // One buffer that doubles: a body that comes byte by byte must not cost an object for each.
  private space = nothing;

  /** Returns how many bytes of memory more it takes. */
  add(bytes: Uint8Array, start: number, end: number): number {
    this.bytes += end - start;
    const taken = Math.min(end - start, maxKeptBody - this.kept);
    if (taken <= 0) return 0;
    const needed = this.kept + taken;
    const before = this.space.length;
    if (needed > this.space.length) {
      const larger = Buffer.allocUnsafe(Math.min(maxKeptBody, Math.max(needed, 2 * this.space.length)));
      this.space.copy(larger, 0, 0, this.kept);
      this.space = larger;
    }
    this.space.set(bytes.subarray(start, start + taken), this.kept);
    this.kept = needed;
    return this.space.length - before;
  }

  /** Bytes of memory that it takes. */
  get size(): number {
    return this.space.length;
  }

  /** From now on it is counted only. */
  drop(): void {
    this.kept = 0;
    this.space = nothing;
  }

  get isWhole(): boolean {
    return this.kept === this.bytes;
  }

  /** What is kept; a view. */
  read(): Buffer {
    return this.space.subarray(0, this.kept);
  }
}

/** The head is `bytes[start..end)`; `flags` as of OPEN (src/protocol/frames.ts). */
export interface RequestHead {
  bytes: Buffer;
  start: number;
  end: number;
  flags: number;
}

/** The local service, as far as it matters for a request that is sent again. */
export interface Target {
  /** For people: its origin. */
  readonly label: string;
  readonly pool: ClientPool;
  /** A failure in words; `answered`: bytes of an answer had come. */
  explain(failure: ClientFailure, answered: boolean, detail: string): string;
}

/** Where it came from: the tunnel's public URL, and where it went. */
export interface Source {
  url: string;
  local: Target;
}

/** Filled in by whoever has the exchange; views are only used during the call. */
export class Recording {
  readonly startedAt = Date.now();
  requestHead: Buffer;
  /** The body is framed in chunks, of which nothing is recorded. */
  readonly isChunked: boolean;
  readonly method: string;
  path: string;
  readonly requestBody = new KeptBody();
  readonly answerBody = new KeptBody();
  /** Of a request in chunks, as they came. */
  trailers: Buffer | null = null;
  answerHead: Buffer | null = null;
  status = 0;
  headMs: number | null = null;
  totalMs: number | null = null;
  error: string | null = null;
  cancelled = false;
  /** All of the request has come. */
  isAsked = false;
  /** It has turned into a WebSocket: what each side sends is counted only. */
  socket: { readonly visitor: SocketFrames; readonly service: SocketFrames } | null = null;
  /** Whose close frame came first; null: none has come. */
  closedBy: "visitor" | "service" | null = null;
  private readonly startMs = performance.now();
  private isForgotten = false;

  constructor(
    readonly id: number,
    readonly source: Source,
    { bytes, start, end, flags }: RequestHead,
    readonly repeats: { id: number; changed: boolean } | null,
    private readonly keeper: Keeper,
  ) {
    this.isChunked = (flags & CHUNKED) !== 0;
    this.requestHead = Buffer.from(bytes.subarray(start, end));
    const { method, path } = openLine(bytes, start, end, false);
    this.method = method;
    this.path = path;
  }

  asks(bytes: Uint8Array, start: number, end: number): void {
    this.keep(this.requestBody, "visitor", bytes, start, end);
  }

  asked(trailers: Uint8Array | null = null): void {
    this.isAsked = true;
    if (trailers === null || this.isForgotten) return;
    this.trailers = Buffer.from(trailers);
    this.keeper.grew(this, trailers.length);
  }

  /** A final head, or the one that switches protocols. */
  heads({ bytes, start, end, status }: Head): void {
    if (status < 200 && status !== 101) return;
    this.status = status;
    if (status === 101) this.socket = { visitor: new SocketFrames(), service: new SocketFrames() };
    this.headMs = performance.now() - this.startMs;
    if (this.isForgotten) return;
    this.answerHead = Buffer.from(bytes.subarray(start, end));
    this.keeper.grew(this, end - start);
    this.keeper.changed();
  }

  answers(bytes: Uint8Array, start: number, end: number): void {
    this.keep(this.answerBody, "service", bytes, start, end);
  }

  /** It is over. `status`: what the visitor got, where there is no answer; `cancelled`: the server wanted no more of it. */
  ends(status: number, error: string | null, cancelled = false): void {
    if (this.totalMs !== null) return;
    this.totalMs = performance.now() - this.startMs;
    this.status ||= status;
    this.error = error;
    this.cancelled = cancelled;
    this.keeper.changed();
  }

  /** Bytes of memory that it takes. */
  get size(): number {
    const { requestHead, path, trailers, answerHead, requestBody, answerBody } = this;
    const heads = requestHead.length + path.length + (trailers?.length ?? 0) + (answerHead?.length ?? 0);
    return heads + requestBody.size + answerBody.size;
  }

  /** Nobody will look at it any more: its memory is given back, though it may run on for long. */
  forget(): void {
    this.isForgotten = true;
    this.requestHead = nothing;
    this.path = "";
    this.answerHead = this.trailers = null;
    this.requestBody.drop();
    this.answerBody.drop();
  }

  private keep(body: KeptBody, from: "visitor" | "service", bytes: Uint8Array, start: number, end: number): void {
    if (this.isForgotten) return void (body.bytes += end - start);
    if (this.socket === null) return this.keeper.grew(this, body.add(bytes, start, end));
    body.bytes += end - start;
    this.socket[from].passed(bytes, start, end);
    if (this.closedBy !== null || this.socket[from].close === null) return;
    this.closedBy = from;
    this.keeper.changed();
  }
}
