// One live name: its sessions, and which of them takes a visitor's request.

import type { LocalStatus, Ticket, TunnelCounters } from "../src/link/messages.ts";
import type { Checked, GoAway } from "../src/protocol/frames.ts";
import { type CaptureBudget, CaptureRing } from "./capture.ts";
import { HttpStream } from "./http-stream.ts";
import { type CheckedService, LocalHealth } from "./local-health.ts";
import type { Session, SessionOwner } from "./session.ts";
import { SessionChoice } from "./session-choice.ts";
import type { Leaving, StreamFlow } from "./stream-flow.ts";
import { TrafficCounters } from "./traffic-counters.ts";
import { WaitingStreams } from "./waiting-streams.ts";

const noPlace = "no agent, and no room to wait";

/** What a tunnel needs of its shard. */
export interface TunnelHost {
  readonly settings: {
    holdMs: number;
    holdMax: number;
    captureRequests: number;
    checkIntervalMs: number;
    maxConnectionsPerTunnel: number;
    requestTimeoutMs: number;
    serverTiming: boolean;
  };
  readonly captureBudget: CaptureBudget;
  readonly draining: boolean;
  sessionOpened(tunnel: Tunnel, session: Session): void;
  sessionClosed(tunnel: Tunnel, session: Session, reason: string): void;
  localChanged(tunnel: Tunnel, status: LocalStatus): void;
  /** A stream of an organization came (1) or went (-1). */
  streamCounted(orgId: string | null, change: 1 | -1): void;
  streamEnded(tunnel: Tunnel, stream: HttpStream): void;
}

/** Created by the first ticket for a name (or by visitors who expect one), forgotten when main says so. */
export class Tunnel implements SessionOwner, CheckedService {
  readonly sessions: Session[] = [];
  /** Made with the first request. */
  private ring: CaptureRing | null = null;
  /** Open streams over all sessions, those that wait included. */
  streams = 0;
  readonly health: LocalHealth;
  /** Made with the first stream that waits. */
  private waiting: WaitingStreams | null = null;
  private readonly choice = new SessionChoice(this.sessions);
  private readonly counters = new TrafficCounters();
  private toldRttMs: number | null = null;

  constructor(
    private readonly host: TunnelHost,
    public ticket: Pick<Ticket, "tunnelId" | "name">,
  ) {
    this.health = new LocalHealth(this);
  }

  /** The last requests. */
  get captures(): CaptureRing {
    return (this.ring ??= new CaptureRing(this.host.settings.captureRequests, this.host.captureBudget));
  }

  get draining(): boolean {
    return this.host.draining;
  }

  get requestTimeoutMs(): number {
    return this.host.settings.requestTimeoutMs;
  }

  /** Whether answers say where their time went. */
  get serverTiming(): boolean {
    return this.host.settings.serverTiming;
  }

  /** Whether nobody has registered yet: visitors wait on the strength of an earlier registration. */
  get isExpected(): boolean {
    return this.ticket.tunnelId === "";
  }

  /** The registration that was expected has come. */
  adopt(ticket: Tunnel["ticket"]): void {
    this.ticket = ticket;
  }

  /** Whether all streams that may be open are: those of a tunnel, or those of the sessions that stand. */
  get isFull(): boolean {
    return this.streams >= this.host.settings.maxConnectionsPerTunnel || this.hasFullSessions;
  }

  /** Agents are here, and none has room. One that is leaving is not here: another may come for it. */
  private get hasFullSessions(): boolean {
    let isHere = false;
    const { sessions } = this;
    for (let i = 0; i < sessions.length; i++) {
      if (sessions[i]!.hasRoom) return false;
      isHere ||= !sessions[i]!.leaving;
    }
    return isHere;
  }

  addSession(session: Session): void {
    const { agentId } = session.options;
    const isNew = !this.sessions.some(({ options }) => options.agentId === agentId);
    this.sessions.push(session);
    this.choice.changed();
    this.host.sessionOpened(this, session);
    if (isNew) this.health.check();
    this.admitWaiting();
  }

  /** At `now`: opens a stream whose head is `head[0..length)`, lets it wait while an agent may come back, or fails it at once. Not while `isFull`. */
  open(stream: HttpStream, head: Buffer, length: number, now: number): void {
    this.streams++;
    this.counters.changed = true;
    this.host.streamCounted(stream.orgId, 1);
    if (!this.place(stream, head, length, now)) stream.fail("tunnel_offline", noPlace);
  }

  /** A TCP connection came: its stream is opened, or waits as above, or fails at once. `connectionClosed` follows. */
  connectionOpened(stream: StreamFlow, head: Buffer): void {
    this.streams++;
    this.counters.addConnection();
    if (!this.place(stream, head, head.length, performance.now())) stream.fail("tunnel_offline", noPlace);
  }

  connectionClosed(stream: StreamFlow): void {
    this.streams--;
    this.waiting?.remove(stream);
    this.counters.addEnded(stream, 0);
  }

  private place(stream: StreamFlow, head: Buffer, length: number, now: number): boolean {
    const session = this.pick();
    if (session === null) return this.wait(stream, Buffer.from(head.subarray(0, length)));
    begin(session, stream, head, length, now);
    return true;
  }

