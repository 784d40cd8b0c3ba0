// The connection under a session: an agent's socket after its upgrade, spoken to in WebSocket frames.

import type { Socket } from "bun";
import { SendQueue } from "../src/http1/send-queue.ts";
import type { SocketOwner } from "../src/ingress/visitor-socket.ts";
import { freeLarge, Reads } from "../src/lib/large-reads.ts";
import { closeCode, maxMessageBytes } from "../src/protocol/frames.ts";
import {
  closeFrame,
  pongFrame,
  WebSocketError,
  WebSocketReader,
  type WebSocketSink,
  writeBinaryHeader,
} from "../src/protocol/websocket.ts";

/** Who hears of one session's connection. */
export interface SessionEvents {
  /** A binary message `bytes[start..end)`, valid during the call. */
  received(bytes: Buffer, start: number, end: number): void;
  /** Some of what was sent has left; `backlogBytes` says what has not. */
  drained(): void;
  /** The session is over; exactly once. */
  closed(code: number, reason: string): void;
}

/** What a peer that reads nothing may leave with us before it is given up. */
const maxBacklogBytes = 16 * 1024 * 1024;
/** How long a peer may take to close after we have said so. */
const closeTimeoutMs = 2_000;

/** Owns the socket from the 101 on. */
export class SessionSocket extends Reads implements SocketOwner, WebSocketSink {
  private readonly reader = new WebSocketReader(this, maxMessageBytes);
  private readonly out = new SendQueue();
  private events: SessionEvents | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private leaving = false;

  constructor(protected readonly socket: Socket<SocketOwner>) {
    super();
  }

  /** Begins: `events` hears everything from here on. */
  start(events: SessionEvents): void {
    this.events = events;
  }

  /** Writes bytes as they are (the 101). */
  write(bytes: Buffer): void {
    this.out.write(this.socket, bytes, 0, bytes.length);
  }

  /** Sends a message of an Outbox: the room in front of it gets its header. */
  sendBinary(bytes: Buffer, start: number, end: number): void {
    if (this.leaving) return;
    this.out.write(this.socket, bytes, writeBinaryHeader(bytes, start, end - start), end);
    if (this.out.bytes > maxBacklogBytes) this.end(1006, "the agent doesn't read");
  }

  /** Bytes that the kernel hasn't taken. */
  get backlogBytes(): number {
    return this.out.bytes;
  }

  /** Says why and ends the session. */
  close(code: number, reason: string): void {
    if (this.leaving) return;
    this.leaving = true;
    this.write(closeFrame(code, reason));
    this.out.shutdown(this.socket);
    this.timer = setTimeout(() => this.socket.terminate(), closeTimeoutMs);
    this.over(code, reason);
  }

  /** Ends the session and the connection at once. */
  end(code: number, reason: string): void {
    this.leaving = true;
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
    freeLarge(chunk);
  }

  drain(): void {
    this.out.flush(this.socket);
    this.events?.drained();
  }

  ended(): void {
    this.end(1006, "the agent's connection ended");
  }

  closed(): void {
    clearTimeout(this.timer);
    this.leaving = true;
    this.out.clear();
    this.over(1006, "the agent's connection broke");
  }

  message(bytes: Buffer, start: number, end: number): void {
    if (!this.leaving) this.events?.received(bytes, start, end);
  }

  ping(payload: Buffer): void {
    // An agent that doesn't read is not answered ahead: one pong later says as much (RFC 6455 5.5.3).
    if (this.out.bytes === 0) this.write(pongFrame(payload));
  }

  closing(code: number, reason: string): void {
    this.close(code === 1005 ? 1000 : code, "");
    this.over(code, reason);
  }

  private over(code: number, reason: string): void {
    const { events } = this;
    this.events = null;
    events?.closed(code, reason);
  }
}
