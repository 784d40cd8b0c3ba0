// What main keeps in memory of one leased name: who serves it, in which state it is, and what passed through it.

import type { TunnelCredential } from "../../db/credentials.ts";
import type { LocalStatus } from "../../link/messages.ts";

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
  credential: TunnelCredential;
  sessions: number;
  /** Tickets that are out; 0 once each has opened its session. */
  tickets: number;
  /** Until then an unused ticket may open a session. */
  ticketsUntilMs: number;
}

/** Totals of a tunnel since it was opened. */
export interface TunnelTotals {
  requests: number;
  connections: number;
  /** Visitor -> local service. */
  bytesIn: number;
  /** Local service -> visitor. */
  bytesOut: number;
  status2xx: number;
  status3xx: number;
  status4xx: number;
  status5xx: number;
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
  /** By agent id; those that left stay until the tunnel ends, so that their generation is remembered. */
  readonly agents: Map<string, AgentBinding>;
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

/** Whether an agent has a session or may open one at any moment. */
export function isBusy(agent: AgentBinding, nowMs: number): boolean {
  return agent.sessions > 0 || (agent.tickets > 0 && agent.ticketsUntilMs > nowMs);
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
