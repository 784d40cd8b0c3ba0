// One visitor connection: heads in order, one exchange at a time, deadlines, and moving on to another thread.

import type { Socket } from "bun";
import { BodyReader, type BodySink } from "../http1/body.ts";
import { Head } from "../http1/head.ts";
import { INCOMPLETE, REFUSED } from "../http1/parsing.ts";
import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { createRequestId } from "../lib/request-id.ts";
import { flushCork } from "./cork.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { acceptsHtml, type AnswerOptions, errorAnswer, redirectAnswer } from "./error-page.ts";
import type { Exchange, IngressHost } from "./exchange.ts";
import type { Visitor } from "./forwarded.ts";
import type { HostVerdict } from "./gate.ts";
import { Progress, progressWindowMs } from "./progress.ts";
import {
  type ConnectionMeta,
  type MoveMeta,
  pausedByExchange,
  pausedByPipeline,
  type SocketOwner,
  VisitorSocket,
} from "./visitor-socket.ts";

type Phase = "idle" | "head" | "waiting" | "exchange" | "raw" | "closing" | "closed";

// One parser for all connections of a thread: parsing and routing never yield.
const head = new Head();
const empty = Buffer.alloc(0);
/** Pipelined bytes kept while an exchange runs; beyond it the visitor waits. */
const maxPipelinedBytes = 64 * 1024;
const maxMoveBytes = 16 * 1024;
const lingerMs = 2_000;
const lingerBytes = 8 * 1024 * 1024;
/** A visitor that half-closes may just be leaving: it stays one as long as it takes something this often. */
const halfCloseMs = 500;

export class VisitorConnection extends VisitorSocket implements BodySink, Expiring, SocketOwner {
  deadline = Infinity;
  exchange: Exchange | null = null;
  /** What `Connections` counts this connection under; -1 = not counted here. */
  countBucket = -1;
  /** Accepted by this thread, and no request of it served yet. */
  isFresh = false;
  /** The visitor behind this connection, when all its requests have the same one (no proxy is trusted here). */
  visitor: Visitor | null = null;
  /** What `forwardedLines` gave for the Host value of the last request. */
  forwarded: { visitor: Visitor | null; host: string; lines: string } = { visitor: null, host: "", lines: "" };
  /** Of the request being handled. */
  requestId = "";
  minor = 1;
  isHead = false;
  keepAlive = true;
  /** The request said that it is the visitor's last. */
  private visitorCloses = false;
  private hasSpokenHttp10 = false;
  wantsHtml = false;
  /** Body bytes of the request so far. */
  readonly body = new BodyReader();
  private phase: Phase = "idle";
  private pending: Buffer | null = null;
  /** The Host of the last request, as it came. */
  hostValue = "";
  private hostVerdict: HostVerdict = { kind: "malformed" };
  private processing = false;
  private halfClosed = false;
  private discarded = 0;
  private readonly progress = new Progress();
  // The request being routed, for `move`.
  private routed: Buffer = empty;
  private routedAt = 0;

  constructor(
    private readonly host: IngressHost,
    private readonly deadlines: Deadlines,
    readonly meta: ConnectionMeta,
  ) {
    super();
  }

  /** The socket is open (accepted or adopted). */
  opened(socket: Socket<SocketOwner>): void {
    this.socket = socket;
    socket.setNoDelay(true);
    this.deadline = performance.now() + this.host.settings.headTimeoutMs;
    this.deadlines.add(this);
  }

  /** Bytes from the visitor, or those that travelled with a move. */
  received(chunk: Buffer): void {
    if (this.socket === null) return;
    if (this.phase === "raw") this.exchange?.bodyData(chunk, 0, chunk.length);
    else if (this.phase === "closing") this.discard(chunk.length);
    else if (this.phase === "waiting") this.keep(chunk, 0);
    else if (this.exchange === null) this.process(chunk, 0);
    else {
      const at = this.feed(chunk, 0);
      if (at < 0) return;
      if (this.exchange === null && this.isOpen) this.process(chunk, at);
      else this.keep(chunk, at);
    }
    flushCork();
  }

  /** Takes the request being routed; body bytes follow to `exchange`. */
  begin(exchange: Exchange): void {
    this.exchange = exchange;
    this.isFresh = false;
    this.phase = "exchange";
    const now = performance.now();
    this.progress.start(now, this.sentBytes);
    this.deadline = now + progressWindowMs(this.host.settings);
  }

