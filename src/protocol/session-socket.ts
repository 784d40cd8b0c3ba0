// The connection under a session after its upgrade, at either end: messages in WebSocket frames, close, and what the kernel hasn't taken.

import { freeLarge, Reads } from "../lib/large-reads.ts";
import { SendQueue } from "../lib/send-queue.ts";
import { closeCode, maxMessageBytes } from "./frames.ts";
import { WebSocketError, WebSocketReader, type WebSocketSink } from "./websocket.ts";
import { applyMask, closeFrame, pongFrame, writeBinaryHeader } from "./websocket-frames.ts";

/** Who hears of one session's connection. */
export interface SessionEvents {
  /** A piece of a binary message, `bytes[start..end)`, valid during the call; `isLast`: the message ends with it. */
  received(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  /** Some of what was sent has left; `backlogBytes` says what has not. */
  drained(): void;
  /** The session is over; exactly once. */
  closed(code: number, reason: string): void;
}

/** What it needs of a Bun socket. */
export interface LinkSocket {
  write(bytes: Uint8Array, offset: number, length: number): number;
  pause(): unknown;
  resume(): unknown;
  shutdown(): void;
  terminate(): void;
}

/**
 * How our frames are masked: not at all (by a server), with zeros or at random (by a client). RFC 6455 10.3 wants masks that nobody foresees, against bytes on the
 * wire that an intermediary takes for HTTP: nobody reads along in TLS and on the loopback, and there zeros save both ends a pass over every byte.
 */
export type Masking = "none" | "zero" | "random";

/** What a peer that reads nothing may leave with us before it is given up. */
const maxBacklogBytes = 16 * 1024 * 1024;
/** How long a peer may take to close after we have said so. */
const closeTimeoutMs = 2_000;
const randomMask = new Int32Array(1);

/** Owns the socket from the 101 on: whoever has the handlers calls `received`, `drain`, `ended` and `closed`. */
export class SessionSocket extends Reads implements WebSocketSink {
  private readonly reader: WebSocketReader;
  private readonly out = new SendQueue();
  private events: SessionEvents | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private leaving = false;
  /** What the last ping of those that are being read said. */
  private pinged: Buffer | null = null;
  /** Why we close, until the connection has. */
  private said: { code: number; reason: string } | null = null;

  /** `isPlain`: its TLS, if there is any, ends elsewhere. */
  constructor(
    protected readonly socket: LinkSocket,
    private readonly masking: Masking,
    override readonly isPlain: boolean,
  ) {
    super();
    this.reader = new WebSocketReader(this, maxMessageBytes, masking === "none");
  }

  /** Begins: `events` hears everything from here on. */
  start(events: SessionEvents): void {
    this.events = events;
  }

  /** Writes bytes as they are (the 101). */
  write(bytes: Buffer): void {
    this.out.write(this.socket, bytes, 0, bytes.length);
  }

  /** Sends a message of an Outbox: the room in front of it gets its header, and the mask changes it in place. */
  sendBinary(bytes: Buffer, start: number, end: number): void {
    if (this.leaving) return;
    const mask = this.mask();
    const from = writeBinaryHeader(bytes, start, end - start, mask);
    if (mask !== null) applyMask(bytes, start, end, mask);
    this.out.write(this.socket, bytes, from, end);
    if (this.out.bytes > maxBacklogBytes) this.end(1006, "the other end doesn't read");
  }

  /** Bytes that the kernel hasn't taken. */
  get backlogBytes(): number {
    return this.out.bytes;
  }

  /** Says why and ends the session. At a client `closed` follows when the server has closed as well: then all that was sent has arrived. */
  close(code: number, reason: string): void {
    if (this.leaving) return;
    this.leave(code, reason);
    if (this.masking === "none") this.over(code, reason);
    else this.said = { code, reason };
  }

  /** Ends the session and the connection at once. */
  end(code: number, reason: string): void {
    this.leaving = true;
    // A real socket calls `closed` from within `terminate`, which knows no reason.
    this.said ??= { code, reason };
    this.socket.terminate();
    this.over(code, reason);
  }

  received(chunk: Buffer): void {
    if (this.leaving) return;
    this.restAfterLarge(chunk.length);
    try {
      this.reader.read(chunk);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      // A text message is well-formed WebSocket and breaks our protocol; the rest breaks WebSocket itself.
      this.close(error.code === 1003 ? closeCode.protocol : error.code, error.message);
    }
    if (this.pinged !== null) this.answerPing(this.pinged);
    freeLarge(chunk);
  }

  drain(): void {
    this.out.flush(this.socket);
    this.events?.drained();
  }

  ended(): void {
    this.end(1006, "the connection ended");
  }

  closed(): void {
    clearTimeout(this.timer);
    this.leaving = true;
    this.out.clear();
    this.over(1006, "the connection broke");
  }

  message(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (!this.leaving) this.events?.received(bytes, start, end, isLast);
  }

  ping(payload: Buffer): void {
    this.pinged = payload;
  }

  closing(code: number, reason: string): void {
    this.leave(code === 1005 ? 1000 : code, "");
    this.over(code, reason);
  }

  /** Only the last one, and a peer that doesn't read is not answered ahead: one pong later says as much (RFC 6455 5.5.3). */
  private answerPing(payload: Buffer): void {
    this.pinged = null;
    if (!this.leaving && this.out.bytes === 0) this.write(pongFrame(payload, this.mask()));
  }

  private leave(code: number, reason: string): void {
    this.leaving = true;
    this.write(closeFrame(code, reason, this.mask()));
    // The server closes the connection (RFC 6455 7.1.1).
    if (this.masking === "none") this.out.shutdown(this.socket);
    this.timer = setTimeout(() => this.socket.terminate(), closeTimeoutMs);
  }

  private mask(): number | null {
    if (this.masking === "none") return null;
    return this.masking === "zero" ? 0 : crypto.getRandomValues(randomMask)[0]!;
  }

  private over(code: number, reason: string): void {
    const { events, said } = this;
    this.events = null;
    events?.closed(said?.code ?? code, said?.reason ?? reason);
  }
}
