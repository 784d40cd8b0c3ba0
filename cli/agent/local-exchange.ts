// One stream at the local service: a request on a pooled socket, or a raw connection; the answer sent back as it comes.

import type { ClientConnection, ClientFailure, ClientHandler } from "../../src/http1/client-connection.ts";
import { writeChunk, writeLastChunk } from "../../src/http1/chunks.ts";
import { copyBytes } from "../../src/lib/bytes.ts";
import { type Head, isSafeMethod } from "../../src/http1/head.ts";
import {
  CHUNKED,
  FIN,
  HEAD,
  HEAD_METHOD,
  maxPayloadBytes,
  MORE,
  MORE_HEAD,
  ProtocolError,
  RAW,
  resetCode,
  statusOfReset,
  UPGRADE,
  writeU32,
} from "../../src/protocol/frames.ts";
import { Incoming, Outgoing } from "../../src/protocol/flow.ts";
import { openLine } from "../../src/protocol/open-line.ts";
import { lasting } from "./once-more.ts";
import type { LocalService } from "./local-service.ts";
import { proxyHeader } from "./proxy-header.ts";
import type { AgentSession } from "./session.ts";
import type { AgentStream, OpenFrame } from "./session-owner.ts";
import type { AgentEvent } from "./types.ts";
import type { Recording } from "../inspector/recording.ts";

/** Who had a request for less can't be said to be silent. */
const leastSilenceMs = 100;

/** What one exchange came to. */
export type ExchangeReport = Omit<Extract<AgentEvent, { event: "request" }>, "event" | "time" | "url">;

/** What an exchange needs of its tunnel. */
export interface ExchangeHost {
  readonly local: LocalService;
  /** False: nobody wants to hear about single requests. */
  readonly wantsReports: boolean;
  report(report: ExchangeReport): void;
  /** Begins to keep a request for the inspector; null: nobody inspects. */
  record(open: OpenFrame): Recording | null;
}

export class LocalExchange implements AgentStream, ClientHandler {
  over = false;
  private client: ClientConnection;
  private readonly outgoing: Outgoing;
  /** Null for a request without a body. */
  private incoming: Incoming | null;
  /** The OPEN frame, while the request may have to be sent once more. */
  private retry: OpenFrame | null = null;
  private readonly line: { method: string; path: string } | null;
  private readonly flags: number;
  private readonly recording: Recording | null;
  private readonly startedAt: number;
  private readonly heardBefore: number;
  private status = 0;
  private bytesIn = 0;
  private bytesOut = 0;
  private raw = false;
  private requestDone: boolean;
  private answerDone = false;
  /** The answer is complete: `client` is closed, or serves another exchange by now. */
  private isClientGone = false;

  constructor(
    private readonly host: ExchangeHost,
    private readonly session: AgentSession,
    private readonly id: number,
    open: OpenFrame,
  ) {
    const { flags, bytes, start, end } = open;
    this.flags = flags;
    this.startedAt = session.heardAt;
    this.requestDone = (flags & FIN) !== 0;
    this.raw = (flags & RAW) !== 0;
    this.outgoing = new Outgoing(session, id, open.responseWindow);
    const hasBody = !this.requestDone || (flags & UPGRADE) !== 0;
    const { requestWindow } = open;
    // The server has granted it already, whatever is left.
    this.incoming = hasBody ? new Incoming(session, id, session.budget.take(requestWindow, requestWindow)) : null;
    this.line = host.wantsReports ? openLine(bytes, start, end, this.raw) : null;
    this.recording = this.raw ? null : host.record(open);
    if (this.requestDone) this.recording?.asked();
    this.heardBefore = host.local.heard;
    this.client = host.local.pool.begin(this, (flags & HEAD_METHOD) !== 0, (flags & (UPGRADE | RAW)) !== 0);
    // An idle connection may have been closed by the local service a moment ago: a request that may be repeated is, once.
    if (this.client.reused && this.requestDone && isSafeMethod(bytes, start)) this.retry = lasting(open);
    if (this.raw) this.startRaw(open);
    else this.client.write(bytes, start, end);
    if (this.requestDone) this.client.requestEnd();
  }

  private startRaw({ bytes, start, end }: OpenFrame): void {
    this.client.startRaw();
    const header = proxyHeader(this.host.local.spec.proxyProtocol, bytes, start, end);
    if (header === null) return this.fail(resetCode.localFailed, "the server does not say who the visitor is");
    this.client.write(header, 0, header.length);
  }

