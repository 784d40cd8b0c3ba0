// What main keeps in memory of one leased name: who serves it, in which state it is, and what passed through it.

import type { TunnelCredential } from "../../db/credentials.ts";
import type { LeasesTable } from "../../db/tables-record.ts";
import type { LocalStatus, TunnelTotals } from "../../link/messages.ts";
import { portOf } from "../../link/shard-of.ts";

/**
 * `opening`: tickets are out, no session yet · `live`: at least one session · `away`: no session, still leased, visitors
 * wait or see 503 · `kept`: a released random name that only its holder gets back; visitors see 404.
 */
export type LeaseState = "opening" | "live" | "away" | "kept";

/** One agent of a tunnel. */
export interface AgentBinding {
  readonly agentId: string;
  generation: number;
  version: string;
  /** Where it registered from. */
  address: string;
  /** What it forwards to, as it says: shown to people, trusted by nobody. */
  target: string | null;
  credential: TunnelCredential;
  sessions: number;
  /** Tickets that are out, and one for each registration under way; 0 once each has opened its session. */
  tickets: number;
  /** Until then an unused ticket may open a session. */
  ticketsUntilMs: number;
  /** Its last session is gone since it registered: a ticket still out may bring it back, but holds the name against nobody. */
  hasLeft: boolean;
  /** It was told to close, and its tickets are void: only a new registration brings it back. */
  ending: boolean;
}

export interface Lease {
  readonly name: string;
  readonly kind: "http" | "tcp";
  readonly port: number | null;
  tunnelId: string;
  holderId: string;
  accountId: string | null;
  keyId: string | null;
  orgId: string | null;
  appId: string | null;
  random: boolean;
  pool: boolean;
  state: LeaseState;
  takenAtMs: number;
  /** First session of this tunnel; null before it. */
  openedAtMs: number | null;
  awaySinceMs: number | null;
  /** End of `away` or `kept`; null in the other states. */
  freeAtMs: number | null;
  /** By agent id; the last of those that left stay, so that their generation is remembered. */
  readonly agents: Map<string, AgentBinding>;
  /** The agent that served it before this server started. */
  formerAgentId: string | null;
  /** What the agent that registered last forwards to, as it says. */
  target: string | null;
  /** The ranges that its shard was told last. */
  allow: readonly string[];
  /** Since it was opened. */
  totals: TunnelTotals;
  rttMs: number | null;
  streams: number;
  local: LocalStatus;
}

export const noTotals: Readonly<TunnelTotals> = {
  requests: 0,
  connections: 0,
  bytesIn: 0,
  bytesOut: 0,
  status2xx: 0,
  status3xx: 0,
  status4xx: 0,
  status5xx: 0,
};

/** Whether an agent may open a session at any moment. */
export function hasTickets(agent: AgentBinding, nowMs: number): boolean {
  return agent.tickets > 0 && agent.ticketsUntilMs > nowMs;
}

/** Whether an agent has a session or may open one at any moment. */
export function isBusy(agent: AgentBinding, nowMs: number): boolean {
  return agent.sessions > 0 || hasTickets(agent, nowMs);
}

/** Whether an agent keeps others from the name. */
export function holdsName(agent: AgentBinding, nowMs: number): boolean {
  return isBusy(agent, nowMs) && (agent.sessions > 0 || !agent.hasLeft);
}

/** Whether anybody serves the name, or may begin to at any moment. */
export function isServed(lease: Lease, nowMs: number): boolean {
  for (const agent of lease.agents.values()) if (isBusy(agent, nowMs)) return true;
  return false;
}

/** Whether the lease counts against quotas. */
export function isActive(lease: Lease): boolean {
  return lease.state === "opening" || lease.state === "live";
}

export function sessionsOf(lease: Lease): number {
  let sessions = 0;
  for (const agent of lease.agents.values()) sessions += agent.sessions;
  return sessions;
}

/**
 * A stored lease after a restart. Whoever served it when the server stopped gets the grace period to come back; null
 * when its time is over. `free_at` of a random name includes the time for which it is kept.
 */
export function restoreLease(
  row: LeasesTable,
  nowMs: number,
  times: { graceMs: number; randomNameKeepMs: number },
): Lease | null {
  const keptMs = row.random === 1 ? times.randomNameKeepMs : 0;
  const awayUntilMs = row.free_at === null ? nowMs + times.graceMs : row.free_at - keptMs;
  const isAway = awayUntilMs > nowMs;
  const freeAtMs = isAway ? awayUntilMs : awayUntilMs + keptMs;
  if (freeAtMs <= nowMs) return null;
  return {
    ...{ name: row.name, kind: row.kind, port: portOf(row.name), tunnelId: row.tunnel_id, random: row.random === 1 },
    ...{ holderId: row.holder_id, accountId: row.account_id, keyId: row.key_id, orgId: row.org_id, appId: row.app_id },
    ...{ pool: false, state: isAway ? "away" : "kept", takenAtMs: row.taken_at, openedAtMs: null, freeAtMs },
    awaySinceMs: isAway ? nowMs : null,
    agents: new Map(),
    formerAgentId: row.agent_id,
    target: row.target,
    allow: [],
    totals: { ...noTotals },
    ...{ rttMs: null, streams: 0, local: { state: "unknown" } },
  };
}
