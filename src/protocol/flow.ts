// Flow control of one stream, the same on both ends: credit for what is sent, a growing window for what is received.

import { DATA, END, FIN, maxPayloadBytes, maxWindowBytes, ProtocolError, sessionWindowBytes } from "./frames.ts";
import { copyBytes } from "../lib/bytes.ts";
import { readSpace } from "../lib/large-reads.ts";
import { leadBytes, type Outbox } from "./outbox.ts";

/** From this size on a payload is sent from where it stands. Less joins with other frames in one message. */
const inPlaceBytes = 16 * 1024;

/** What a stream needs of its session. */
export interface FlowSession {
  readonly outbox: Outbox;
  /** All of its streams, in the order of `flushInTurns`. */
  readonly streams: Map<number, unknown>;
  /** The socket can't take more for now: senders keep their bytes. */
  readonly congested: boolean;
  readonly budget: WindowBudget;
}

/** The receive windows of a session's streams, together at most `sessionWindowBytes`. */
export class WindowBudget {
  private used = 0;

  /** `wanted` bytes, or `least` when that would be too much. Given back with `give`. */
  take(wanted: number, least: number): number {
    const granted = this.used + wanted <= sessionWindowBytes ? wanted : least;
    this.used += granted;
    return granted;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** The credit of a stream that gets `bytes` more, as much as it may hold. */
export function granted(credit: number, bytes: number): number {
  if (credit + bytes > 4 * maxWindowBytes) throw new ProtocolError("a stream was granted more than it may hold");
  return credit + bytes;
}

/** The sending half of a stream. Bytes beyond the credit are kept; their source is to be paused until `flush` says true. */
export class Outgoing {
  /** Made when the first part has to wait. Each part has `leadBytes` in front; all but the last are full. */
  private queue: Buffer[] | null = null;
  /** Where the first part of `queue` goes on, and where the bytes of the last one end. */
  private queuedAt = leadBytes;
  private lastEnd = 0;
  private queuedEnd: Uint8Array | null | undefined;
  /** Its source waits for `room`. */
  private isStalled = false;
  /** END was sent. */
  ended = false;

  constructor(
    private readonly session: FlowSession,
    private readonly id: number,
    public credit: number,
  ) {}

  /** Something waits for credit, or for the socket. */
  get waits(): boolean {
    return this.queue !== null || this.queuedEnd !== undefined || this.isStalled;
  }

  /** How many bytes can leave now, for whoever reads them only then. 0: none, and its source is to be paused until `flush` says true. */
  room(): number {
    const { session, id } = this;
    if (this.ended) return Infinity;
    this.isStalled = this.queue !== null || this.credit === 0 || session.congested;
    if (this.isStalled) return 0;
    // It has its turn now: others that wait for the socket come first the next time.
    const stream = session.streams.get(id);
    if (session.streams.delete(id)) session.streams.set(id, stream);
    return this.credit;
  }

  /** Sends a view; false when some of it had to be kept. */
  send(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (this.queue === null) {
      const space = end - start < inPlaceBytes ? null : readSpace(bytes);
      at =
        space === null
          ? this.push(bytes, start, end, false)
          : this.push(space, bytes.byteOffset + start, bytes.byteOffset + end, true) - bytes.byteOffset;
    }
    if (at === end) return true;
    this.keep(bytes, at, end);
    return false;
  }

  /** A part is twice as large as the one before: whoever sends byte by byte would have us keep a buffer for each. */
  private keep(bytes: Uint8Array, start: number, end: number): void {
    const queue = (this.queue ??= []);
    let last = queue.at(-1);
    let at = start;
    if (last !== undefined) {
      at = Math.min(end, start + last.length - this.lastEnd);
      this.lastEnd = copyBytes(bytes, start, at, last, this.lastEnd);
      if (at === end) return;
    }
    const size = Math.max(end - at, Math.min(2 * (last?.length ?? 0), maxPayloadBytes));
    queue.push((last = Buffer.allocUnsafeSlow(leadBytes + size)));
    this.lastEnd = copyBytes(bytes, at, end, last, leadBytes);
  }

  /** Ends the direction, behind what is kept. `trailers`: field lines, or null. */
  end(trailers: Uint8Array | null): void {
    this.isStalled = false;
    if (this.queue !== null) this.queuedEnd = trailers === null ? null : Buffer.from(trailers);
    else this.pushEnd(trailers);
  }

  /** More credit, from a WINDOW frame. */
  grant(bytes: number): void {
    this.credit = granted(this.credit, bytes);
  }

  /** Sends what is kept, as far as possible; true when nothing is left. */
  flush(): boolean {
    for (const { queue } = this; queue !== null && queue.length > 0; queue.shift()) {
      const part = queue[0]!;
      const end = queue.length === 1 ? this.lastEnd : part.length;
      this.queuedAt = this.push(part, this.queuedAt, end, true);
      if (this.queuedAt < end) return false;
      this.queuedAt = leadBytes;
    }
    this.queue = null;
    if (this.isStalled && (this.credit === 0 || this.session.congested)) return false;
    this.isStalled = false;
    if (this.queuedEnd !== undefined) {
      const trailers = this.queuedEnd;
      this.queuedEnd = undefined;
      this.pushEnd(trailers);
    }
    return true;
  }

  /** Sends what may leave; the offset behind it. `isOurs`: what stands before the bytes, and what has left of them, may be overwritten. */
  private push(bytes: Uint8Array, start: number, end: number, isOurs: boolean): number {
    const { session } = this;
    let at = start;
    while (at < end && this.credit > 0 && !session.congested) {
      const stop = Math.min(end, at + this.credit, at + maxPayloadBytes);
      if (isOurs && stop - at >= inPlaceBytes) session.outbox.inPlace(DATA, 0, this.id, bytes as Buffer, at, stop);
      else session.outbox.frame(DATA, 0, this.id, bytes, at, stop);
      this.credit -= stop - at;
      at = stop;
    }
    return at;
  }

  private pushEnd(trailers: Uint8Array | null): void {
    this.ended = true;
    const { outbox } = this.session;
    if (trailers === null) outbox.end(this.id);
    else outbox.frame(END, FIN, this.id, trailers, 0, trailers.length);
  }
}

/**
 * The socket takes more again: `flush` for each stream that has something queued, until the session is congested. Whoever had
 * its turn stands last the next time, so that many large bodies never keep a small one from its turn.
 */
export function flushInTurns<S extends { readonly hasQueued: boolean }>(
  session: Pick<FlowSession, "congested">,
  streams: Map<number, S>,
  flush: (stream: S) => void,
): void {
  let left = streams.size;
  for (const [id, stream] of streams) {
    if (session.congested || left-- === 0) return;
    if (!stream.hasQueued) continue;
    streams.delete(id);
    streams.set(id, stream);
    flush(stream);
  }
}

/** The receiving half of a stream: what the peer was granted, and when it gets more. */
export class Incoming {
  private owed = 0;

  constructor(
    private readonly session: FlowSession,
    private readonly id: number,
    private window: number,
  ) {}

  /** Bytes arrived and were passed on. `backlogBytes`: what the next hop hasn't taken of all that was passed to it. */
  received(bytes: number, backlogBytes: number): void {
    this.owed += bytes;
    if (this.owed > this.window) throw new ProtocolError("a stream sent more than it was granted");
    this.moved(backlogBytes);
  }

  /** The next hop has taken something. What it took is granted again, in quarters of the window, so that the sender never waits for the rest. */
  moved(backlogBytes: number): void {
    const taken = this.owed - backlogBytes;
    if (taken >= this.window >>> 2 && taken > 0) this.grant(taken, backlogBytes === 0);
  }

  /** The stream is over. */
  close(): void {
    this.session.budget.give(this.window);
    this.window = 0;
    this.owed = 0;
  }

  /** `grow`: the reader keeps up, so a larger window lets it run faster. */
  private grant(taken: number, grow: boolean): void {
    const more = grow && this.window < maxWindowBytes ? this.session.budget.take(this.window, 0) : 0;
    this.window += more;
    this.session.outbox.window(this.id, taken + more);
    this.owed -= taken;
  }
}
