// One stream of a session, as the session sees it: flow control both ways and the agent's frames.

import { FIN, initialWindowBytes, smallWindowBytes, UPGRADE } from "../src/protocol/frames.ts";
import { granted, Incoming, Outgoing } from "../src/protocol/flow.ts";
import { copyBytes } from "../src/lib/bytes.ts";
import type { ErrorCode } from "../src/lib/errors.ts";
import type { Session } from "./session.ts";

const bulkBytes = 1024 * 1024;

/** A server that leaves, to its streams. */
export interface Leaving {
  /** `performance.now()`. */
  now: number;
  /** How long it may take in all. */
  inAllMs: number;
  /** The deadline is near. */
  isLast: boolean;
}

/** The visitor's side of a stream, as far as flow control needs it. */
export interface VisitorSide {
  /** Bytes written that the visitor's kernel hasn't taken. */
  readonly backlogBytes: number;
  pauseReading(): void;
  resumeReading(): void;
}

/** Created unbound; `bind` gives it its session and id when it is opened. */
export abstract class StreamFlow {
  session: Session | null = null;
  id = 0;
  /** `performance.now()` when request bytes last moved (or the stream was opened). */
  movedAt = 0;
  /** First windows, as OPEN says them. Where no request bytes use it, the credit grows with what the agent grants. */
  windowBytes = 0;
  creditBytes = 0;
  /** Visitor -> agent bytes, agent -> visitor bytes. */
  bytesIn = 0;
  bytesOut = 0;
  /** As much of them as the tunnel's counters have. */
  countedIn = 0;
  countedOut = 0;
  private seenBytes = 0;
  /** `performance.now()` when bytes were last seen to have moved, either way. */
  private movedBothAt = 0;
  /** Of a request that has no bytes behind its head there is none. */
  private outgoing: Outgoing | null = null;
  private incoming: Incoming | null = null;
  /** What of the request came before there was a session: `early[0..earlyBytes)`. */
  private early: Buffer | null = null;
  private earlyBytes = 0;
  private earlyEnd: Uint8Array | null | undefined;

  constructor(protected readonly visitor: VisitorSide) {}

  /** Flags of its OPEN frame. */
  abstract readonly openFlags: number;
  /** OPEN was written. */
  abstract opened(): void;
  /** Ends it for a reason of the server's own; nothing when it is over. */
  abstract fail(code: ErrorCode, reason: string): void;
  /** The agent broke the stream. */
  abstract onReset(code: number, reason: string): void;
  /** A response head is complete: `bytes[start..end)`. `fin`: no body follows. */
  abstract onHead(bytes: Buffer, start: number, end: number, localMicros: number, fin: boolean): void;
  abstract onData(bytes: Buffer, start: number, end: number): void;
  abstract onEnd(trailers: Buffer | null): void;
  /** The session is gone; the stream is already out of its table. */
  abstract onSessionLost(): void;
  /** Called about once a second; may time out. */
  abstract onTick(now: number): void;
  /** Called several times a second while the server leaves: a stream that has no end of its own may end. */
  abstract endIfQuiet(leaving: Leaving): void;
  /** The end of the request has been sent to the agent. */
  protected abstract requestSent(): void;

  /** The session takes the stream at `now`. OPEN, which tells the agent both windows, must follow at once. */
  bind(session: Session, id: number, now: number): void {
    const windowBytes = session.budget.take(initialWindowBytes, smallWindowBytes);
    const creditBytes = session.requestCreditBytes;
    this.windowBytes = windowBytes;
    this.creditBytes = creditBytes;
    this.session = session;
    this.id = id;
    this.movedAt = this.movedBothAt = now;
    if (this.hasRequestBytes) this.outgoing = new Outgoing(session, id, creditBytes);
    this.incoming = new Incoming(session, id, windowBytes);
  }