  // Frames from the server.

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.over) return;
    this.checkOpen();
    const { client } = this;
    this.bytesIn += end - start;
    this.recording?.asks(bytes, start, end);
    if (this.isClientGone) {
      // A visitor may want to send all of its request before it reads the answer. To a connection that is closed nobody can.
      if (this.raw && !this.outgoing.waits) return this.fail(resetCode.localFailed, "the connection is closed");
      return this.incoming?.received(end - start, 0);
    }
    if ((this.flags & CHUNKED) !== 0 && !this.raw) writeChunk(client, bytes, start, end);
    else client.write(bytes, start, end);
    this.incoming?.received(end - start, client.backlogBytes);
  }

  onEnd(trailers: Buffer | null): void {
    if (this.over) return;
    this.checkOpen();
    this.requestDone = true;
    this.recording?.asked(trailers);
    if (this.isClientGone) return this.endIfDone();
    if (this.raw) {
      this.client.shutdown();
      return this.endIfDone();
    }
    if ((this.flags & CHUNKED) !== 0) writeLastChunk(this.client, trailers);
    this.client.requestEnd();
  }

  private checkOpen(): void {
    if (this.requestDone) throw new ProtocolError("a request goes on behind its end");
  }

  onReset(code: number, reason: string): void {
    if (this.over) return;
    this.status ||= statusOfReset(code);
    // Who waits for the rest of a request owes no answer yet.
    if (this.requestDone || this.client.backlogBytes > 0) {
      const { local } = this.host;
      // An agent that stood still (its machine slept) finds request and time-out together: the service had no chance.
      const hadItsTime = performance.now() - this.startedAt >= leastSilenceMs;
      if (code !== resetCode.timeout || !hadItsTime) local.left(this.heardBefore);
      else if (!this.client.isOpen) local.unreached(this.heardBefore);
      else local.silent(`it takes connections, but gave ${reason}`, this.heardBefore);
    }
    if (!this.isClientGone) this.client.destroy();
    this.end(reason, code === resetCode.cancel && !this.session.isOver);
  }

  onWindow(bytes: number): void {
    this.outgoing.grant(bytes);
    this.flush();
  }

  get hasQueued(): boolean {
    return this.outgoing.waits;
  }

  flush(): void {
    if (this.over || !this.outgoing.waits || !this.outgoing.flush()) return;
    if (!this.isClientGone) this.client.resumeReading();
    this.endIfDone();
  }

  // Events of the local service.

  head(head: Head): void {
    const { session, id, flags } = this;
    const { status } = head;
    this.retry = null;
    this.host.local.answered();
    this.recording?.heads(head);
    if (status === 101) {
      if ((flags & UPGRADE) === 0 || !head.wantsWebSocket)
        return this.fail(resetCode.localFailed, "the local service switched protocols unasked");
      this.raw = true;
      this.client.startRaw();
      // Upgrades carry no body, so the visitor's direction begins now.
      this.requestDone = false;
    }
    if (status >= 200 || status === 101) this.status = status;
    const noBody =
      status >= 200 && ((flags & HEAD_METHOD) !== 0 || status === 204 || status === 304 || head.contentLength === 0);
    this.sendHead(session, id, head, noBody ? FIN : 0);
    // Interim heads use no credit: while the session's connection is full no more of them are read.
    if (status < 200 && !this.raw && session.congested) this.room();
    if (noBody) this.outgoing.ended = true;
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.bytesOut += end - start;
    this.recording?.answers(bytes, start, end);
    this.host.local.heard++;
    if (!this.outgoing.send(bytes, start, end)) this.client.pauseReading();
  }

  room(): number {
    const bytes = this.outgoing.room();
    if (bytes === 0) this.client.pauseReading();
    return bytes;
  }

  bodyEnd(trailers: Uint8Array | null): void {
    if (this.outgoing.ended) return;
    this.outgoing.end(trailers);
    // Nothing else is under way that could leave in the same message.
    if (this.session.streams.size <= 1) this.session.outbox.flush();
    if (this.raw) {
      this.answerDone = true;
      this.endIfDone();
    }
  }

  finished(): void {
    if (this.over) return;
    this.answerDone = true;
    this.isClientGone = true;
    this.incoming?.moved(0);
    this.endIfDone();
  }

  failed(failure: ClientFailure, detail: string): void {
    if (this.over) return;
    if (this.retry !== null && failure === "broken" && !this.client.answered) {
      const { bytes, start, end } = this.retry;
      this.retry = null;
      this.client = this.host.local.pool.begin(this, (this.flags & HEAD_METHOD) !== 0, true);
      this.client.write(bytes, start, end);
      this.client.requestEnd();
      return;
    }
    const { local } = this.host;
    const why = local.explain(failure, this.client.answered, detail);
    if (failure === "unreachable") local.down(why);
    // A stranger: nobody knows that it speaks HTTP at all, and most of what speaks TLS just hangs up.
    else if (failure === "tls" || !local.hasAnswered) local.mute(why, this.heardBefore);
    this.fail(failure === "unreachable" ? resetCode.unreachable : resetCode.localFailed, why);
  }

  drained(): void {
    this.incoming?.moved(this.client.backlogBytes);
  }

  /** The answer is all of an exchange; raw bytes end in each direction by themselves. */
  private endIfDone(): void {
    if (this.answerDone && !this.outgoing.waits && (this.requestDone || !this.raw)) this.end(null);
  }

  private fail(code: number, detail: string): void {
    this.client.destroy();
    this.status ||= statusOfReset(code);
    // What is kept for want of credit is not sent any more: the visitor's connection breaks visibly.
    this.session.outbox.reset(this.id, code, detail);
    this.end(detail);
  }

  private end(error: string | null, cancelled = false): void {
    if (this.over) return;
    this.over = true;
    this.incoming?.close();
    this.session.remove(this.id);
    this.recording?.ends(this.status, error, cancelled);
    if (this.line === null) return;
    const { bytesIn, bytesOut, status } = this;
    this.host.report({
      ...this.line,
      status,
      durationMs: performance.now() - this.startedAt,
      bytesIn,
      bytesOut,
      error,
      cancelled,
    });
  }

  private sendHead(session: AgentSession, id: number, head: Head, flags: number): void {
    const length = head.end - head.start;
    const first = Math.min(length, maxPayloadBytes - 4);
    const { outbox } = session;
    const at = outbox.reserve(4 + first);
    const out = outbox.buffer;
    writeU32(out, at, Math.round((performance.now() - this.startedAt) * 1_000));
    copyBytes(head.bytes, head.start, head.start + first, out, at + 4);
    outbox.commit(HEAD, first < length ? flags | MORE : flags, id, 4 + first);
    if (first < length) outbox.frame(MORE_HEAD, 0, id, head.bytes, head.start + first, head.end);
  }
}
