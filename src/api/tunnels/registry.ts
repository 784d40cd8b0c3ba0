// The registry of live tunnels on main: registrations, what shards tell of sessions, grace, and what must close.

import { publicUrl, type Config } from "../../config/config.ts";
import { refreshCredential, agentRanges } from "./credential.ts";
import type { Change } from "../../db/changes.ts";
import type { Database } from "../../db/database.ts";
import { closeTunnel, insertTunnel, listLeases, removeLease, setLeaseEnd } from "../../db/leases.ts";
import { AppError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { DisconnectReason, LocalStatus, ShardEvent, TunnelCounters } from "../../link/messages.ts";
import type { ShardLink, ShardListener } from "../../link/shard-link.ts";
import { shardOf } from "../../link/shard-of.ts";
import type { Audit, LiveTunnels, TunnelSelector } from "../deps.ts";
import { NameDirectory, type PolicyCompiler } from "./directory.ts";
import { LeaseTable } from "./lease-table.ts";
import { type AgentBinding, isActive, type Lease, noTotals, sessionsOf } from "./lease.ts";
import { register, type Registered, type RegisterRequest } from "./register.ts";

export interface RegistryDeps {
  db: Database;
  audit: Pick<Audit, "record">;
  config: Config;
  link: ShardLink;
  policies: PolicyCompiler;
  log: Logger;
  nowMs: () => number;
}

/** A tunnel as lists show it. */
export interface LiveTunnel {
  id: string;
  name: string;
  url: string;
  kind: "http" | "tcp";
  state: Lease["state"];
  accountId: string | null;
  keyId: string | null;
  orgId: string | null;
  appId: string | null;
  openedAtMs: number | null;
  awaySinceMs: number | null;
  agents: { agentId: string; version: string; address: string; actorName: string; sessions: number }[];
  sessions: number;
  rttMs: number | null;
  streams: number;
  local: LocalStatus;
  totals: Lease["totals"];
}

type Heard = Pick<ShardListener, "onReady" | "onReplaced" | "onEvents" | "onCounters">;

const sweepMs = 500;

export class TunnelRegistry implements LiveTunnels, Heard {
  private readonly leases: LeaseTable;
  private readonly directory: NameDirectory;
  private timer: ReturnType<typeof setInterval> | null = null;
  private unsubscribe: (() => void) | null = null;
  /** Changes are applied one after the other. */
  private applying: Promise<void> = Promise.resolve();

  constructor(private readonly deps: RegistryDeps) {
    const { db, link, policies, config } = deps;
    this.directory = new NameDirectory({ db: db.kysely, link, policies });
    this.leases = new LeaseTable(config, (name) => this.directory.isApplication(name));
  }

  /** Reads applications and the leases of an earlier life, whose agents get the grace period to come back. */
  async start(): Promise<void> {
    const { db, config } = this.deps;
    this.unsubscribe = db.changes.subscribe((changes) => this.applyLater(changes));
    await this.directory.load();
    const nowMs = this.deps.nowMs();
    for (const row of await listLeases(db.kysely)) {
      const freeAtMs = row.free_at ?? nowMs + config.graceMs;
      if (freeAtMs <= nowMs) continue;
      const lease: Lease = {
        ...{
          name: row.name,
          kind: row.kind,
          tunnelId: row.tunnel_id,
          holderId: row.holder_id,
          accountId: row.account_id,
        },
        ...{
          keyId: row.key_id,
          orgId: row.org_id,
          appId: row.app_id,
          random: row.random === 1,
          takenAtMs: row.taken_at,
        },
        port: row.kind === "tcp" ? Number(row.name.slice("tcp:".length)) : null,
        pool: false,
        state: row.free_at === null || row.random === 0 ? "away" : "kept",
        openedAtMs: null,
        awaySinceMs: nowMs,
        freeAtMs,
        agents: new Map(),
        totals: { ...noTotals },
        rttMs: null,
        streams: 0,
        local: { state: "unknown" },
      };
      this.leases.restore(lease);
      if (lease.state !== "away") continue;
      await this.directory.lease(lease);
      this.directory.hold(lease.name, freeAtMs);
    }
    this.timer = setInterval(() => this.sweep(), sweepMs);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.unsubscribe?.();
  }

  /** Registers an agent; refusals are audited and returned as errors. */
  async register(request: RegisterRequest & { requestId: string }): Promise<Registered | AppError> {
    const { db, config, link } = this.deps;
    const { leases, directory } = this;
    const { credential, result, lease } = await register(
      { db, config, link, leases, directory, nowMs: this.deps.nowMs },
      request,
    );
    const isRefused = result instanceof AppError;
    if (isRefused) {
      this.deps.audit.record({
        action: "tunnel.refused",
        success: false,
        reason: result.code,
        authType: credential?.kind ?? null,
        orgId: credential?.orgId ?? null,
        appId: credential?.appId ?? null,
        actorId: credential?.accountId ?? null,
        actorName: credential?.actorName ?? null,
        keyId: credential?.keyId ?? null,
        address: request.address,
        identity: request.body.subdomain ?? null,
        requestId: request.requestId,
      });
    } else if (lease?.openedAtMs === null) {
      this.deps.log.debug("a tunnel was registered", { name: lease.name, address: request.address });
    }
    return result;
  }

  /** Gives a tunnel up for its holder: DELETE /_tunnel/{id}. False: it isn't theirs, or there is none. */
  release(tunnelId: string, holderId: string): boolean {
    const lease = this.leases.byTunnelId(tunnelId);
    if (lease === undefined || lease.holderId !== holderId) return false;
    this.send(lease, { type: "disconnect", tunnelId, agentId: null, reason: "released" });
    this.free(lease);
    return true;
  }

  live(): LiveTunnel[] {
    return [...this.leases.all()].filter((lease) => lease.state !== "kept").map((lease) => this.view(lease));
  }

  find(tunnelId: string): LiveTunnel | null {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined || lease.state === "kept" ? null : this.view(lease);
  }

  count(): number {
    let count = 0;
    for (const lease of this.leases.all()) if (lease.state === "live") count++;
    return count;
  }

  async disconnect(what: TunnelSelector, reason: DisconnectReason): Promise<void> {
    for (const lease of [...this.leases.all()]) {
      if (what.tunnelId !== undefined && what.tunnelId !== lease.tunnelId) continue;
      if (what.appId !== undefined && what.appId !== lease.appId) continue;
      for (const agent of [...lease.agents.values()]) {
        const { accountId, keyId, orgId } = agent.credential;
        if (what.accountId !== undefined && what.accountId !== accountId) continue;
        if (what.keyId !== undefined && what.keyId !== keyId) continue;
        if (what.orgId !== undefined && what.orgId !== orgId) continue;
        this.closeAgent(lease, agent, reason);
      }
    }
  }

  /** Whether the local service behind a tunnel answers now; null when the tunnel has no session. */
  async check(tunnelId: string): Promise<LocalStatus | null> {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined ? null : this.deps.link.check(this.shardOf(lease), tunnelId);
  }

  /** What the shards of tunnels are asked for, by tunnel: see ShardLink.requests. */
  shardOfTunnel(tunnelId: string): number | null {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined ? null : this.shardOf(lease);
  }

  // From the shards.

  onReady(shard: number): void {
    this.directory.snapshot(shard);
  }

  onReplaced(shard: number): void {
    for (const lease of this.leases.all()) {
      if (this.shardOf(lease) !== shard || !isActive(lease)) continue;
      for (const agent of lease.agents.values()) Object.assign(agent, { sessions: 0, tickets: 0 });
      this.goAway(lease, "the server's shard was replaced");
    }
  }

  onEvents(_shard: number, events: ShardEvent[]): void {
    for (const event of events) {
      if (event.type === "session.opened") this.sessionOpened(event);
      else if (event.type === "session.closed") this.sessionClosed(event);
      else if (event.type === "local.status") {
        const lease = this.leases.byTunnelId(event.tunnelId);
        if (lease !== undefined) lease.local = event.status;
      }
    }
  }

  onCounters(_shard: number, counters: TunnelCounters[]): void {
    for (const one of counters) {
      const lease = this.leases.byTunnelId(one.tunnelId);
      if (lease === undefined) continue;
      const { totals } = lease;
      for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += one[key];
      lease.rttMs = one.rttMs;
      lease.streams = one.streams;
      lease.local = one.local;
    }
  }

  private sessionOpened(event: Extract<ShardEvent, { type: "session.opened" }>): void {
    const lease = this.leases.byTunnelId(event.tunnelId);
    const agent = lease?.agents.get(event.agentId);
    if (lease === undefined || agent === undefined || agent.generation !== event.generation) return;
    agent.sessions++;
    agent.tickets = Math.max(0, agent.tickets - 1);
    if (lease.state === "live") return;
    this.leases.setState(lease, "live", { awaySinceMs: null, freeAtMs: null });
    this.directory.hold(lease.name, 0);
    this.store(setLeaseEnd(this.deps.db.kysely, { name: lease.name, tunnelId: lease.tunnelId, freeAtMs: null }));
    if (lease.openedAtMs !== null) return;
    lease.openedAtMs = event.atMs;
    this.audit("tunnel.opened", lease, agent, { address: event.address, atMs: event.atMs });
    this.store(this.insertHistory(lease, agent));
  }

  private sessionClosed(event: Extract<ShardEvent, { type: "session.closed" }>): void {
    const lease = this.leases.byTunnelId(event.tunnelId);
    const agent = lease?.agents.get(event.agentId);
    if (lease === undefined || agent === undefined || agent.generation !== event.generation) return;
    agent.sessions = Math.max(0, agent.sessions - 1);
    if (lease.state === "live" && sessionsOf(lease) === 0) this.goAway(lease, event.reason);
  }

  private goAway(lease: Lease, reason: string): void {
    const nowMs = this.deps.nowMs();
    const freeAtMs = nowMs + this.deps.config.graceMs;
    this.leases.setState(lease, "away", { awaySinceMs: nowMs, freeAtMs });
    lease.streams = 0;
    this.directory.hold(lease.name, freeAtMs);
    this.store(setLeaseEnd(this.deps.db.kysely, { name: lease.name, tunnelId: lease.tunnelId, freeAtMs }));
    this.deps.log.debug("a tunnel lost its last session", { name: lease.name, reason });
  }

  /** The grace period is over, or the holder gave the name up. */
  private free(lease: Lease): void {
    const { db, config, nowMs } = this.deps;
    const { name, tunnelId, totals } = lease;
    const end = {
      closed_at: nowMs(),
      close_reason: "released",
      requests: totals.requests,
      connections: totals.connections,
    };
    if (lease.openedAtMs !== null) {
      this.store(closeTunnel(db.kysely, tunnelId, { ...end, bytes_in: totals.bytesIn, bytes_out: totals.bytesOut }));
      const agent = [...lease.agents.values()].at(-1);
      if (agent !== undefined) this.audit("tunnel.closed", lease, agent, { details: { requests: totals.requests } });
    }
    this.send(lease, { type: "disconnect", tunnelId, agentId: null, reason: "released" });
    this.directory.release(name);
    if (lease.random && config.randomNameKeepMs > 0) {
      const freeAtMs = nowMs() + config.randomNameKeepMs;
      this.leases.setState(lease, "kept", { awaySinceMs: null, freeAtMs });
      this.store(setLeaseEnd(db.kysely, { name, tunnelId, freeAtMs }));
    } else {
      this.leases.remove(lease);
      this.store(removeLease(db.kysely, { name, tunnelId }));
    }
  }

  private closeAgent(lease: Lease, agent: AgentBinding, reason: DisconnectReason): void {
    agent.tickets = 0;
    this.send(lease, { type: "disconnect", tunnelId: lease.tunnelId, agentId: agent.agentId, reason });
    this.audit("tunnel.disconnected", lease, agent, { reason });
  }

  private sweep(): void {
    const nowMs = this.deps.nowMs();
    for (const lease of [...this.leases.all()]) {
      if (lease.state === "opening" && [...lease.agents.values()].every((agent) => agent.ticketsUntilMs <= nowMs))
        this.goAway(lease, "no session was opened");
      else if (lease.state === "away" && lease.freeAtMs! <= nowMs) this.free(lease);
      else if (lease.state === "kept" && lease.freeAtMs! <= nowMs) {
        this.leases.remove(lease);
        this.store(removeLease(this.deps.db.kysely, lease));
      }
      for (const agent of lease.agents.values()) {
        const { expiresAtMs } = agent.credential;
        if (expiresAtMs !== null && expiresAtMs <= nowMs && agent.sessions > 0)
          this.closeAgent(lease, agent, "credential_revoked");
      }
    }
  }

  // From the database, whoever wrote to it.

  private applyLater(changes: Change[]): void {
    this.applying = this.applying
      .then(() => this.apply(changes))
      .catch((error: unknown) => this.deps.log.error("a change could not be applied", { error: String(error) }));
  }

  private async apply(changes: Change[]): Promise<void> {
    let recompile: string | null | undefined;
    let recheck = false;
    for (const { kind, refId, orgId, action } of changes) {
      if (kind === "application") {
        const old = await this.directory.refreshApplication(refId);
        if (old !== null || action === "deleted") await this.disconnect({ appId: refId }, "application_changed");
        await this.endStrangers(refId);
      }
      if (
        kind === "policy" ||
        kind === "rate_limit" ||
        kind === "api_key" ||
        kind === "account" ||
        kind === "organization"
      ) {
        recompile = recompile === undefined || recompile === orgId ? orgId : null;
      }
      if (kind !== "policy" && kind !== "rate_limit" && kind !== "session") recheck = true;
    }
    if (recompile !== undefined) await this.directory.recompile(recompile);
    if (recheck) await this.recheckAgents();
  }

  /** A name became an application's while somebody else leased it: the lease ends. */
  private async endStrangers(appId: string): Promise<void> {
    for (const lease of [...this.leases.all()]) {
      if (lease.appId === null && this.directory.ownerOf(lease.name) === appId) {
        for (const agent of lease.agents.values()) this.closeAgent(lease, agent, "application_changed");
        this.leases.remove(lease);
      }
    }
  }

  /** Every live agent is judged again: its credential, and the ranges from which it may connect. */
  private async recheckAgents(): Promise<void> {
    const { db, config, nowMs } = this.deps;
    for (const lease of [...this.leases.all()]) {
      if (!isActive(lease)) continue;
      const allow = new Set<string>();
      for (const agent of lease.agents.values()) {
        const credential = await refreshCredential(db.kysely, agent.credential, nowMs());
        if (credential === null) this.closeAgent(lease, agent, "credential_revoked");
        else {
          agent.credential = credential;
          for (const range of await agentRanges(db.kysely, credential, config.agentWhitelist)) allow.add(range);
        }
      }
      this.send(lease, { type: "agent-allow", tunnelId: lease.tunnelId, allow: [...allow] });
    }
  }

  private insertHistory(lease: Lease, agent: AgentBinding): Promise<void> {
    return insertTunnel(this.deps.db.kysely, {
      id: lease.tunnelId,
      ...{
        name: lease.name,
        kind: lease.kind,
        account_id: lease.accountId,
        key_id: lease.keyId,
        org_id: lease.orgId,
        app_id: lease.appId,
      },
      ...{
        agent_id: agent.agentId,
        agent_version: agent.version,
        address: agent.address,
        opened_at: lease.openedAtMs ?? this.deps.nowMs(),
      },
      ...{ closed_at: null, close_reason: null, requests: 0, connections: 0, bytes_in: 0, bytes_out: 0 },
    });
  }

  private audit(
    action: string,
    lease: Lease,
    agent: AgentBinding,
    more: Partial<Parameters<Audit["record"]>[0]>,
  ): void {
    const { accountId, keyId, actorName, kind } = agent.credential;
    const { orgId, appId, name, tunnelId } = lease;
    this.deps.audit.record({
      action,
      orgId,
      appId,
      actorId: accountId,
      actorName,
      keyId,
      authType: kind,
      address: agent.address,
      identity: name,
      ...more,
      details: { tunnelId, ...more.details },
    });
  }

  private send(lease: Lease, message: Parameters<ShardLink["send"]>[1]): void {
    this.deps.link.send(this.shardOf(lease), message);
  }

  private shardOf(lease: Lease): number {
    return shardOf(lease.name, this.deps.link.shards);
  }

  /** A write that nothing waits for; a failure is logged, and the next one tells the database anyway. */
  private store(write: Promise<unknown>): void {
    write.catch((error: unknown) =>
      this.deps.log.error("a tunnel's record could not be stored", { error: String(error) }),
    );
  }

  private view(lease: Lease): LiveTunnel {
    const {
      tunnelId: id,
      name,
      kind,
      state,
      accountId,
      keyId,
      orgId,
      appId,
      openedAtMs,
      awaySinceMs,
      rttMs,
      streams,
      local,
      totals,
      port,
    } = lease;
    const { config } = this.deps;
    const url = port === null ? publicUrl(config, name) : `tcp://${config.domain}:${port}`;
    const agents = [...lease.agents.values()]
      .filter((agent) => agent.sessions > 0)
      .map(({ agentId, version, address, credential, sessions }) => ({
        agentId,
        version,
        address,
        actorName: credential.actorName,
        sessions,
      }));
    return {
      ...{ id, name, url, kind, state, accountId, keyId, orgId, appId, openedAtMs, awaySinceMs },
      agents,
      sessions: sessionsOf(lease),
      rttMs,
      streams,
      local,
      totals,
    };
  }
}
