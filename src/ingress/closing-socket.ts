// The end of a visitor's connection: an answer that isn't cut short, a visitor that leaves half-way, one that stops moving.

import { BodyReader } from "../http1/body.ts";
import type { Access } from "./access-log.ts";
import { flushCork } from "./cork.ts";
import type { Exchange, IngressHost } from "./exchange.ts";
import { minProgressBytes, Progress, progressWindowMs } from "./progress.ts";
import { pausedByExchange, pausedByPipeline, VisitorSocket } from "./visitor-socket.ts";

/**
 * `idle` between requests, `head` in the middle of a head, `waiting` for somebody to take the request, `exchange` with a
 * handler, `raw` after an upgrade, `closing` when only what was written still has to leave, `closed` for good or moved.
 */
export type Phase = "idle" | "head" | "waiting" | "exchange" | "raw" | "closing" | "closed";

const lingerMs = 2_000;
const lingerBytes = 8 * 1024 * 1024;
/** A visitor that half-closes may just be leaving: unless it is sent something within this time, it is taken for gone. */
const halfCloseMs = 500;

/** Knows the connection's phase and how it ends. */
export abstract class ClosingSocket extends VisitorSocket {
  /** `performance.now()` at which the present phase has lasted too long. */
  deadline = Infinity;
  exchange: Exchange | null = null;
  /** Body bytes of the request so far. */
  readonly body = new BodyReader();
  protected phase: Phase = "idle";
  /** Bytes that have come and wait for their turn. */
  protected pending: Buffer | null = null;
  protected halfClosed = false;
  /** The request said that it is the visitor's last. */
  protected visitorCloses = false;
  /** The request at hand, when there is an access log that is to have a line for it. */
  access: Access | null = null;
  /** Of the final answer to it (or 101), once that has begun. */
  status = 0;
  /** What came behind a 101. */
  protected rawBytes = 0;
  /** `sentBytes` before it. */
  private sentBefore = 0;
  private discarded = 0;
  private takenBytes = 0;
  private readonly progress = new Progress();

  constructor(protected readonly host: IngressHost) {
    super();
  }

  get isOpen(): boolean {
    return this.phase !== "closed" && this.phase !== "closing";
  }

  /** In the middle of a request, or with an answer that the visitor has not taken yet. */
  get isBusy(): boolean {
    return this.exchange !== null || this.out.bytes > 0;
  }

  protected get mayBeGone(): boolean {
    return this.isOpen && !this.out.hasShut;
  }

  /** What the visitor, the local service and the operator know the request by. */
  abstract readonly requestId: string;

  /** Another request: nothing is known of its answer. */
  protected startAccess(access: Access | null): void {
    this.access = access;
    this.status = 0;
    this.rawBytes = 0;
    this.sentBefore = this.sentBytes;
  }

  /** The request is over, if one was under way. */
  protected endAccess(whole: boolean): void {
    const { access } = this;
    if (access === null) return;
    flushCork();
    this.access = null;
    const { status, requestId, rawBytes } = this;
    const bytesIn = this.body.received + rawBytes;
    const bytesOut = this.sentBytes - this.sentBefore + (whole ? this.out.bytes : 0);
    this.host.accessLog?.ended({ ...access, status, bytesIn, bytesOut, requestId, whole });
  }

  /** Breaks the connection visibly (a reset): what was sent so far must not look complete. */
  destroy(): void {
    this.exchange = null;
    this.endAccess(false);
    if (this.phase === "closed") return;
    flushCork();
    this.phase = "closed";
    this.socket?.terminate();
  }

  /** Ends it now. What was written and is whole still arrives: the kernel sees to it. */
  cease(): void {
    if (this.phase === "closing" && this.out.bytes === 0) this.socket?.end();
    else this.destroy();
  }

  /** Raw only: both directions have ended. */
  close(): void {
    this.exchange = null;
    this.endAccess(true);
    if (this.isOpen) this.closeGracefully();
  }

  /** An exchange (or a raw pipe) begins: from here on the visitor has to keep moving. */
  protected startProgress(now: number): void {
    this.progress.start(now, this.sentBytes);
    this.deadline = now + progressWindowMs(this.host.settings);
  }

  /** The visitor has gone or is given up: an exchange is aborted and the connection broken, an idle one closes. */
  protected leave(reason: string): void {
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort(reason);
    if (exchange === null && this.isOpen) this.closeGracefully();
    else this.destroy();
  }

  /** A closed socket looks half-closed until something is written to it, which it answers with a reset: only silence until then counts as leaving. */
  protected watchHalfClosed(): void {
    const { sentBytes } = this;
    setTimeout(() => {
      if (this.phase !== "exchange") return;
      if (this.out.bytes > 0) this.watchHalfClosed();
      else if (this.sentBytes === sentBytes) this.leave("the visitor closed the connection");
    }, halfCloseMs).unref();
  }

  /** Gives up a visitor that has stopped moving. */
  protected checkProgress(now: number): void {
    if (this.loan !== null) return this.leaveToLender();
    const { settings } = this.host;
    this.deadline = now + progressWindowMs(settings);
    const reading = this.phase === "exchange" && !this.body.done && (this.pausedBy & pausedByExchange) === 0;
    const stalled = this.progress.check(now, reading, this.body.received, this.out.bytes > 0, this.sentBytes, settings);
    if (stalled !== null) this.leave(stalled);
  }

  /** Whoever has the visitor's connection sees whether it moves, and ends the loan when it doesn't. */
  private leaveToLender(): void {
    this.deadline = Infinity;
  }

  /** Whether a visitor that has an answer to read still reads it: then it is looked at again a while later. */
  protected stillTakes(now: number): boolean {
    const { sentBytes, takenBytes } = this;
    this.takenBytes = sentBytes;
    if (this.out.bytes > 0 && this.loan !== null) {
      this.leaveToLender();
      return true;
    }
    if (this.out.bytes === 0 || sentBytes - takenBytes < minProgressBytes) return false;
    this.deadline = now + this.host.settings.writeProgressTimeoutMs;
    return true;
  }

  /** Nothing more is served; what was written still leaves. */
  protected closeGracefully(): void {
    flushCork();
    this.phase = "closing";
    this.unpause(pausedByExchange | pausedByPipeline);
    this.deadline = performance.now() + this.host.settings.writeProgressTimeoutMs;
    if (this.out.bytes === 0) this.lingerOrEnd();
  }

  /** Closing while bytes arrive would reset the connection and could take the answer with it: read on for a moment. */
  protected lingerOrEnd(): void {
    if (this.socket === null) return;
    const nothingComes = this.visitorCloses && this.body.done && this.pending === null;
    this.out.finished(this.socket);
    if (nothingComes || this.halfClosed) return void this.socket.end();
    this.pending = null;
    this.socket.shutdown();
    this.deadline = performance.now() + lingerMs;
  }

  /** Bytes came that nobody wants: for a while they are read away. */
  protected discard(bytes: number): void {
    this.discarded += bytes;
    if (this.discarded > lingerBytes && this.out.bytes === 0) this.socket?.end();
  }
}
