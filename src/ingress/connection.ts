// One visitor connection: heads in order, one exchange at a time. How it answers, moves and ends is in the classes below it.

import type { Socket } from "bun";
import type { BodySink } from "../http1/body.ts";
import { Head } from "../http1/head.ts";
import { INCOMPLETE, REFUSED } from "../http1/parsing.ts";
import { freeLarge } from "../lib/large-reads.ts";
import { flushCork } from "./cork.ts";
import type { Exchange } from "./exchange.ts";
import type { Visitor } from "./forwarded.ts";
import type { HostVerdict } from "./gate.ts";
import { MovableSocket } from "./movable-socket.ts";
import { ResponseWriter } from "./response.ts";
import { pausedByExchange, pausedByPipeline, type SocketOwner } from "./visitor-socket.ts";

// One parser for all connections of a thread: parsing and routing never yield.
const head = new Head();
const empty = Buffer.alloc(0);
/** Pipelined bytes kept while an exchange runs; beyond it the visitor waits. */
const maxPipelinedBytes = 64 * 1024;

/** Created by `Connections` for an accepted or adopted socket; reads its requests and asks `IngressHost.route` about each. */
export class VisitorConnection extends MovableSocket implements BodySink {
  /** Writes the answers of its exchanges, one after the other. */
  readonly response = new ResponseWriter(this);
  countBucket = -1;
  /** The visitor behind this connection, when all its requests have the same one (no proxy is trusted here). */
  visitor: Visitor | null = null;
  /** What is added to requests of the same visitor for the same host, made once. */
  forwarded: { visitor: Visitor | null; host: string; lines: Buffer } = { visitor: null, host: "", lines: empty };
  /** The Host of the last request, as it came. */
  hostValue = "";
  /** Bytes are being looked at that may hold more requests. */
  private isProcessing = false;
  private hostVerdict: HostVerdict = { kind: "malformed" };

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
    if (this.phase === "raw") this.receivedRaw(chunk);
    else if (this.phase === "closing") this.discard(chunk.length);
    else if (this.phase === "waiting") this.keep(chunk, 0);
    else if (this.exchange === null) this.process(chunk, 0);
    else {
      const at = this.feed(chunk, 0);
      if (this.exchange === null && this.isOpen) this.process(chunk, at);
      else this.keep(chunk, at);
    }
    if (this.exchange !== null) this.restAfterLarge(chunk.length);
    flushCork();
    freeLarge(chunk);
  }

  /** Takes the request being routed; body bytes follow to `exchange`. `now`: `performance.now()`, or a moment ago. */
  begin(exchange: Exchange, now = performance.now()): void {
    this.exchange = exchange;
    this.isFresh = false;
    this.phase = "exchange";
    this.startProgress(now);
  }

  /** The response is complete. `keepAlive` false, or a request body still under way, closes the connection. */
  finish(keepAlive: boolean, now = performance.now()): void {
    this.exchange = null;
    this.isAnswering = false;
    this.endAccess(true);
    if (!this.isOpen) return;
    if (!keepAlive || !this.body.done || this.leaving) return this.closeGracefully();
    this.phase = "idle";
    this.unpause(pausedByExchange);
    this.goOn(now);
  }

  /** From here on bytes are raw, both ways; those that already came are delivered at once. */
  goRaw(): void {
    this.phase = "raw";
    const { pending } = this;
    this.pending = null;
    if (pending !== null) this.receivedRaw(pending);
    this.unpause(pausedByPipeline);
    if (this.halfClosed) this.exchange?.bodyEnd(null);
  }

  /** The server is leaving: an idle connection closes now, a busy one after its answer. So does a loan, of which a request may be under way. No shard is waited for. */
  closeIfIdle(): void {
    if (this.phase === "waiting") this.refuse("unavailable", "the server is leaving");
    else if (this.phase === "idle" && this.pending === null && this.loan === null) this.closeGracefully();
    else this.leaving = true;
  }

  /** Routes a postponed request again. */
  retry(): void {
    if (this.phase !== "waiting") return;
    this.phase = "idle";
    this.unpause(pausedByPipeline);
    this.process(empty, 0);
    flushCork();
  }

  protected override room(): number {
    return this.exchange?.room?.() ?? super.room();
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    const { maxBodyBytes } = this.host.settings;
    if (this.body.received <= maxBodyBytes) return this.exchange?.bodyData(bytes, start, end);
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort("the request body is larger than MAX_BODY_BYTES", "payload_too_large");
    if (exchange !== null) this.refuse("payload_too_large", "the request body is larger than MAX_BODY_BYTES");
  }

  bodyEnd(trailers: Uint8Array | null): void {
    this.exchange?.bodyEnd(trailers);
  }

  // Called by the socket handlers (handlers.ts) and by Deadlines.

  drain(): void {
    const done = this.flushOut();
    if (this.phase === "closing") {
      if (done) this.lingerOrEnd();
    } else if (this.exchange !== null) this.exchange.drained();
    else if (done && this.phase === "idle") this.goOn();
    flushCork();
  }

  /** The visitor half-closed. */
  ended(): void {
    // A reset that a write of ours was told of.
    if (this.out.isBroken) return this.leave("the visitor closed the connection");
    this.halfClosed = true;
    if (this.phase === "raw") this.exchange?.bodyEnd(null);
    else if (this.phase === "closing") {
      if (this.out.bytes === 0) this.socket?.end();
    } else if (this.phase === "waiting") this.leave("the visitor closed the connection");
    else this.hasAllOfIt();
    flushCork();
  }

  /** A half-closed visitor's bytes are all here: those that make no whole request are for nothing. */
  private hasAllOfIt(): void {
    if (this.exchange === null) {
      // What is behind an answer that has not left yet has its turn then.
      if (this.isOpen && (this.pending === null || this.out.bytes === 0)) this.closeGracefully();
    } else if (this.body.done) this.watchHalfClosed();
    else this.leave("the visitor closed the connection");
  }

  /** The socket is closed (also when it was moved). */
  closed(error?: Error): void {
    this.endAccess(false);
    const isBreak = this.out.isBroken || this.hasThrown || error !== undefined;
    const isEnd = this.phase === "raw" && this.out.hasShut && !this.halfClosed && !isBreak;
    this.phase = "closed";
    this.unpause(pausedByExchange | pausedByPipeline);
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
    if (this.out.bytes > 0) {
      // The kernel says `drain` when a third of its buffer is free, which a slow reader may need minutes for: try what fits by now.
      this.drain();
      if (this.phase === "closed" || this.deadline > now) return;
    }
    if (this.phase === "exchange" || this.phase === "raw") return this.checkProgress(now);
    if ((this.phase === "idle" || this.phase === "closing") && this.stillTakes(now)) return;
    this.deadline = Infinity;
    if (this.phase === "waiting") this.refuse("unavailable", "the shard is being replaced");
    else if (this.phase === "head") {
      this.forgetRequest();
      this.refuse("request_timeout", "the request head did not arrive in time");
    } else if (this.phase === "closing" && this.out.bytes === 0) this.socket?.end();
    else if (this.phase === "idle") this.closeGracefully();
    else this.destroy();
  }

  private receivedRaw(chunk: Buffer): void {
    this.rawBytes += chunk.length;
    this.exchange?.bodyData(chunk, 0, chunk.length);
  }

  private process(chunk: Buffer, from: number): void {
    let bytes = chunk;
    let at = from;
    if (this.pending !== null) {
      bytes =
        chunk.length === from ? this.pending : Buffer.concat([this.pending, from === 0 ? chunk : chunk.subarray(from)]);
      at = 0;
      // Without a line end nothing new can be complete: don't read a slow sender's head over and over.
      if (this.phase === "head" && bytes.length < maxPipelinedBytes && !chunk.includes(0x0a)) {
        this.pending = bytes;
        return;
      }
      this.pending = null;
    }
    this.isProcessing = true;
    while (at < bytes.length && this.mayRoute()) {
      const next = head.parseRequest(bytes, at, bytes.length);
      if (next === INCOMPLETE) {
        if (this.phase === "idle") {
          this.phase = "head";
          this.deadline = performance.now() + this.host.settings.headTimeoutMs;
        }
        break;
      }
      if (next === REFUSED) {
        this.forgetRequest();
        if (head.host >= 0) this.judgeHost();
        this.refuse(head.error, head.detail);
      } else {
        this.routeRequest(bytes, at);
        if (this.phase === "waiting") break;
        at = this.feed(bytes, next);
      }
    }
    this.isProcessing = false;
    this.keep(bytes, at, bytes !== chunk);
    if (this.halfClosed) this.hasAllOfIt();
  }

  /** A request is only looked at when the answer before it has left: whoever doesn't read is not answered ahead. */
  private mayRoute(): boolean {
    if (this.exchange !== null || !this.isOpen) return false;
    flushCork();
    return this.out.bytes === 0;
  }

  /** The last answer is complete, and has left or leaves: what waited behind it has its turn. */
  private goOn(now = performance.now()): void {
    this.deadline = now + this.host.settings.idleTimeoutMs;
    this.unpause(pausedByPipeline);
    if (this.loan !== null) this.completeLoan(this.loan);
    if (this.pending !== null) this.process(empty, 0);
    else if (this.halfClosed && !this.isProcessing) this.closeGracefully();
  }

  private routeRequest(bytes: Buffer, at: number): void {
    this.phase = "idle";
    this.startRequest(head);
    const verdict = this.judgeHost();
    this.startAccess(this.host.accessLog?.begin(this, head) ?? null);
    if (head.contentLength > this.host.settings.maxBodyBytes)
      return this.refuse("payload_too_large", "Content-Length is larger than MAX_BODY_BYTES");
    if (verdict.kind === "malformed") return this.refuse("bad_request", "the Host header is not a host");
    if (verdict.kind === "foreign") return this.refuse("misdirected", "the host is not served here");
    this.routing(bytes, at, head.end);
    this.host.route(this, head, verdict);
    this.routing(null, 0, 0);
  }

  private judgeHost(): HostVerdict {
    if (!head.valueIs(head.host, this.hostValue)) {
      this.hostValue = head.value(head.host);
      this.hostVerdict = this.host.judgeHost(this.hostValue);
      this.isOthersHost = this.hostVerdict.kind !== "base" && this.hostVerdict.kind !== "malformed";
    }
    return this.hostVerdict;
  }

  /** Gives body bytes to the exchange; the offset behind them, -1 when the connection is done for. */
  private feed(bytes: Buffer, at: number): number {
    if (this.body.done || !this.isOpen) return at;
    const next = this.body.read(bytes, at, bytes.length, this);
    if (next >= 0) return next;
    const { exchange } = this;
    this.exchange = null;
    exchange?.abort(this.body.detail, "bad_request");
    if (this.isOpen) this.refuse("bad_request", this.body.detail);
    return -1;
  }

  /** `areOurs`: `bytes` are a copy already. */
  private keep(bytes: Buffer, at: number, areOurs = false): void {
    if (at >= bytes.length || !this.isOpen) return;
    const rest = bytes.subarray(at);
    // A copy per request would make a pipeline quadratic; no view of a few bytes shall keep a large buffer, either.
    const mayView = areOurs && rest.length >= rest.buffer.byteLength / 2;
    if (this.pending !== null) this.pending = Buffer.concat([this.pending, rest]);
    else this.pending = mayView ? rest : Buffer.from(rest);
    const waits = this.exchange !== null || this.out.bytes > 0;
    if (waits && this.pending.length > maxPipelinedBytes) this.pause(pausedByPipeline);
  }
}