  /** Answers the request being routed or handled with an error of ours, if no response has begun. The exchange is over. */
  answer(code: ErrorCode, options: AnswerOptions = {}): void {
    const close = !this.mayKeepAlive || !this.body.done;
    const { requestId, wantsHtml: html, isHead: headOnly } = this;
    const bytes = errorAnswer({ ...options, code, requestId, html, headOnly, close });
    this.respond(bytes, close);
  }

  /** Sends a browser elsewhere on this host (302). The exchange is over. */
  redirect(location: string): void {
    const close = !this.mayKeepAlive || !this.body.done;
    const bytes = redirectAnswer(location, this.requestId, close);
    this.respond(bytes, close);
  }

  private respond(bytes: Buffer, close: boolean): void {
    this.write(bytes, 0, bytes.length);
    this.finish(!close);
  }

  get isOpen(): boolean {
    return this.phase !== "closed" && this.phase !== "closing";
  }

  /** Whether this connection may serve another request after the present one, as far as the visitor is concerned. */
  get mayKeepAlive(): boolean {
    return this.keepAlive && !this.halfClosed && !this.meta.last;
  }

  /** The response is complete. `keepAlive` false, or a request body still under way, closes the connection. */
  finish(keepAlive: boolean): void {
    this.exchange = null;
    if (!this.isOpen) return;
    if (!keepAlive || !this.body.done || this.halfClosed) return this.closeGracefully();
    this.phase = "idle";
    this.deadline = performance.now() + this.host.settings.idleTimeoutMs;
    this.unpause(pausedByExchange | pausedByPipeline);
    if (this.pending !== null && !this.processing) this.process(empty, 0);
  }

  /** Breaks the connection visibly (a reset): what was sent so far must not look complete. */
  destroy(): void {
    this.exchange = null;
    if (this.phase === "closed") return;
    flushCork();
    this.phase = "closed";
    this.socket?.terminate();
  }

  /** From here on bytes are raw, both ways; those that already came are delivered at once. */
  goRaw(): void {
    this.phase = "raw";
    this.deadline = performance.now() + progressWindowMs(this.host.settings);
    const { pending } = this;
    this.pending = null;
    if (pending !== null) this.exchange?.bodyData(pending, 0, pending.length);
    if (this.halfClosed) this.exchange?.bodyEnd(null);
  }

  /** Raw only: both directions have ended. */
  close(): void {
    this.exchange = null;
    if (this.isOpen) this.closeGracefully();
  }

  /** The server is leaving: an idle connection closes now, a busy one after its answer. */
  closeIfIdle(): void {
    if (this.phase === "idle" && this.pending === null) this.closeGracefully();
    else this.keepAlive = false;
  }

  /**
   * Hands the connection on with everything unread from the routed head on. `give` gets the socket and what travels with it; it
   * answers false when the receiver isn't there (answer the request then), or who hears the socket from now on when this
   * thread goes on pumping bytes. Only from `route`.
   */
  move(give: (socket: Socket<SocketOwner>, meta: MoveMeta) => boolean | SocketOwner): boolean {
    flushCork();
    if (this.socket === null || this.out.bytes > 0) return false;
    const { socket } = this;
    const unread = this.routed.toString("latin1", this.routedAt);
    // The first move is never for nothing; later ones of much data would make pipelines over several hosts quadratic.
    const last = this.meta.last || (!this.isFresh && unread.length - (head.end - head.start) > maxMoveBytes);
    const given = give(socket, { ...this.meta, unread, last });
    if (given === false) return false;
    this.phase = "closed";
    if (given !== true) {
      socket.data = given;
      this.closed();
    }
    return true;
  }

  /** Nobody can take the request being routed yet: `retry` routes it again, `holdMs` later it is refused. Only from `route`. */
  postpone(holdMs: number): void {
    this.phase = "waiting";
    this.deadline = performance.now() + holdMs;
    this.pause(pausedByPipeline);
  }

  /** Routes a postponed request again. */
  retry(): void {
    if (this.phase !== "waiting") return;
    this.phase = "idle";
    this.unpause(pausedByPipeline);
    this.process(empty, 0);
    flushCork();
  }

