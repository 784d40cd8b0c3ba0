// One WebSocket to the server, from the agent's side: frames, liveness, and its streams.

import {
  CHECK,
  CHECKED,
  closeCode,
  DATA,
  END,
  FIN,
  GO_AWAY,
  type GoAway,
  MORE,
  MORE_HEAD,
  NOTICE,
  type Notice,
  OPEN,
  PING,
  PONG,
  ProtocolError,
  readJson,
  readU32,
  REGISTERED,
  type Registered,
  RESET,
  resetCode,
  WINDOW,
} from "../../src/protocol/frames.ts";
import { FrameReader, type FrameSink } from "../../src/protocol/frame-reader.ts";
import { flushInTurns, type FlowSession, WindowBudget } from "../../src/protocol/flow.ts";
import { Liveness } from "../../src/protocol/liveness.ts";
import { Outbox, type OutboxSink } from "../../src/protocol/outbox.ts";
import type { SessionEvents, SessionSocket } from "../../src/protocol/session-socket.ts";
import { proxyFor } from "./proxy-env.ts";
import type { Refusal } from "./refusal.ts";
import { type DialEvents, SessionDial } from "./session-dial.ts";
import type { AgentStream, OpenFrame, SessionOwner } from "./session-owner.ts";

/** Above this much unsent, streams keep their bytes until the socket drains. */
const congestedBytes = 256 * 1024;
const openTimeoutMs = 15_000;
const maxStreams = 10_000;
/** Of a head, with all that the server adds. */
const maxOpenBytes = 128 * 1024;
/** How many of the server's intervals pass before an agent pings: the server, which has thousands of sessions, asks many in one go. */
const patience = 1.25;

export class AgentSession implements FrameSink, OutboxSink, FlowSession, SessionEvents, DialEvents {
  readonly outbox = new Outbox(this);
  readonly budget = new WindowBudget();
  readonly streams = new Map<number, AgentStream>();
  congested = false;
  isReady = false;
  /** Until the server has agreed. */
  private dial: SessionDial | null;
  /** From then on. */
  private socket: SessionSocket | null = null;
  private leaving = false;
  /** Ticks in a row at which nothing was left to do for one that leaves. */
  private doneTicks = 0;
  private over = false;
  private lastId = 0;
  private readonly frames = new FrameReader(this);
  private readonly liveness = new Liveness(this.outbox, 10_000 * patience, 25_000);
  private timer: ReturnType<typeof setInterval>;
  /** An OPEN whose head comes in pieces: `bytes[0..end)` of it. */
  private partial: (OpenFrame & { id: number; isReset: boolean }) | null = null;

  constructor(
    private readonly owner: SessionOwner,
    url: URL,
  ) {
    const proxy = proxyFor(url, process.env);
    this.dial = new SessionDial(url, proxy === false ? null : proxy, this);
    this.timer = setInterval(() => this.tick(performance.now()), 1_000);
  }

  /** `performance.now()` when the message came that is being read. */
  get heardAt(): number {
    return this.liveness.heardAt;
  }

  /** What its streams are told then is that they are lost. */
  get isOver(): boolean {
    return this.over;
  }

  /** A stream is over. */
  remove(id: number): void {
    this.streams.delete(id);
  }

  /** No new streams are wanted; ends when the last one has. */
  leave(deadlineMs: number): void {
    if (this.leaving || this.over) return;
    this.leaving = true;
    if (this.socket === null) return this.close(1000, "stopped");
    this.outbox.session(GO_AWAY, { reason: "the agent stops", deadlineMs, retryable: false } satisfies GoAway);
    this.outbox.flush();
  }

