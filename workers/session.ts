// One agent's WebSocket: frames in and out, its streams, liveness, and the credit they share.

import {
  type Checked,
  CHECK,
  CHECKED,
  closeCode,
  DATA,
  END,
  FIN,
  GO_AWAY,
  type GoAway,
  HEAD,
  MORE,
  MORE_HEAD,
  maxPayloadBytes,
  OPEN,
  PING,
  PONG,
  ProtocolError,
  readJson,
  readU32,
  REGISTERED,
  type Registered,
  RESET,
  sessionWindowBytes,
  smallWindowBytes,
  initialWindowBytes,
  WINDOW,
  writeU32,
} from "../src/protocol/frames.ts";
import { FrameReader, type FrameSink } from "../src/protocol/frame-reader.ts";
import { maxHeadBytes } from "../src/http1/parsing.ts";
import { flushInTurns, type FlowSession, WindowBudget } from "../src/protocol/flow.ts";
import { Liveness } from "../src/protocol/liveness.ts";
import { Outbox, type OutboxSink } from "../src/protocol/outbox.ts";
import type { SessionEvents, SessionSocket } from "../src/protocol/session-socket.ts";
import type { StreamFlow } from "./stream-flow.ts";

/** What a session belongs to. */
export interface SessionOwner {
  sessionClosed(session: Session, reason: string): void;
  checked(session: Session, result: Checked, id: number): void;
  /** A session that had no room may have some now. */
  capacityFreed(): void;
}

export interface SessionOptions {
  tunnelId: string;
  agentId: string;
  generation: number;
  address: string;
  maxStreams: number;
  pingIntervalMs: number;
  deadAfterMs: number;
}

/** Above this much unsent, streams keep their bytes until the socket drains. */
const congestedBytes = 256 * 1024;
/** Above this much no streams are opened: heads use no credit, and a socket that has twice as much to send is given up. */
const crowdedBytes = 8 * 1024 * 1024;

/** Lives from the WebSocket's open to its close. */
export class Session implements FrameSink, OutboxSink, FlowSession, SessionEvents {
  readonly outbox = new Outbox(this);
  readonly streams = new Map<number, StreamFlow>();
  readonly budget = new WindowBudget();
  congested = false;
  /** Streams that moved much between the last two ticks. */
  bulkStreams = 0;
  /** No new streams: the agent or the server is leaving. */
  leaving = false;
  /** Smallest of the last round trips in ms; null before the first. */
  rttMs: number | null = null;
  private lastId = 0;
  private readonly frames = new FrameReader(this);
  private readonly liveness: Liveness;
  private ended = false;
  private closeReason = "";
  /** A head that comes in pieces: `bytes[0..length)` of it. */
  private partial: { id: number; micros: number; flags: number; bytes: Buffer; length: number } | null = null;

  constructor(
    private readonly socket: SessionSocket,
    private readonly owner: SessionOwner,
    readonly options: SessionOptions,
  ) {
    this.liveness = new Liveness(this.outbox, options.pingIntervalMs, options.deadAfterMs);
  }

  get hasRoom(): boolean {
    if (this.leaving || this.streams.size >= this.options.maxStreams) return false;
    return !this.congested || this.socket.backlogBytes < crowdedBytes;
  }

  /** `performance.now()` when the message came that is being read. */
  get heardAt(): number {
    return this.liveness.heardAt;
  }

  /** Says hello, when its owner has it: the agent that hears it believes that visitors are served. */
  welcome(registered: Registered, enter: () => void): void {
    this.outbox.session(REGISTERED, registered);
    enter();
    this.outbox.flush();
  }

  /** Enters a stream in the table, binds it and writes its OPEN. `head`: what the payload ends with, `length` bytes of it. `now`: `performance.now()`, or a moment ago. */
  open(stream: StreamFlow, head: Buffer, length: number, now: number): void {
    const id = ++this.lastId;
    this.streams.set(id, stream);
    stream.bind(this, id, now);
    const { outbox } = this;
    const flags = stream.openFlags;
    const first = Math.min(length, maxPayloadBytes - 8);
    const at = outbox.reserve(8 + first);
    writeU32(outbox.buffer, at, stream.windowBytes);
    writeU32(outbox.buffer, at + 4, stream.creditBytes);
    head.copy(outbox.buffer, at + 8, 0, first);
    outbox.commit(OPEN, first < length ? flags | MORE : flags, id, 8 + first);
    if (first < length) outbox.frame(MORE_HEAD, 0, id, head, first, length);
    // Nothing else is under way that could leave in the same message.
    if (this.streams.size === 1 && (flags & FIN) !== 0) outbox.flush();
  }

  /** Takes a finished stream out. */
  remove(stream: StreamFlow): void {
    this.streams.delete(stream.id);
    // The rest of its head never comes, or isn't wanted.
    if (this.partial?.id === stream.id) this.partial = null;
    stream.unbind();
    if (this.streams.size === this.options.maxStreams - 1) this.owner.capacityFreed();
    if (this.leaving && this.streams.size === 0) this.close(closeCode.goingAway, "finished");
  }

  /** Tells the agent that a stream is over and takes it out. */
  reset(stream: StreamFlow, code: number, reason: string): void {
    this.outbox.reset(stream.id, code, reason);
    this.remove(stream);
  }

  /** First request credit of the next stream: less when many are open, so that the agent's memory stays bounded. */
  get requestCreditBytes(): number {
    return this.streams.size <= sessionWindowBytes / initialWindowBytes ? initialWindowBytes : smallWindowBytes;
  }