  /** Turns the connection into a raw pipe that `open` makes of its socket and of the bytes behind the routed head. Only from `route`. */
  pipe(open: (socket: Socket<SocketOwner>, rest: Buffer) => SocketOwner): void {
    flushCork();
    const { socket } = this;
    if (socket === null) return;
    this.phase = "closed";
    this.deadlines.delete(this);
    const owner = open(socket, this.routed.subarray(head.end));
    socket.data = {
      received: (chunk) => owner.received(chunk),
      drain: () => owner.drain(),
      ended: () => owner.ended(),
      closed: (error) => {
        owner.closed(error);
        this.closed();
      },
    };
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    const { maxBodyBytes } = this.host.settings;
    if (this.body.received <= maxBodyBytes) return this.exchange?.bodyData(bytes, start, end);
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort("the request body is larger than MAX_BODY_BYTES");
    if (exchange !== null) this.refuse("payload_too_large", "the request body is larger than MAX_BODY_BYTES");
  }

  bodyEnd(trailers: Uint8Array | null): void {
    this.exchange?.bodyEnd(trailers);
  }

  // Called by the socket handlers (listener.ts).

  drain(): void {
    const done = this.flushOut();
    if (this.phase === "closing") {
      if (done) this.lingerOrEnd();
    } else if (this.exchange !== null) this.exchange.drained();
    flushCork();
  }

  /** The visitor half-closed. */
  ended(): void {
    this.halfClosed = true;
    if (this.phase === "raw") this.exchange?.bodyEnd(null);
    else if (this.phase === "closing") {
      if (this.out.bytes === 0) this.socket?.end();
    } else if (this.exchange === null || !this.body.done) this.leave("the visitor closed the connection");
    else this.watchHalfClosed();
    flushCork();
  }

  /** The socket is closed (also when it was moved). */
  closed(error?: Error): void {
    const isEnd = this.phase === "raw" && this.out.hasShut && !this.halfClosed && error === undefined;
    this.phase = "closed";
    this.socket = null;
    this.out.clear();
    this.pending = null;
    this.deadlines.delete(this);
    this.host.released(this);
    const { exchange } = this;
    this.exchange = null;
    if (isEnd) exchange?.bodyEnd(null);
    else exchange?.abort("the visitor closed the connection");
  }

  expired(now: number): void {
    if (this.phase === "exchange" || this.phase === "raw") return this.checkProgress(now);
    this.deadline = Infinity;
    if (this.phase === "waiting") this.refuse("unavailable", "the shard is being replaced");
    else if (this.phase === "head") this.refuse("request_timeout", "the request head did not arrive in time");
    else if (this.phase === "closing" && this.out.bytes === 0) this.socket?.end();
    else if (this.phase === "idle") this.closeGracefully();
    else this.destroy();
  }

  private process(chunk: Buffer, from: number): void {
    let bytes = chunk;
    let at = from;
    if (this.pending !== null) {
      bytes =
        chunk.length === from ? this.pending : Buffer.concat([this.pending, from === 0 ? chunk : chunk.subarray(from)]);
      at = 0;
      // Without a line end nothing new can be complete: don't read a slow sender's head over and over.
      if (this.phase === "head" && chunk.length > 0 && bytes.length < maxPipelinedBytes && !chunk.includes(0x0a)) {
        this.pending = bytes;
        return;
      }
      this.pending = null;
    }
    this.processing = true;
    while (at < bytes.length && this.exchange === null && this.isOpen) {
      const next = head.parseRequest(bytes, at, bytes.length);
      if (next === INCOMPLETE) {
        if (this.phase === "idle") {
          this.phase = "head";
          this.deadline = performance.now() + this.host.settings.headTimeoutMs;
        }
        break;
      }
      if (next === REFUSED) {
        this.requestId = createRequestId();
        this.wantsHtml = false;
        this.isHead = false;
        this.refuse(head.error, head.detail);
      } else {
        this.routeRequest(bytes, at);
        if (this.phase === "waiting") break;
        at = this.feed(bytes, next);
        if (at < 0) at = bytes.length;
      }
    }
    this.processing = false;
    if (this.isOpen) this.keep(bytes, at);
  }

