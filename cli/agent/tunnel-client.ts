// Keeps one tunnel up: registers, opens its sessions, replaces lost ones, and tries again for as long as that can help.

import { createBackoff } from "../../src/lib/backoff.ts";
import type { Lanes } from "../../src/lib/lanes.ts";
import type { GoAway } from "../../src/protocol/frames.ts";
import { replaceHost } from "./host-header.ts";
import { type ExchangeHost, type ExchangeReport, LocalExchange } from "./local-exchange.ts";
import { LocalService } from "./local-service.ts";
import type { Recording } from "../inspector/recording.ts";
import { lossText, redirected, type Refusal, refusedClose } from "./refusal.ts";
import { register, type Registration } from "./register.ts";
import { AgentSession } from "./session.ts";
import type { AgentStream, OpenFrame, SessionOwner } from "./session-owner.ts";
import { TunnelNews } from "./tunnel-news.ts";
import type { AgentEnd, AgentOptions, TunnelSpec } from "./types.ts";

/** Identity of this agent process. */
export interface AgentIdentity {
  agentId: string;
  /** A number higher than any before it from this agent. */
  nextGeneration(): number;
}

/** Whatever the server says. */
const mostSessions = 8;
/** One that is set to more rings at once. */
const longestTimerMs = 2 ** 31 - 1;
/** How long a closing handshake may take. */
const closeMs = 1_000;
/** A tunnel that was up for so long starts the waiting times anew. */
const stableMs = 1_000;

export class TunnelClient implements SessionOwner, ExchangeHost {
  /** Resolves when the tunnel is given up or stopped. */
  readonly done: Promise<AgentEnd>;
  readonly local: LocalService;
  private readonly news: TunnelNews;
  private readonly sessions = new Set<AgentSession>();
  /** The server has said good-bye to them; what runs on them may finish. */
  private readonly drained = new Set<AgentSession>();
  private readonly backoff = createBackoff({ minMs: 250, maxMs: 30_000 });
  private readonly finish: (end: AgentEnd) => void;
  private registration: Registration | null = null;
  private generation = 0;
  /** Sessions that there should be, as the last start was granted. */
  private wanted = 1;
  /** `performance.now()` since when there has been a session; 0 = there is none. */
  private upSince = 0;
  private stopping = false;
  private working = false;
  /** A session was lost while a registration was under way. */
  private hasLostMore = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private isPatient = false;
  private lostReason = "";
  /** A session of this start was refused for good, and those on their way decide whether that is the end. */
  private undecided: Refusal | null = null;

  constructor(
    private readonly options: AgentOptions,
    private readonly spec: TunnelSpec,
    private readonly identity: AgentIdentity,
    /** Registrations take their turns in it. */
    private readonly inLane: Lanes,
    /** Tells what is the same for all tunnels. */
    private readonly noticeOnce: (message: string) => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<AgentEnd>();
    this.done = promise;
    this.finish = resolve;
    this.local = new LocalService(spec, (...status) => this.news.localStatus(...status));
    this.news = new TunnelNews((event) => options.onEvent(event), spec, this.local.label);
    void this.connect();
  }

  /** Says good-bye; streams get `graceMs` to finish. */
  async stop(graceMs: number): Promise<void> {
    if (!this.stopping) await this.end({ reason: "stopped" }, graceMs);
  }

  private async end(end: AgentEnd, graceMs: number): Promise<void> {
    this.stopping = true;
    if (this.timer !== null) clearTimeout(this.timer);
    for (const session of this.everySession) session.leave(graceMs);
    await this.allClosed(graceMs);
    for (const session of this.everySession) session.close(1000, "stopped");
    // Until the server has heard it, it would still send requests here.
    await this.allClosed(closeMs);
    this.local.pool.close();
    this.finish(end);
  }

  private async allClosed(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (this.sessions.size + this.drained.size > 0 && performance.now() < deadline) await Bun.sleep(5);
  }

  private get everySession(): AgentSession[] {
    return [...this.sessions, ...this.drained];
  }

  // SessionOwner

  ready(): void {
    this.upSince ||= performance.now();
    const { registration } = this;
    if (registration === null) return;
    if (this.news.isUp) this.tellSessions(registration.url);
    else this.news.up(registration);
    const refusal = this.takeUndecided();
    if (refusal !== null) this.notAdmitted(refusal);
  }

  open(session: AgentSession, id: number, open: OpenFrame): AgentStream | string {
    const { host } = this.local;
    if (this.spec.protocol === "tcp") {
      const why = this.local.refuses(open);
      if (why !== null) return why;
    } else if (host !== null) {
      const head = replaceHost(open.bytes.subarray(open.start, open.end), host);
      return new LocalExchange(this, session, id, { ...open, bytes: head, start: 0, end: head.length });
    }
    return new LocalExchange(this, session, id, open);
  }

  // ExchangeHost

  get wantsReports(): boolean {
    return this.options.requests !== false;
  }

  record(open: OpenFrame): Recording | null {
    return this.options.recorder?.begin({ url: this.news.url ?? "", local: this.local }, open) ?? null;
  }

  check() {
    return this.local.check();
  }

  notice(message: string): void {
    this.news.notice(message);
  }

  goAway(session: AgentSession, message: GoAway): void {
    // New streams need a session elsewhere (or the server's next start).
    if (!this.sessions.delete(session)) return;
    this.drained.add(session);
    this.lostReason = lossText(message.reason);
    this.sessionGone(message.retryable ? 0 : 5_000);
  }