  /** A stream lost its session before anything came back: another session gets it. */
  repeat(stream: HttpStream): boolean {
    const head = stream.capture.requestHead();
    if (head === null) return false;
    const session = this.pick();
    if (session !== null) begin(session, stream, head, head.length, performance.now());
    else if (!this.wait(stream, Buffer.from(head))) return false;
    else stream.waitAgain();
    return true;
  }

  /** The session that takes the next stream; null when none has room. */
  pick(): Session | null {
    return this.choice.pick();
  }

  /** Exactly once per HTTP stream that `open` took. */
  streamEnded(stream: HttpStream, error: string | null, now: number): void {
    this.streams--;
    this.host.streamCounted(stream.orgId, -1);
    if (stream.session === null) this.waiting?.remove(stream);
    const { capture } = stream;
    capture.endedAt = now;
    capture.status = stream.status;
    capture.bytesIn = stream.bytesIn;
    capture.bytesOut = stream.bytesOut;
    capture.error = error;
    this.counters.addEnded(stream, stream.status);
    this.host.streamEnded(this, stream);
  }

  /** Counters since the last call; null when nothing changed. */
  takeCounters(): TunnelCounters | null {
    const { rttMs, streams } = this;
    // A download of an hour shows while it runs.
    if (streams > 0)
      for (const session of this.sessions)
        for (const stream of session.streams.values()) this.counters.addMoved(stream);
    if (!this.health.settle() && !this.counters.changed && !isOther(rttMs, this.toldRttMs)) return null;
    this.toldRttMs = rttMs;
    return this.counters.take({ tunnelId: this.ticket.tunnelId, rttMs, local: this.health.status, streams });
  }

  /** Whose requests are under way, those that wait included. */
  visitors(): HttpStream[] {
    const inside = [this.waiting?.all() ?? [], ...this.sessions.map(({ streams }) => [...streams.values()])].flat();
    return inside.filter((stream) => stream instanceof HttpStream);
  }

  get rttMs(): number | null {
    let best: number | null = null;
    for (const { rttMs } of this.sessions) if (rttMs !== null && (best === null || rttMs < best)) best = rttMs;
    return best;
  }

  checked({ options }: Pick<Session, "options">, result: Checked, id: number): void {
    this.health.checked(result, id, this.isShared ? ` (of the agent at ${options.address})` : "");
  }

  /** For `health`. */
  get checkIntervalMs(): number {
    return this.host.settings.checkIntervalMs;
  }

  get isShared(): boolean {
    return this.choice.isShared;
  }

  sendCheck(id: number): number {
    const asked = new Set<string>();
    for (const session of this.sessions) {
      const { agentId } = session.options;
      if (session.leaving || asked.has(agentId)) continue;
      asked.add(agentId);
      session.check(id);
    }
    return asked.size;
  }

  healthChanged(status: LocalStatus): void {
    this.counters.changed = true;
    this.host.localChanged(this, status);
  }

  capacityFreed(): void {
    this.admitWaiting();
  }

  sessionClosed(session: Session, reason: string): void {
    const index = this.sessions.indexOf(session);
    if (index >= 0) this.sessions.splice(index, 1);
    this.choice.changed();
    this.host.sessionClosed(this, session, reason);
  }

  /** Called about once a second. */
  tick(now: number): void {
    // From the end, because a tick may close its session; without a copy, because thousands of tunnels are looked at each second.
    const { sessions } = this;
    for (let i = sessions.length - 1; i >= 0; i--) sessions[i]?.tick(now);
    this.waiting?.expire(now, this.hasFullSessions);
    this.health.tick(now);
  }

  /** Nobody serves the name any more: those who wait, for an agent or for a check, are told. */
  close(): void {
    this.waiting?.close();
    this.health.close();
    this.captures.close();
  }

  /** The server is leaving: whoever waits will find nobody here any more. */
  goAway(message: GoAway): void {
    this.waiting?.close();
    for (const session of [...this.sessions]) session.goAway(message);
  }

  /** The server is leaving: streams that have no end of their own get one. */
  endQuiet(leaving: Leaving): void {
    for (const { streams } of [...this.sessions])
      for (const stream of [...streams.values()]) stream.endIfQuiet(leaving);
  }

  private wait(stream: StreamFlow, head: Buffer): boolean {
    if (this.host.draining) return false;
    this.waiting ??= new WaitingStreams(this.host.settings);
    return this.waiting.add(stream, head);
  }

  private admitWaiting(): void {
    const { waiting } = this;
    while (waiting !== null && waiting.size > 0) {
      const session = this.pick();
      if (session === null) return;
      const { stream, head } = waiting.shift()!;
      begin(session, stream, head, head.length, performance.now());
    }
  }
}

function begin(session: Session, stream: StreamFlow, head: Buffer, length: number, now: number): void {
  session.open(stream, head, length, now);
  stream.opened();
}

/** Whether a round trip is worth a report by itself: each ping of each idle tunnel is not. */
function isOther(rttMs: number | null, toldMs: number | null): boolean {
  if (rttMs === null || toldMs === null) return rttMs !== toldMs;
  return Math.abs(rttMs - toldMs) > Math.max(1, toldMs / 2);
}
