// One live name: its sessions, the visitors that wait for one, its counters and what is known of the local service.

import type { LocalStatus, Ticket, TunnelCounters } from "../src/link/messages.ts";
import type { Checked, GoAway } from "../src/protocol/frames.ts";
import { type CaptureBudget, CaptureRing } from "./capture.ts";
import type { HttpStream } from "./http-stream.ts";
import type { Session, SessionOwner } from "./session.ts";

/** What a tunnel needs of its shard. */
export interface TunnelHost {
  readonly settings: {
    holdMs: number;
    holdMax: number;
    captureRequests: number;
    checkIntervalMs: number;
    maxConnectionsPerTunnel: number;
    requestTimeoutMs: number;
  };
  readonly captureBudget: CaptureBudget;
  readonly draining: boolean;
  sessionOpened(tunnel: Tunnel, session: Session): void;
  sessionClosed(tunnel: Tunnel, session: Session, reason: string): void;
  tunnelDropped(tunnel: Tunnel): void;
  localChanged(tunnel: Tunnel, status: LocalStatus): void;
  streamEnded(tunnel: Tunnel, stream: HttpStream): void;
}

const maxSlack = 32;

interface Waiting {
  stream: HttpStream;
  head: Buffer;
  until: number;
}

/** Created by the first ticket for a name (or by visitors who expect one), forgotten when main says so. */
export class Tunnel implements SessionOwner {
  readonly sessions: Session[] = [];
  readonly captures: CaptureRing;
  /** Open streams over all sessions, those that wait included. */
  streams = 0;
  private readonly waiting: Waiting[] = [];
  private last: Session | null = null;
  private isShared = false;
  private status: LocalStatus = { state: "unknown" };
  private answered = false;
  private nextCheckAt = 0;
  private readonly checks = new Map<number, { done(result: LocalStatus): void; until: number }>();
  private checkId = 1;
  private counters: TunnelCounters;
  private changed = false;

  constructor(
    private readonly host: TunnelHost,
    public ticket: Pick<Ticket, "tunnelId" | "name">,
  ) {
    this.captures = new CaptureRing(host.settings.captureRequests, host.captureBudget);
    this.counters = this.freshCounters();
  }

  get draining(): boolean {
    return this.host.draining;
  }

  /** Whether nobody has registered yet: visitors wait on the strength of an earlier registration. */
  get isExpected(): boolean {
    return this.ticket.tunnelId === "";
  }

  /** The registration that was expected has come. */
  adopt(ticket: Ticket): void {
    this.ticket = ticket;
    this.counters.tunnelId = ticket.tunnelId;
  }

  /** Whether all streams that a tunnel may hold are open. */
  get isFull(): boolean {
    return this.streams >= this.host.settings.maxConnectionsPerTunnel;
  }

  addSession(session: Session): void {
    this.sessions.push(session);
    this.agentsChanged();
    this.host.sessionOpened(this, session);
    if (this.sessions.length === 1) this.checkNow();
    this.admitWaiting();
  }

  /** Opens a stream whose head is `head[0..length)`, or lets it wait while an agent may come back; false: neither. */
  open(stream: HttpStream, head: Buffer, length: number): boolean {
    this.streams++;
    this.changed = true;
    const session = this.pick();
    if (session !== null) openHttp(session, stream, head, length);
    else if (!this.wait(stream, Buffer.from(head.subarray(0, length)))) {
      this.streams--;
      return false;
    }
    return true;
  }

  /** A stream lost its session before anything came back: another session gets it. */
  repeat(stream: HttpStream): boolean {
    const head = stream.options.capture.requestHead();
    if (head === null) return false;
    const session = this.pick();
    if (session !== null) openHttp(session, stream, head, head.length);
    else if (!this.wait(stream, Buffer.from(head))) return false;
    else stream.waitAgain();
    return true;
  }

  /**
   * The session that takes the next stream; null when none has room. Whoever took the last one takes the next as long as
   * others are not much less busy: requests that arrive together then leave in one message.
   */
  pick(): Session | null {
    const { sessions } = this;
    let best: Session | null = null;
    for (const session of sessions) {
      if (session.hasRoom && (best === null || session.streams.size < best.streams.size)) best = session;
    }
    const { last } = this;
    const stays = last !== null && best !== null && last.hasRoom && last.streams.size <= best.streams.size + this.slack;
    return stays ? last : (this.last = best);
  }

  /** How many streams more than the least busy session the last one may have. Agents that share a name take turns. */
  private get slack(): number {
    return this.isShared ? 0 : maxSlack;
  }

  /** Exactly once per HTTP stream that `open` took. */
  streamEnded(stream: HttpStream, error: string | null): void {
    this.streams--;
    const index = stream.session === null ? this.waiting.findIndex((one) => one.stream === stream) : -1;
    if (index >= 0) this.waiting.splice(index, 1);
    const { capture } = stream.options;
    capture.endedAt = performance.now();
    capture.status = stream.status;
    capture.bytesIn = stream.bytesIn;
    capture.bytesOut = stream.bytesOut;
    capture.error = error;
    this.count(stream.bytesIn, stream.bytesOut, stream.status);
    this.host.streamEnded(this, stream);
  }