  /** Whether it moved much, both ways together, since the last call. */
  movedMuch(now: number): boolean {
    const before = this.seenBytes;
    this.seenBytes = this.bytesIn + this.bytesOut;
    if (this.seenBytes !== before) this.movedBothAt = now;
    return this.seenBytes - before >= bulkBytes;
  }

  /** How long nothing has moved, either way; may say too little, never too much. */
  protected silentMs(now: number): number {
    if (this.bytesIn + this.bytesOut !== this.seenBytes || this.hasQueued || this.visitor.backlogBytes > 0) return 0;
    return now - this.movedBothAt;
  }

  /** The stream is out of its session's table. */
  unbind(): void {
    this.incoming?.close();
    this.session = null;
    this.outgoing = null;
    this.incoming = null;
  }

  /** Whether anything follows its OPEN frame. */
  private get hasRequestBytes(): boolean {
    return (this.openFlags & (FIN | UPGRADE)) !== FIN;
  }

  /** Something of the request waits to be sent. */
  get hasQueued(): boolean {
    return this.early !== null || this.earlyEnd !== undefined || (this.outgoing?.waits ?? false);
  }

  /** Sends request bytes as far as credit goes; the rest is kept, and the visitor is not read meanwhile. */
  sendRequest(bytes: Uint8Array, start: number, end: number): void {
    this.bytesIn += end - start;
    if (this.outgoing === null) this.keepEarly(bytes, start, end);
    else {
      this.movedAt = performance.now();
      if (this.outgoing.send(bytes, start, end)) return;
    }
    this.visitor.pauseReading();
  }

  private keepEarly(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.earlyBytes + end - start;
    let { early } = this;
    if (early === null || early.length < needed) {
      // Twice as much: it may come byte by byte.
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * (early?.length ?? 0)));
      early?.copy(larger, 0, 0, this.earlyBytes);
      this.early = early = larger;
    }
    this.earlyBytes = copyBytes(bytes, start, end, early, this.earlyBytes);
  }

  /** How many request bytes can be sent now; 0: none, and the visitor is not read until some can. */
  room(): number {
    const bytes = this.outgoing?.room() ?? Infinity;
    if (bytes === 0) this.visitor.pauseReading();
    return bytes;
  }

  /** The request ended cleanly. */
  sendRequestEnd(trailers: Uint8Array | null): void {
    const { outgoing } = this;
    if (outgoing === null) {
      this.earlyEnd = trailers === null ? null : Buffer.from(trailers);
      return;
    }
    outgoing.end(trailers);
    if (outgoing.ended) this.requestSent();
  }

  /** Nothing of the request is sent any more; the visitor is read on. */
  protected dropRequest(): void {
    this.outgoing = null;
    this.visitor.resumeReading();
  }

  /** OPEN was written, credit arrived, or the session can take more. */
  flushRequest(): void {
    const { outgoing } = this;
    if (outgoing === null) return;
    if (this.early !== null) outgoing.send(this.early, 0, this.earlyBytes);
    this.early = null;
    this.earlyBytes = 0;
    if (this.earlyEnd !== undefined) {
      outgoing.end(this.earlyEnd);
      this.earlyEnd = undefined;
    }
    if (!outgoing.flush()) return;
    this.movedAt = performance.now();
    this.visitor.resumeReading();
    if (outgoing.ended) this.requestSent();
  }

  onWindow(bytes: number): void {
    if (this.outgoing === null) this.creditBytes = granted(this.creditBytes, bytes);
    else this.outgoing.grant(bytes);
    this.movedAt = performance.now();
    if (this.hasQueued) this.flushRequest();
  }

  /** Response bytes arrived and were given to the visitor's socket. */
  protected received(bytes: number): void {
    this.bytesOut += bytes;
    this.incoming?.received(bytes, this.visitor.backlogBytes);
  }

  /** The visitor's kernel has taken some of the backlog. */
  protected visitorDrained(): void {
    this.incoming?.moved(this.visitor.backlogBytes);
  }
}