  private routeRequest(bytes: Buffer, at: number): void {
    const { settings } = this.host;
    this.phase = "idle";
    this.requestId = createRequestId();
    this.minor = head.minor;
    if (head.minor === 0) this.hasSpokenHttp10 = true;
    this.isHead = head.isHead;
    this.keepAlive = head.minor === 1 ? !head.close : head.keepAlive && !head.close;
    this.visitorCloses = !this.keepAlive;
    this.wantsHtml = acceptsHtml(head);
    if (head.chunked) this.body.startChunked();
    else if (head.contentLength > 0) this.body.startLength(head.contentLength);
    else this.body.startNone();
    if (head.contentLength > settings.maxBodyBytes)
      return this.refuse("payload_too_large", "Content-Length is larger than MAX_BODY_BYTES");
    const hostValue = head.value(head.host);
    if (hostValue !== this.hostValue) {
      this.hostVerdict = this.host.judgeHost(hostValue);
      this.hostValue = hostValue;
    }
    const verdict = this.hostVerdict;
    if (verdict.kind === "malformed") return this.refuse("bad_request", "the Host header is not a host");
    if (verdict.kind === "foreign") return this.refuse("misdirected", "the host is not served here");
    this.routed = bytes;
    this.routedAt = at;
    this.host.route(this, head, verdict);
    this.routed = empty;
  }

  /** Gives body bytes to the exchange; the offset behind them, -1 when the connection is done for. */
  private feed(bytes: Buffer, at: number): number {
    if (this.body.done || !this.isOpen) return at;
    const next = this.body.read(bytes, at, bytes.length, this);
    if (next >= 0) return next;
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort(this.body.detail);
    if (this.isOpen) this.refuse("bad_request", this.body.detail);
    return -1;
  }

  private keep(bytes: Buffer, at: number): void {
    if (at >= bytes.length || !this.isOpen) return;
    const rest = bytes.subarray(at);
    this.pending = this.pending === null ? Buffer.from(rest) : Buffer.concat([this.pending, rest]);
    if (this.exchange !== null && this.pending.length > maxPipelinedBytes) this.pause(pausedByPipeline);
  }

  private refuse(code: ErrorCode, detail: string): void {
    this.exchange = null;
    if (code === "request_timeout") this.requestId = createRequestId();
    this.host.refused(this, code, detail, this.requestId);
    const { requestId, wantsHtml: html } = this;
    const message = code === "bad_request" ? `The request is malformed: ${detail}.` : errorCatalogue[code].message;
    const bytes = errorAnswer({ code, message, requestId, html, headOnly: this.isHead, close: true });
    this.write(bytes, 0, bytes.length);
    this.body.startUntilClose();
    this.closeGracefully();
  }

  private leave(reason: string): void {
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort(reason);
    if (exchange === null && this.isOpen) this.closeGracefully();
    else this.destroy();
  }

  /** A closed socket looks half-closed until something is written to it, so silence counts as leaving. */
  private watchHalfClosed(): void {
    const { sentBytes } = this;
    setTimeout(() => {
      if (this.phase !== "exchange") return;
      if (this.sentBytes > sentBytes || this.out.bytes > 0) this.watchHalfClosed();
      else this.leave("the visitor closed the connection");
    }, halfCloseMs).unref();
  }

  private checkProgress(now: number): void {
    const { settings } = this.host;
    this.deadline = now + progressWindowMs(this.host.settings);
    const reading = this.phase === "exchange" && !this.body.done && (this.pausedBy & pausedByExchange) === 0;
    const stalled = this.progress.check(now, reading, this.body.received, this.out.bytes > 0, this.sentBytes, settings);
    if (stalled !== null) this.leave(stalled);
  }

  private closeGracefully(): void {
    flushCork();
    this.phase = "closing";
    this.unpause(pausedByExchange | pausedByPipeline);
    this.deadline = performance.now() + this.host.settings.writeProgressTimeoutMs;
    if (this.out.bytes === 0) this.lingerOrEnd();
  }

  /** Closing while bytes arrive would reset the connection and could take the answer with it: read on for a moment. */
  private lingerOrEnd(): void {
    if (this.socket === null) return;
    const nothingComes = this.visitorCloses && this.body.done && this.pending === null;
    // In a pipe a close without a FIN before it breaks an HTTP/1.0 visitor's connection.
    if ((nothingComes || this.halfClosed) && !this.hasSpokenHttp10) return void this.socket.end();
    this.pending = null;
    this.socket.shutdown();
    this.deadline = performance.now() + lingerMs;
  }

  private discard(bytes: number): void {
    this.discarded += bytes;
    if (this.discarded > lingerBytes && this.out.bytes === 0) this.socket?.end();
  }
}