  /** Adds to the counters; `status` 0 is no answered request (a TCP connection, a visitor that left). */
  count(bytesIn: number, bytesOut: number, status: number): void {
    const { counters } = this;
    counters.bytesIn += bytesIn;
    counters.bytesOut += bytesOut;
    this.changed = true;
    if (status === 0) return;
    counters.requests++;
    if (status < 300) counters.status2xx++;
    else if (status < 400) counters.status3xx++;
    else if (status < 500) counters.status4xx++;
    else counters.status5xx++;
  }

  connectionCame(): void {
    this.counters.connections++;
    this.changed = true;
  }

  /** Counters since the last call; null when nothing changed. */
  takeCounters(): TunnelCounters | null {
    if (this.answered) {
      this.answered = false;
      this.setStatus({
        state: "up",
        provenAtMs: Date.now(),
        connectMs: this.status.state === "up" ? this.status.connectMs : null,
      });
    }
    if (!this.changed) return null;
    const taken = this.counters;
    taken.local = this.status;
    taken.streams = this.streams;
    taken.rttMs = this.rttMs;
    this.counters = this.freshCounters();
    this.changed = false;
    return taken;
  }

  get rttMs(): number | null {
    let best: number | null = null;
    for (const { rttMs } of this.sessions) if (rttMs !== null && (best === null || rttMs < best)) best = rttMs;
    return best;
  }

  get localStatus(): LocalStatus {
    return this.status;
  }

  /** The local service sent an answer: proof that it is up. Cheap; looked at when counters are taken. */
  localAnswered(): void {
    this.answered = true;
  }

  localFailed(why: string): void {
    this.answered = false;
    const now = Date.now();
    const sinceMs = this.status.state === "down" ? this.status.sinceMs : now;
    this.setStatus({ state: "down", sinceMs, provenAtMs: now, why });
    this.nextCheckAt ||= performance.now() + this.host.settings.checkIntervalMs;
  }

  /** Asks the agent now; `done` (if any) gets the status, also when no answer came. */
  checkNow(done?: (status: LocalStatus) => void): boolean {
    const session = this.sessions.find((one) => !one.leaving);
    if (session === undefined) return false;
    const id = this.checkId++ & 0x7fffffff;
    if (this.checks.size < 64) this.checks.set(id, { done: done ?? (() => {}), until: performance.now() + 8_000 });
    session.check(id);
    return true;
  }

  checked(result: Checked, id: number): void {
    const check = this.checks.get(id);
    if (check === undefined) return;
    this.checks.delete(id);
    if (result.ok === true) {
      const connectMs = typeof result.ms === "number" && result.ms >= 0 ? result.ms : null;
      this.nextCheckAt = 0;
      this.setStatus({ state: "up", provenAtMs: Date.now(), connectMs });
    } else this.localFailed(typeof result.error === "string" ? result.error.slice(0, 200) : "no connection");
    check.done(this.status);
  }

  capacityFreed(): void {
    this.admitWaiting();
  }

  sessionClosed(session: Session, reason: string): void {
    const index = this.sessions.indexOf(session);
    if (index >= 0) this.sessions.splice(index, 1);
    this.agentsChanged();
    this.host.sessionClosed(this, session, reason);
  }

  /** Called about once a second. */
  tick(now: number): void {
    for (const session of [...this.sessions]) session.tick(now);
    while (this.waiting.length > 0 && this.waiting[0]!.until <= now)
      this.waiting[0]!.stream.fail("tunnel_offline", "no agent came back in time");
    for (const [id, check] of this.checks) {
      if (check.until > now) continue;
      this.checks.delete(id);
      check.done(this.status);
    }
    if (this.nextCheckAt !== 0 && now >= this.nextCheckAt) {
      this.nextCheckAt = now + this.host.settings.checkIntervalMs;
      this.checkNow();
    }
  }

  /** Nobody serves the name any more: those who wait are told. */
  close(): void {
    for (const { stream } of [...this.waiting]) stream.fail("tunnel_offline", "the tunnel was closed");
    this.captures.close();
    this.host.tunnelDropped(this);
  }

  /** The server is leaving. */
  goAway(message: GoAway): void {
    for (const session of [...this.sessions]) session.goAway(message);
  }

  private agentsChanged(): void {
    this.last = null;
    this.isShared = new Set(this.sessions.map(({ options }) => options.agentId)).size > 1;
  }

  private wait(stream: HttpStream, head: Buffer): boolean {
    const { holdMs, holdMax } = this.host.settings;
    if (this.host.draining || this.waiting.length >= holdMax) return false;
    this.waiting.push({ stream, head, until: performance.now() + holdMs });
    return true;
  }

  private admitWaiting(): void {
    while (this.waiting.length > 0) {
      const session = this.pick();
      if (session === null) return;
      const { stream, head } = this.waiting.shift()!;
      openHttp(session, stream, head, head.length);
    }
  }

  private setStatus(status: LocalStatus): void {
    const before = this.status.state;
    this.status = status;
    this.changed = true;
    if (before !== status.state) this.host.localChanged(this, status);
  }

  private freshCounters(): TunnelCounters {
    const zero = {
      requests: 0,
      connections: 0,
      bytesIn: 0,
      bytesOut: 0,
      status2xx: 0,
      status3xx: 0,
      status4xx: 0,
      status5xx: 0,
    };
    return { tunnelId: this.ticket.tunnelId, ...zero, rttMs: null, local: { state: "unknown" }, streams: 0 };
  }
}

function openHttp(session: Session, stream: HttpStream, head: Buffer, length: number): void {
  session.open(stream, stream.options.openFlags, head, length);
  stream.opened();
}
