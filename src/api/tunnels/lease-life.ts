// What becomes of a lease after it is granted: live, away, free or kept; and closing agents that may not stay.

import type { Config } from "../../config/config.ts";
import type { Logger } from "../../lib/log.ts";
import type { DisconnectReason } from "../../link/messages.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { shardOf } from "../../link/shard-of.ts";
import type { TunnelSelector } from "../deps.ts";
import type { NameDirectory } from "./directory.ts";
import type { GoneTunnels } from "./gone.ts";
import type { LeaseTable } from "./lease-table.ts";
import { isActive, isBusy, isServed, type AgentBinding, type Lease } from "./lease.ts";
import type { TunnelRecords } from "./records.ts";

export interface LeaseLifeDeps {
  config: Pick<Config, "graceMs" | "randomNameKeepMs" | "maxTunnelsPerAccount" | "maxTunnelsPerOrganization">;
  leases: LeaseTable;
  directory: NameDirectory;
  records: TunnelRecords;
  gone: GoneTunnels;
  link: ShardLink;
  log: Logger;
  nowMs: () => number;
}

export class LeaseLife {
  constructor(private readonly deps: LeaseLifeDeps) {}

  /** A session of the agent was opened. */
  served(lease: Lease, agent: AgentBinding, address: string, atMs: number): void {
    const { leases, directory, records, gone } = this.deps;
    if (lease.state === "live") return;
    gone.forgetName(lease.name);
    leases.setState(lease, "live", { awaySinceMs: null, freeAtMs: null });
    directory.hold(lease.name, 0);
    records.leaseEnd(lease, null);
    if (lease.openedAtMs !== null) return;
    lease.openedAtMs = atMs;
    records.opened(lease, agent, address, atMs);
  }

  /** Nobody serves the name any more: its visitors wait, and its holder may come back, for the grace period. */
  away(lease: Lease, reason: string): void {
    const { leases, directory, records, config, log } = this.deps;
    const nowMs = this.deps.nowMs();
    const freeAtMs = nowMs + config.graceMs;
    leases.setState(lease, "away", { awaySinceMs: nowMs, freeAtMs });
    lease.streams = 0;
    directory.hold(lease.name, freeAtMs);
    records.leaseEnd(lease, freeAtMs + (lease.random ? config.randomNameKeepMs : 0));
    log.debug("a tunnel lost its last session", { name: lease.name, reason });
  }

  /** The grace period is over, or the holder gave the name up. A random name is kept for its holder. */
  free(lease: Lease): void {
    const { leases, records, config } = this.deps;
    const nowMs = this.deps.nowMs();
    if (lease.state === "kept" || !lease.random || config.randomNameKeepMs === 0) return this.end(lease, "released");
    this.close(lease, "released");
    const freeAtMs = nowMs + config.randomNameKeepMs;
    leases.setState(lease, "kept", { awaySinceMs: null, freeAtMs });
    records.leaseEnd(lease, freeAtMs);
    const { holderId, orgId } = lease;
    const ofHolder = leases.surplusKept(holderId, config.maxTunnelsPerAccount);
    if (ofHolder !== null) this.end(ofHolder, "released");
    // Keys and members come and go: a holder's own limit bounds nothing.
    const ofOrganization = orgId === null ? null : leases.surplusKept(orgId, config.maxTunnelsPerOrganization);
    if (ofOrganization !== null) this.end(ofOrganization, "released");
  }

  /** The lease ends for good. */
  end(lease: Lease, reason: DisconnectReason): void {
    if (lease.state !== "kept") this.close(lease, reason);
    this.deps.leases.remove(lease);
    this.deps.records.leaseGone(lease);
  }

  /** Closes one agent's sessions and voids its tickets; it may register again if it is still allowed to. */
  closeAgent(lease: Lease, agent: AgentBinding, reason: DisconnectReason): void {
    if (agent.ending) return;
    const wasBusy = isBusy(agent, this.deps.nowMs());
    agent.ending = true;
    agent.tickets = 0;
    if (lease.state === "kept") return;
    this.send(lease, { type: "disconnect", tunnelId: lease.tunnelId, agentId: agent.agentId, reason });
    if (wasBusy) this.deps.records.disconnected(lease, agent, reason);
  }

  /** Closes every agent that matches all given fields. */
  disconnect(what: TunnelSelector, reason: DisconnectReason): void {
    for (const lease of [...this.deps.leases.all()]) {
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

  /** Looks for what is over: tickets that nobody used, grace periods, kept names, credentials. Called about once a second. */
  sweep(): void {
    const nowMs = this.deps.nowMs();
    // There may be thousands: no copy of the table, which may lose leases meanwhile and gets no new ones.
    for (const lease of this.deps.leases.all()) {
      if (isActive(lease)) {
        for (const agent of lease.agents.values()) {
          const { expiresAtMs } = agent.credential;
          if (expiresAtMs !== null && expiresAtMs <= nowMs && isBusy(agent, nowMs))
            this.closeAgent(lease, agent, "credential_revoked");
        }
        if (!isServed(lease, nowMs)) this.away(lease, "no session was opened");
      } else if (lease.freeAtMs! <= nowMs) this.free(lease);
      else if (lease.state === "away" && lease.freeAtMs! - nowMs > this.deps.config.graceMs)
        this.away(lease, "it left while the clock was ahead");
    }
  }

  shardOf(lease: Pick<Lease, "name">): number {
    return shardOf(lease.name, this.deps.link.shards);
  }

  send(lease: Lease, message: Parameters<ShardLink["send"]>[1]): void {
    this.deps.link.send(this.shardOf(lease), message);
  }

  private close(lease: Lease, reason: DisconnectReason): void {
    const { directory, records, gone } = this.deps;
    const nowMs = this.deps.nowMs();
    gone.add(lease, nowMs);
    records.closed(lease, reason, nowMs);
    for (const agent of lease.agents.values()) Object.assign(agent, { sessions: 0, tickets: 0 });
    this.send(lease, { type: "disconnect", tunnelId: lease.tunnelId, agentId: null, reason });
    directory.release(lease.name);
  }
}
