// One connection of the HTTP/1.1 client: a request's bytes out, the answer as parsed views, one exchange at a time.

import type { Socket } from "bun";
import { canonicalAddress } from "../lib/cidr.ts";
import { freeLarge, Reads } from "../lib/large-reads.ts";
import { BodyReader, type BodySink } from "./body.ts";
import { brokenHandshake, type Dialled } from "./client-dial.ts";
import { Head } from "./head.ts";
import { INCOMPLETE, maxHeadBytes, REFUSED } from "./parsing.ts";
import { SendQueue } from "../lib/send-queue.ts";

/** Why an exchange failed: before a connection stood, after, or because the answer is TLS. */
export type ClientFailure = "unreachable" | "broken" | "tls";

/** Hears about one exchange. Views are valid during the call only. */
export interface ClientHandler extends BodySink {
  /** An interim (1xx, several) or the final head, still parsed in `head`. */
  head(head: Head): void;
  /** The exchange is over, cleanly; nothing follows. Comes after `bodyEnd` (which is left out for empty bodies). */
  finished(): void;
  /** The exchange is over, badly; nothing follows. */
  failed(failure: ClientFailure, detail: string): void;
  /** Some of what was written has left; `ClientConnection.backlogBytes` says what has not. */
  drained(): void;
  /** How many body bytes it can take now; 0: none, and it has paused reading until it can. Left out: as many as come. */
  room?(): number;
}

/** One end of a connection; `text` is its canonical address. */
export interface SocketEnd {
  readonly text: string;
  readonly port: number;
}

/** What a connection tells whoever keeps it. */
export interface ConnectionKeeper {
  /** Its exchange is over and it can take another. */
  release(connection: ClientConnection): void;
  /** It is closed. */
  forget(connection: ClientConnection): void;
}

const pausedByHandler = 2;

// One parser for all connections of a thread: parsing never yields.
const head = new Head();

/** `begin`, write, `requestEnd`; the handler hears the rest. */
export class ClientConnection extends Reads implements BodySink, Dialled {
  idleSince = 0;
  /** Whether an earlier exchange used this connection: its peer may have closed it meanwhile. */
  reused = false;
  /** Bytes of the answer have arrived. */
  answered = false;
  protected socket: Socket<Dialled> | null = null;
  private handler: ClientHandler | null = null;
  private isHead = false;
  private readonly body = new BodyReader();
  private readonly out = new SendQueue();
  private pending: Buffer | null = null;
  private inBody = false;
  private requestDone = false;
  private reusable = false;
  private raw = false;
  private ended = false;
  private closed = false;
  /** TLS stands. */
  private isSecured = false;

  /** `isPlain`: not to a TLS target. */
  constructor(
    private readonly keeper: ConnectionKeeper,
    override readonly isPlain: boolean,
  ) {
    super();
  }

  begin(handler: ClientHandler, isHead: boolean): void {
    this.handler = handler;
    this.isHead = isHead;
    this.inBody = false;
    this.requestDone = false;
    this.answered = false;
  }

  /** It stands, with TLS if that is spoken. */
  get isOpen(): boolean {
    return this.socket !== null && (this.isPlain || this.isSecured);
  }

  /** Whether it is the connection between these two ends, ours first. */
  isBetween(near: SocketEnd, far: SocketEnd): boolean {
    const { socket } = this;
    return (
      socket !== null &&
      socket.localPort === near.port &&
      socket.remotePort === far.port &&
      canonicalAddress(socket.localAddress) === near.text &&
      canonicalAddress(socket.remoteAddress) === far.text
    );
  }

  /** Bytes written that have not left yet. */
  get backlogBytes(): number {
    return this.out.bytes;
  }

  /** Writes request bytes (head, framed body). The view may be reused after the call. */
  write(bytes: Uint8Array, start: number, end: number): void {
    if (!this.closed && end > start) this.out.write(this.socket, bytes, start, end);
  }

  /** The request is complete: only then can the connection be used again. */
  requestEnd(): void {
    this.requestDone = true;
  }

  /** After a 101: both directions are raw bytes from here on, `bodyEnd` is the peer's half-close. */
  startRaw(): void {
    this.raw = true;
    if (this.socket !== null) this.out.unfinished(this.socket);
  }

  /** Half-closes our direction once everything has left (raw connections). */
  shutdown(): void {
    this.out.shutdown(this.socket);
  }

  pauseReading(): void {
    this.pause(pausedByHandler);
  }

  resumeReading(): void {
    this.unpause(pausedByHandler);
  }

  /** Ends the exchange without another word to the handler, and the connection with it. */
  destroy(): void {
    this.handler = null;
    if (this.closed) return;
    this.closed = true;
    this.keeper.forget(this);
    this.socket?.terminate();
    this.socket = null;
  }