  close(code: number, reason: string): void {
    if (this.over) return;
    if (this.socket === null) return this.giveUp(code, reason);
    this.outbox.flush();
    this.socket.close(code, reason);
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.over) return;
    if (id === 0 || type === CHECK) return this.sessionFrame(type, id, bytes, start, end);
    if (type === OPEN) return this.open(flags, id, bytes, start, end);
    if (type === MORE_HEAD) return this.moreHead(flags, id, bytes, start, end);
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (id > this.lastId) throw new ProtocolError("a frame names a stream that never was");
      // What is left of its head comes nevertheless.
      if (type === RESET && this.partial?.id === id) this.partial.isReset = true;
      return;
    }
    switch (type) {
      case DATA:
        if (end > start) stream.onData(bytes, start, end);
        if ((flags & FIN) !== 0) stream.onEnd(null);
        return;
      case END:
        return stream.onEnd(end > start ? bytes.subarray(start, end) : null);
      case RESET:
        return stream.onReset(
          end - start < 2 ? resetCode.cancel : bytes.readUInt16BE(start),
          bytes.toString("utf8", start + 2, Math.min(end, start + 202)) || "the visitor left",
        );
      case WINDOW:
        if (end - start !== 4) throw new ProtocolError("a window update is not 4 bytes");
        return stream.onWindow(readU32(bytes, start));
      default:
        throw new ProtocolError(`a server doesn't send frame type ${type}`);
    }
  }

  private open(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id <= this.lastId || this.partial !== null) throw new ProtocolError("stream ids must rise");
    if (end - start < 8) throw new ProtocolError("an OPEN frame has no windows");
    this.lastId = id;
    const responseWindow = readU32(bytes, start);
    const requestWindow = readU32(bytes, start + 4);
    if ((flags & MORE) !== 0) {
      // As much as it may become: pieces may be many and short.
      const whole = Buffer.allocUnsafeSlow(maxOpenBytes);
      const length = bytes.copy(whole, 0, start + 8, end);
      const windows = { responseWindow, requestWindow };
      this.partial = { id, flags: flags & ~MORE, bytes: whole, start: 0, end: length, ...windows, isReset: false };
    } else this.begin(id, { flags, bytes, start: start + 8, end, responseWindow, requestWindow });
  }

  private moreHead(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { partial } = this;
    if (partial === null || partial.id !== id) throw new ProtocolError("a head goes on that never began");
    if (partial.end + end - start > maxOpenBytes) throw new ProtocolError("a head is too large");
    partial.end += bytes.copy(partial.bytes, partial.end, start, end);
    if ((flags & MORE) !== 0) return;
    this.partial = null;
    if (!partial.isReset) this.begin(id, partial);
  }

  private begin(id: number, open: OpenFrame): void {
    if (this.streams.size >= maxStreams)
      return this.outbox.reset(id, resetCode.refused, "the agent holds as many streams as it can");
    // The stream may end while it is made: then `remove` found nothing, and it must not be entered.
    const stream = this.owner.open(this, id, open);
    if (typeof stream === "string") return this.outbox.reset(id, resetCode.unreachable, stream);
    if (!stream.over) this.streams.set(id, stream);
  }

  private sessionFrame(type: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case PING:
        return this.liveness.answer(bytes, start, end);
      case PONG:
        return;
      case REGISTERED: {
        const registered = readJson<Registered>(bytes, start, end);
        const pingIntervalMs = clampMs(registered.pingIntervalMs, 10_000);
        this.liveness.pingAfterMs = pingIntervalMs * patience;
        this.liveness.deadAfterMs = Math.max(clampMs(registered.deadAfterMs, 25_000), pingIntervalMs * 1.5);
        this.isReady = true;
        return this.owner.ready(this, registered);
      }
      case NOTICE: {
        const notice = readJson<Notice>(bytes, start, end);
        return this.owner.notice(String(notice.message).slice(0, 500));
      }
      case GO_AWAY: {
        const message = readJson<GoAway>(bytes, start, end);
        this.leaving = true;
        return this.owner.goAway(this, message);
      }
      case CHECK:
        void this.owner.check().then((checked) => {
          if (!this.over) this.outbox.session(CHECKED, checked, id);
        });
        return;
      default:
        throw new ProtocolError(`frame type ${type} doesn't belong to the session`);
    }
  }

  // Events of the dial and of the socket.

  opened(socket: SessionSocket): void {
    this.dial = null;
    this.socket = socket;
    this.liveness.heard();
    socket.start(this);
  }

  failed(reason: string, refusal: Refusal | null): void {
    this.end(1006, reason, refusal);
  }

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
    if (this.socket === null || this.socket.backlogBytes > congestedBytes / 2) return;
    this.congested = false;
    flushInTurns(this, this.streams, (stream) => stream.flush());
  }

  closed(code: number, reason: string): void {
    this.end(code, reason, null);
  }

  private tick(now: number): void {
    if (this.socket !== null) {
      if (!this.liveness.tick(now)) this.socket.end(1006, "the server went silent");
      else this.closeIfDone();
    } else if (this.liveness.silentMs(now) > openTimeoutMs)
      this.giveUp(1006, "the server did not open a session in time");
  }

  /** The server closes a session that leaves, as only it knows which OPEN is still on its way. One that doesn't is not waited for. */
  private closeIfDone(): void {
    const isDone = this.leaving && this.streams.size === 0 && this.partial === null;
    this.doneTicks = isDone ? this.doneTicks + 1 : 0;
    if (this.doneTicks > 1) this.close(1000, "finished");
  }

  private giveUp(code: number, reason: string): void {
    this.dial?.abort();
    this.end(code, reason, null);
  }

  send(bytes: Buffer, start: number, end: number): void {
    if (this.socket === null) return;
    this.socket.sendBinary(bytes, start, end);
    if (this.socket.backlogBytes >= congestedBytes) this.congested = true;
  }

  private end(code: number, reason: string, refusal: Refusal | null): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    this.outbox.close();
    const lost = [...this.streams.values()];
    this.streams.clear();
    const why = this.leaving ? "there was no more time to finish" : "the connection to the server was lost";
    for (const stream of lost) stream.onReset(resetCode.cancel, why);
    this.owner.closed(this, code, reason, refusal);
  }
}

function clampMs(value: unknown, otherwise: number): number {
  return typeof value === "number" && value >= 10 && value <= 600_000 ? value : otherwise;
}
