// One stream at the local service: a request on a pooled socket, or a raw connection; the answer sent back as it comes.

import type { ClientConnection, ClientFailure, ClientHandler, ClientPool } from "../../src/http1/client.ts";
import { putChunkSize } from "../../src/http1/copy.ts";
import type { Head } from "../../src/http1/head.ts";
import {
  CHUNKED,
  FIN,
  HEAD,
  HEAD_METHOD,
  maxPayloadBytes,
  MORE,
  MORE_HEAD,
  RAW,
  resetCode,
  UPGRADE,
  writeU32,
} from "../../src/protocol/frames.ts";
import { Incoming, Outgoing } from "../../src/protocol/flow.ts";
import { requestLine } from "./host-header.ts";
import type { AgentSession, AgentStream } from "./session.ts";

/** What one exchange came to. */
export interface ExchangeReport {
  method: string;
  path: string;
  status: number;
  durationMs: number;
  bytesIn: number;
  bytesOut: number;
  error: string | null;
}

export interface ExchangeOptions {
  session: AgentSession;
  id: number;
  flags: number;
  head: Buffer;
  responseWindow: number;
  requestWindow: number;
  pool: ClientPool;
  /** Null when nobody wants to hear about single requests. */
  report: ((report: ExchangeReport) => void) | null;
  /** The local service answered, or why it can't be reached. */
  localUp(): void;
  localDown(why: string): void;
}

const chunkHead = Buffer.allocUnsafe(16);
const crlf = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

export class LocalExchange implements AgentStream {
  over = false;
  private client: ClientConnection;
  private readonly outgoing: Outgoing;
  private readonly incoming: Incoming;
  private readonly answer: LocalAnswer;
  private readonly retryHead: Buffer | null;
  private readonly line: { method: string; path: string } | null;
  private readonly startedAt = performance.now();
  private status = 0;
  private bytesIn = 0;
  private bytesOut = 0;
  private raw = false;
  private requestDone: boolean;
  private answerDone = false;

  constructor(private readonly options: ExchangeOptions) {
    const { session, id, flags, head } = options;
    this.outgoing = new Outgoing(session, id, options.responseWindow);
    this.incoming = new Incoming(session, id, options.requestWindow);
    this.answer = new LocalAnswer(this);
    this.requestDone = (flags & FIN) !== 0;
    this.raw = (flags & RAW) !== 0;
    this.line =
      options.report === null ? null : this.raw ? { method: "TCP", path: head.toString("latin1") } : requestLine(head);
    this.client = options.pool.begin(this.answer, (flags & HEAD_METHOD) !== 0, (flags & (UPGRADE | RAW)) !== 0);
    // An idle connection may have been closed by the local service a moment ago: a request that may be repeated is, once.
    this.retryHead = this.client.reused && this.requestDone && isRepeatable(head) ? Buffer.from(head) : null;
    if (this.raw) this.client.startRaw();
    else this.client.write(head, 0, head.length);
    if (this.requestDone) this.client.requestEnd();
  }