  closed(session: AgentSession, code: number, reason: string, refusal: Refusal | null): void {
    this.drained.delete(session);
    if (!this.sessions.delete(session)) return;
    if (refusal !== null) return this.notAdmitted(refusal);
    const end = refusedClose(code, reason);
    if (end !== null) return this.refused(end);
    this.lostReason = lossText(reason) || `the connection closed (${code})`;
    this.sessionGone(0);
  }

  /** A session was refused. Others may have come from another address (IPv6 beside IPv4): while one is there, or on its way, it is no end. */
  private notAdmitted(refusal: Refusal): void {
    if (this.stopping) return;
    if (!refusal.retryable) {
      if (this.sessions.size === 0) return this.refused(refusal);
      if (this.openSessions() === 0) return void (this.undecided = refusal);
      this.notice(refusal.message);
    }
    this.lostReason = refusal.message;
    this.sessionGone(refusal.retryable ? (refusal.retryAfterMs ?? 0) : 30_000, false);
  }

  private takeUndecided(): Refusal | null {
    const { undecided } = this;
    this.undecided = null;
    return undecided;
  }

  /** A session is gone; `hasStood` false: it never was. The next is asked for after `leastMs`. */
  private sessionGone(leastMs: number, hasStood = true): void {
    const { registration } = this;
    if (this.stopping || registration === null) return;
    // A server that takes sessions and drops them at once must not be asked four times a second for ever.
    if (hasStood && this.upSince > 0 && performance.now() - this.upSince >= stableMs) this.backoff.reset();
    // The next registration is a new start: it takes over from whatever the server still believes to be alive.
    if (this.sessions.size === 0) {
      this.generation = 0;
      const refusal = this.takeUndecided();
      if (refusal !== null) this.notice(refusal.message);
    }
    const isDown = this.openSessions() === 0;
    if (isDown) this.upSince = 0;
    if (isDown && this.news.isUp) this.news.down(registration.url, this.lostReason);
    else if (this.news.isUp) this.tellSessions(registration.url);
    this.retry(this.lostReason, leastMs, leastMs > 0 && !isDown);
  }

  /** `isPatient`: so late only because another session stands. */
  private retry(reason: string, leastMs = 0, isPatient = false): void {
    if (this.working) this.hasLostMore = true;
    if (this.stopping || this.working) return;
    if (this.timer !== null) {
      if (!this.isPatient || this.openSessions() > 0) return;
      clearTimeout(this.timer);
    }
    this.isPatient = isPatient;
    // Taken here: sessions that are lost together are one failure, not several.
    const inMs = Math.min(longestTimerMs, Math.max(leastMs, this.backoff.next()));
    if (this.openSessions() === 0) this.news.retry(inMs, reason);
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.connect();
    }, inMs);
  }

  private async connect(): Promise<void> {
    this.working = true;
    await this.inLane(() => this.registerAndDial());
  }

  private async registerAndDial(): Promise<void> {
    // While it waited.
    if (this.stopping) return;
    this.hasLostMore = false;
    const generation = (this.generation ||= this.identity.nextGeneration());
    const { agentId } = this.identity;
    const subdomain = this.spec.subdomain ?? (this.registration?.subdomain || null);
    const isStart = this.sessions.size === 0;
    const answer = await register(this.options, {
      agentId,
      generation,
      subdomain,
      port: this.registration?.port ?? null,
      spec: this.spec,
      target: this.local.label,
      connections: isStart ? this.options.connections : Math.max(1, this.wanted - this.sessions.size),
    });
    this.working = false;
    const { hasLostMore } = this;
    this.hasLostMore = false;
    if (this.stopping) return;
    // A server that was right once still is: a captive portal and a page of maintenance go away.
    const isMeanwhile = "code" in answer && answer.code === redirected && this.registration !== null;
    if ("code" in answer) return this.refused(isMeanwhile ? { ...answer, retryable: true } : answer);
    this.registration = answer;
    // If all were lost meanwhile: those that begin now are of this one, and a newer one would end them.
    this.generation = generation;
    if (isStart) this.granted(Math.min(answer.tickets.length, mostSessions));
    for (const ticket of answer.tickets.slice(0, Math.max(0, this.wanted - this.sessions.size))) {
      const url = new URL(answer.sessionPath, this.options.server.replace(/^http/, "ws"));
      url.searchParams.set("ticket", ticket);
      this.sessions.add(new AgentSession(this, url));
    }
    if (this.sessions.size === 0) this.retry("the server gave no session");
    else if (hasLostMore) this.retry(this.lostReason);
  }

  private granted(sessions: number): void {
    this.wanted = sessions;
    const asked = this.options.connections ?? 0;
    if (sessions === 0 || sessions >= asked) return;
    const allowed = sessions === 1 ? "1 connection" : `${sessions} connections`;
    this.noticeOnce(`The server allows ${allowed} per tunnel; ${asked} were asked for.`);
  }

  private refused(refusal: Refusal): void {
    if (this.stopping) return;
    if (refusal.retryable) return this.retry(refusal.message, refusal.retryAfterMs ?? 0);
    const { code, message } = refusal;
    // First: whoever hears of it may stop the agent.
    void this.end({ reason: "refused", code, message }, 0);
    this.news.refused(code, message);
  }

  report(report: ExchangeReport): void {
    this.news.request(this.registration?.url ?? "", report);
  }

  private tellSessions(url: string): void {
    this.news.sessions(url, this.openSessions(), this.wanted);
  }

  private openSessions(): number {
    let count = 0;
    for (const session of this.sessions) if (session.isReady) count++;
    return count;
  }
}