  protected override room(): number {
    return this.handler?.room?.() ?? super.room();
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.handler?.bodyData(bytes, start, end);
  }

  bodyEnd(trailers: Uint8Array | null): void {
    this.handler?.bodyEnd(trailers);
  }

  // Called by the socket (client-dial.ts).

  opened(socket: Socket<Dialled>): void {
    if (this.closed) return void socket.terminate();
    this.socket = socket;
    if (this.raw) this.out.unfinished(socket);
    this.out.flush(socket);
    if (this.out.bytes === 0) this.handler?.drained();
  }

  secured(): void {
    this.isSecured = true;
  }

  received(chunk: Buffer): void {
    this.restAfterLarge(chunk.length);
    this.read(chunk);
    freeLarge(chunk);
  }

  private read(chunk: Buffer): void {
    if (this.raw) return this.handler?.bodyData(chunk, 0, chunk.length);
    if (this.handler === null) return this.destroy();
    this.answered = true;
    let bytes = chunk;
    if (this.pending !== null) {
      bytes = Buffer.concat([this.pending, chunk]);
      // Without a line end nothing new can be complete: a head that comes byte by byte is not read over and over.
      const isOpen = bytes.length < maxHeadBytes && !chunk.includes(0x0a);
      this.pending = isOpen ? bytes : null;
      if (isOpen) return;
    }
    let at = 0;
    while (!this.inBody) {
      const next = head.parseResponse(bytes, at, bytes.length);
      if (next === INCOMPLETE) {
        this.pending = Buffer.from(bytes.subarray(at));
        return;
      }
      if (next === REFUSED) return this.fail(isTlsRecord(bytes, at) ? "tls" : "broken", head.detail);
      at = next;
      this.startBody();
      this.handler.head(head);
      if (this.handler === null) return;
      if (this.raw) {
        if (at < bytes.length) this.handler.bodyData(bytes, at, bytes.length);
        return;
      }
    }
    at = this.body.read(bytes, at, bytes.length, this);
    if (at < 0) return this.fail("broken", this.body.detail);
    if (this.body.done) this.complete(at < bytes.length);
  }

  drain(): void {
    if (this.socket === null) return;
    this.out.flush(this.socket);
    this.handler?.drained();
  }

  /** The peer half-closed. */
  end(): void {
    if (this.out.isBroken) return this.closedBySocket();
    this.ended = true;
    if (this.raw) return this.handler?.bodyEnd(null);
    if (this.handler !== null && this.inBody && this.body.closed()) {
      this.handler.bodyEnd(null);
      return this.complete(true);
    }
    this.fail(
      "broken",
      this.answered ? "the connection ended in the middle of the answer" : "the connection ended before an answer",
    );
  }

  closedBySocket(error?: Error): void {
    if (this.closed) return;
    if (!this.isPlain && !this.isSecured) return this.fail("unreachable", brokenHandshake);
    const isBreak = this.out.isBroken || this.hasThrown || error !== undefined;
    if (this.raw && !this.ended && this.out.hasShut && !isBreak) {
      this.ended = true;
      this.handler?.bodyEnd(null);
    }
    if (this.raw && this.ended) {
      this.closed = true;
      this.socket = null;
      this.keeper.forget(this);
      const { handler } = this;
      this.handler = null;
      return handler?.finished();
    }
    this.fail(
      "broken",
      this.answered ? "the connection broke in the middle of the answer" : "the connection broke before an answer",
    );
  }

  /** Ends the exchange and the connection; the handler hears why. */
  fail(failure: ClientFailure, detail: string): void {
    const { handler } = this;
    this.destroy();
    handler?.failed(failure, detail);
  }

  /** Sets up the body that follows `head` (RFC 9112 6.3). */
  private startBody(): void {
    const { status } = head;
    if (status < 200) return;
    this.inBody = true;
    const isBare = this.isHead || status === 204 || status === 304;
    // What is announced and must not be sent may come all the same, and late: it would be read as the next one's answer.
    const mayFollow = isBare && (head.chunked || head.contentLength > 0);
    this.reusable = head.minor === 1 && !head.close && !mayFollow;
    if (isBare) this.body.startNone();
    else if (head.chunked) this.body.startChunked();
    else if (head.contentLength >= 0) this.body.startLength(head.contentLength);
    else {
      this.body.startUntilClose();
      this.reusable = false;
    }
  }

  private complete(surplus: boolean): void {
    const { handler } = this;
    if (this.closed) return;
    this.handler = null;
    if (this.reusable && this.requestDone && !surplus && this.out.bytes === 0) {
      this.reused = true;
      this.resumeReading();
      this.keeper.release(this);
    } else this.destroy();
    handler?.finished();
  }
}

/** An alert or a handshake: what servers that wait for a ClientHello say to an HTTP request. */
function isTlsRecord(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] === 0x15 || bytes[at] === 0x16) && bytes[at + 1] === 3;
}
