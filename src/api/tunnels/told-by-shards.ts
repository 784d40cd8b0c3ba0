// What shards tell of tunnels: sessions that come and go, counters, the state of local services, their own death.

import type { ShardEvent, TunnelCounters } from "../../link/messages.ts";
import type { ShardListener } from "../../link/shard-link.ts";
import type { Claims } from "./claims.ts";
import type { NameDirectory } from "./directory.ts";
import type { LeaseLife } from "./lease-life.ts";
import type { LeaseTable } from "./lease-table.ts";
import { isActive, sessionsOf, type AgentBinding, type Lease } from "./lease.ts";

export type ShardNews = Pick<ShardListener, "onReady" | "onReplaced" | "onEvents" | "onCounters">;

export function hearShards(
  leases: LeaseTable,
  life: LeaseLife,
  directory: NameDirectory,
  claims: Pick<Claims, "quotaRefusal">,
): ShardNews {
  /** The lease and agent of an event; null for tunnels that are gone and for older generations. */
  function find(event: { tunnelId: string; agentId: string; generation: number }): [Lease, AgentBinding] | null {
    const lease = leases.byTunnelId(event.tunnelId);
    const agent = lease?.agents.get(event.agentId);
    if (lease === undefined || agent === undefined || agent.generation !== event.generation) return null;
    return lease.state === "kept" ? null : [lease, agent];
  }

  function heard(event: ShardEvent): void {
    if (event.type === "session.opened") {
      const [lease, agent] = find(event) ?? [];
      if (lease === undefined || agent === undefined) return;
      agent.sessions++;
      agent.tickets = Math.max(0, agent.tickets - 1);
      agent.hasLeft = false;
      // While it was away another tunnel may have taken its place.
      if (lease.state === "away" && claims.quotaRefusal(agent.credential) !== null)
        return life.closeAgent(lease, agent, "quota_exceeded");
      life.served(lease, agent, event.address, event.atMs);
    } else if (event.type === "session.closed") {
      const [lease, agent] = find(event) ?? [];
      if (lease === undefined || agent === undefined) return;
      agent.sessions = Math.max(0, agent.sessions - 1);
      agent.hasLeft = agent.sessions === 0;
      if (lease.state === "live" && sessionsOf(lease) === 0) life.away(lease, event.reason);
    } else if (event.type === "local.status") {
      const lease = leases.byTunnelId(event.tunnelId);
      if (lease !== undefined) lease.local = event.status;
    }
  }

  function counted(one: TunnelCounters): void {
    const lease = leases.byTunnelId(one.tunnelId);
    if (lease === undefined) return;
    const { totals } = lease;
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += one[key];
    lease.rttMs = one.rttMs;
    lease.streams = one.streams;
    lease.local = one.local;
  }

  return {
    onReady: (shard) => directory.snapshot(shard),
    onReplaced(shard) {
      for (const lease of leases.all()) {
        if (life.shardOf(lease) !== shard || !isActive(lease)) continue;
        for (const agent of lease.agents.values()) Object.assign(agent, { sessions: 0, tickets: 0 });
        life.away(lease, "the server's shard was replaced");
      }
    },
    onEvents: (_shard, events) => events.forEach(heard),
    onCounters: (_shard, counters) => counters.forEach(counted),
  };
}