  check(id: number): void {
    this.outbox.session(CHECK, Buffer.alloc(0), id);
  }

  /** No new streams; closes when the last one ends, or at the deadline. */
  goAway(message: GoAway): void {
    this.leaving = true;
    this.outbox.session(GO_AWAY, message);
    this.outbox.flush();
    if (this.streams.size === 0) this.close(closeCode.goingAway, message.reason);
  }

  /** Closes the WebSocket; `closed` follows. The agent sees what was sent before. */
  close(code: number, reason: string): void {
    if (this.ended) return;
    this.outbox.flush();
    this.closeReason ||= reason;
    this.socket.close(code, reason);
  }

  /** Called about once a second. */
  tick(now: number): void {
    if (!this.liveness.tick(now)) return this.socket.end(1006, "the agent went silent");
    this.bulkStreams = 0;
    if (this.streams.size === 0) return;
    for (const stream of this.streams.values()) {
      if (stream.movedMuch(now)) this.bulkStreams++;
      stream.onTick(now);
    }
  }

  /** A piece of a WebSocket message, `bytes[start..end)`. A peer that breaks the protocol loses this session only. */
  received(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    this.liveness.heard();
    try {
      this.frames.read(bytes, start, end, isLast);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(closeCode.protocol, error.message);
    }
  }

  drained(): void {
    this.owner.capacityFreed();
    // Not only when all has left: the socket would run dry before streams have more.
    if (this.socket.backlogBytes > congestedBytes / 2) return;
    this.congested = false;
    flushInTurns(this, this.streams, (stream) => stream.flushRequest());
  }

  /** The WebSocket is closed. */
  closed(code: number, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.leaving = true;
    this.outbox.close();
    const lost = [...this.streams.values()];
    this.streams.clear();
    for (const stream of lost) {
      stream.unbind();
      stream.onSessionLost();
    }
    this.owner.sessionClosed(this, this.closeReason || reason || `closed with ${code}`);
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.ended) return;
    if (id === 0 || type === CHECKED) return this.sessionFrame(type, id, bytes, start, end);
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) throw new ProtocolError("a frame names a stream that never was");
      return;
    }
    switch (type) {
      case HEAD:
        return this.head(stream, flags, bytes, start, end);
      case MORE_HEAD:
        return this.moreHead(stream, flags, bytes, start, end);
      case DATA:
        if (end > start) stream.onData(bytes, start, end);
        if ((flags & FIN) !== 0 && stream.session === this) stream.onEnd(null);
        return;
      case END:
        return stream.onEnd(end > start ? bytes.subarray(start, end) : null);
      case RESET:
        if (end - start < 2) throw new ProtocolError("a reset has no code");
        this.remove(stream);
        return stream.onReset(
          (bytes[start]! << 8) | bytes[start + 1]!,
          bytes.toString("utf8", start + 2, Math.min(end, start + 202)),
        );
      case WINDOW:
        if (end - start !== 4) throw new ProtocolError("a window update is not 4 bytes");
        return stream.onWindow(readU32(bytes, start));
      default:
        throw new ProtocolError(`an agent doesn't send frame type ${type}`);
    }
  }

  private head(stream: StreamFlow, flags: number, bytes: Buffer, start: number, end: number): void {
    if (end - start < 4) throw new ProtocolError("a head has no timing");
    const micros = readU32(bytes, start);
    if ((flags & MORE) === 0) return stream.onHead(bytes, start + 4, end, micros, (flags & FIN) !== 0);
    if (this.partial !== null) throw new ProtocolError("two heads are interleaved");
    // As much as it may become: pieces may be many and short.
    const whole = Buffer.allocUnsafeSlow(maxHeadBytes);
    this.partial = { id: stream.id, micros, flags, bytes: whole, length: bytes.copy(whole, 0, start + 4, end) };
  }

  private moreHead(stream: StreamFlow, flags: number, bytes: Buffer, start: number, end: number): void {
    const { partial } = this;
    if (partial === null || partial.id !== stream.id) throw new ProtocolError("a head goes on that never began");
    if (partial.length + end - start > maxHeadBytes) throw new ProtocolError("a head is too large");
    partial.length += bytes.copy(partial.bytes, partial.length, start, end);
    if ((flags & MORE) !== 0) return;
    this.partial = null;
    stream.onHead(partial.bytes, 0, partial.length, partial.micros, (partial.flags & FIN) !== 0);
  }

  private sessionFrame(type: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case PING:
        return this.liveness.answer(bytes, start, end);
      case PONG: {
        // No answer to a ping of ours, and harmless.
        if (end - start !== 8) return;
        const rttMs = performance.now() - bytes.readDoubleBE(start);
        if (rttMs >= 0 && rttMs < 60_000) this.rttMs = this.rttMs === null ? rttMs : Math.min(rttMs, this.rttMs * 1.5);
        return;
      }
      case CHECKED:
        return this.owner.checked(this, readJson<Checked>(bytes, start, end), id);
      case GO_AWAY:
        this.leaving = true;
        if (this.streams.size === 0) this.close(closeCode.goingAway, "the agent is leaving");
        return;
      default:
        throw new ProtocolError(`frame type ${type} doesn't belong to the session`);
    }
  }

  send(bytes: Buffer, start: number, end: number): void {
    if (this.ended) return;
    this.socket.sendBinary(bytes, start, end);
    if (this.socket.backlogBytes >= congestedBytes) this.congested = true;
  }
}