  // Frames from the server.

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.over) return;
    const { client } = this;
    this.bytesIn += end - start;
    const chunked = (this.options.flags & CHUNKED) !== 0 && !this.raw;
    if (chunked) client.write(chunkHead, 0, putChunkSize(end - start, chunkHead, 0));
    client.write(bytes, start, end);
    if (chunked) client.write(crlf, 0, 2);
    this.incoming.received(end - start, client.backlogBytes);
  }

  onEnd(trailers: Buffer | null): void {
    if (this.over) return;
    this.requestDone = true;
    if (this.raw) {
      this.client.shutdown();
      if (this.answerDone) this.end(null);
      return;
    }
    if ((this.options.flags & CHUNKED) !== 0) {
      if (trailers === null) this.client.write(lastChunk, 0, lastChunk.length);
      else {
        this.client.write(lastChunk, 0, 3);
        this.client.write(trailers, 0, trailers.length);
        this.client.write(crlf, 0, 2);
      }
    }
    this.client.requestEnd();
  }

  onReset(): void {
    if (this.over) return;
    this.client.destroy();
    this.end("the visitor left");
  }

  onWindow(bytes: number): void {
    this.outgoing.grant(bytes);
    this.flush();
  }

  flush(): void {
    if (this.over || !this.outgoing.waits || !this.outgoing.flush()) return;
    this.client.resume();
    if (this.answerDone) this.end(null);
  }

  // Events of the local service.

  head(head: Head): void {
    const { session, id, flags } = this.options;
    const { status } = head;
    this.options.localUp();
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
    if (noBody) this.outgoing.ended = true;
  }

  answered(bytes: Uint8Array, start: number, end: number): void {
    this.bytesOut += end - start;
    if (!this.outgoing.send(bytes, start, end)) this.client.pause();
  }

  answerEnded(trailers: Uint8Array | null): void {
    if (this.outgoing.ended) return;
    this.outgoing.end(trailers);
    if (this.raw) {
      this.answerDone = true;
      if (this.requestDone && !this.outgoing.waits) this.end(null);
    }
  }

  finished(): void {
    if (this.over) return;
    this.answerDone = true;
    if (!this.outgoing.waits) this.end(null);
  }

  failed(failure: ClientFailure, detail: string): void {
    if (this.over) return;
    if (this.retryHead !== null && failure === "broken" && this.client.reused && !this.client.answered) {
      const head = this.retryHead;
      this.client = this.options.pool.begin(this.answer, (this.options.flags & HEAD_METHOD) !== 0, true);
      this.client.write(head, 0, head.length);
      this.client.requestEnd();
      return;
    }
    if (failure === "unreachable") this.options.localDown(detail);
    this.fail(failure === "unreachable" ? resetCode.unreachable : resetCode.localFailed, detail);
  }

  drained(): void {
    this.incoming.drained();
  }

  private fail(code: number, detail: string): void {
    this.client.destroy();
    // What is kept for want of credit is not sent any more: the visitor's connection breaks visibly.
    this.options.session.outbox.reset(this.options.id, code, detail);
    this.end(detail);
  }

  private end(error: string | null): void {
    if (this.over) return;
    this.over = true;
    this.incoming.close();
    this.options.session.remove(this.options.id);
    if (this.line === null) return;
    const { bytesIn, bytesOut, status } = this;
    this.options.report?.({
      ...this.line,
      status,
      durationMs: performance.now() - this.startedAt,
      bytesIn,
      bytesOut,
      error,
    });
  }

  private sendHead(session: AgentSession, id: number, head: Head, flags: number): void {
    const length = head.end - head.start;
    const first = Math.min(length, maxPayloadBytes - 4);
    const { outbox } = session;
    const at = outbox.reserve(4 + first);
    const out = outbox.buffer;
    writeU32(out, at, Math.round((performance.now() - this.startedAt) * 1_000));
    out.set(head.bytes.subarray(head.start, head.start + first), at + 4);
    outbox.commit(HEAD, first < length ? flags | MORE : flags, id, 4 + first);
    if (first < length) outbox.frame(MORE_HEAD, 0, id, head.bytes, head.start + first, head.end);
  }
}

/** The local service's answer; a separate object because request and answer both have bodies. */
class LocalAnswer implements ClientHandler {
  constructor(private readonly exchange: LocalExchange) {}
  head(head: Head): void {
    this.exchange.head(head);
  }
  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.exchange.answered(bytes, start, end);
  }
  bodyEnd(trailers: Uint8Array | null): void {
    this.exchange.answerEnded(trailers);
  }
  finished(): void {
    this.exchange.finished();
  }
  failed(failure: ClientFailure, detail: string): void {
    this.exchange.failed(failure, detail);
  }
  drained(): void {
    this.exchange.drained();
  }
}

function isRepeatable(head: Buffer): boolean {
  const { method } = requestLine(head);
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}
