// The one place where it is decided who gets a name: synchronously, so that registrations that arrive together are
// judged one after the other.

import type { ApplicationName, TunnelCredential } from "../../db/credentials.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { randomName } from "../../lib/names.ts";
import { portOf, tcpName } from "../../link/shard-of.ts";
import type { LeaseTable } from "./lease-table.ts";
import { hasTickets, holdsName, isActive, isBusy, noTotals, type AgentBinding, type Lease } from "./lease.ts";

/** A registration whose credential, address and wish have been checked. */
export interface Claim {
  credential: TunnelCredential;
  kind: "http" | "tcp";
  /** The wanted subdomain (taken or refused) or `tcp:PORT` (taken if possible, or refused when it must be that one); null lets the server choose. */
  name: string | null;
  exactPort: boolean;
  /** `tcp:PORT` that another program has: not to be chosen. */
  without: ReadonlySet<string>;
  /** The application that owns the name. */
  application: ApplicationName | null;
  agentId: string;
  generation: number;
  version: string;
  address: string;
  /** What the agent forwards to, as it says. */
  target: string | null;
  pool: boolean;
  /** Until when the tickets of this claim are good. */
  ticketsUntilMs: number;
}

export interface ClaimLimits {
  maxTunnelsPerAccount: number;
  maxTunnelsPerOrganization: number;
  maxAgentsPerTunnel: number;
  tcpPorts: readonly number[];
}

export interface Granted {
  lease: Lease;
  agent: AgentBinding;
  /** A kept port that had to be given to somebody else: its record must go first. */
  evicted: Pick<Lease, "name" | "tunnelId"> | null;
  /** Agents that left with tickets unused, for which there is no room any more: the shard must void them. */
  displaced: readonly string[];
}

/** Agents of a tunnel that left and are still remembered. */
const mostFormerAgents = 64;
/** An agent that has opened no session for so long, and registers again, never had the answer that told it its name. */
const unansweredMs = 5_000;

export class Claims {
  constructor(
    private readonly leases: LeaseTable,
    private readonly limits: ClaimLimits,
    /** Whether a name is an application's: never given out at random. */
    private readonly isApplication: (name: string) => boolean,
    /** Ends a lease whose time is over; afterwards its name is free, or kept for its holder. */
    private readonly end: (lease: Lease) => void,
    private readonly chance: { random(): number; name(): string } = { random: Math.random, name: randomName },
  ) {}

  /** Decides a claim and, when it is granted, has it already entered. */
  claim(claim: Claim, nowMs: number): Granted | AppError {
    const choice = this.#choose(claim, nowMs);
    if (choice === null) return new AppError("ports_exhausted");
    let existing = choice.evict === null ? this.#current(choice.name, nowMs) : undefined;
    const refusal = existing === undefined ? null : this.#refusalOf(existing, claim, nowMs);
    if (refusal !== null) return refusal;
    // Its account was moved: what passed through the tunnel is its old organization's to see, and the name gets a new one.
    if (existing !== undefined && existing.state !== "kept" && existing.orgId !== claim.credential.orgId) {
      this.end(existing);
      existing = this.#current(choice.name, nowMs);
    }
    if (existing === undefined || !isActive(existing)) {
      const quota = this.quotaRefusal(claim.credential);
      if (quota !== null) return quota;
    }
    const { evict } = choice;
    const evicted = evict === null ? null : { name: evict.name, tunnelId: evict.tunnelId };
    if (evict !== null) this.leases.remove(evict);
    const lease = existing ?? this.#create(choice.name, claim, nowMs);
    const displaced = this.#displace(lease, claim, nowMs);
    return { lease, agent: this.#enter(lease, claim, nowMs), evicted, displaced };
  }

  /** The lease of a name, unless its time is over (the sweep may be a moment late). */
  #current(name: string, nowMs: number): Lease | undefined {
    for (;;) {
      const lease = this.leases.get(name);
      if (lease === undefined || lease.freeAtMs === null || lease.freeAtMs > nowMs) return lease;
      this.end(lease);
    }
  }

  #refusalOf(lease: Lease, claim: Claim, nowMs: number): AppError | null {
    const sameHolder = lease.holderId === claim.credential.holderId;
    const sameApplication = claim.application !== null && lease.appId === claim.application.id;
    // An application made of a name that somebody leased before: the registry ends that lease; until then it is taken.
    if (!sameHolder && !sameApplication) return ofAnother(lease);
    const own = sameHolder ? lease.agents.get(claim.agentId) : undefined;
    if (own !== undefined && claim.generation < own.generation && holdsName(own, nowMs)) {
      return new AppError("name_in_use", "A newer start of this agent serves this name.");
    }
    const others = [...lease.agents.values()].filter((agent) => agent !== own && holdsName(agent, nowMs));
    if (others.length === 0) return null;
    // Its account was moved: the others served under another organization's policy, and are being closed.
    if (sameHolder && lease.orgId !== claim.credential.orgId) return new AppError("unavailable");
    if (!sameHolder || !claim.pool || !lease.pool) return inUse(lease);
    if (others.length >= this.limits.maxAgentsPerTunnel)
      return new AppError("quota_exceeded", "As many agents as allowed serve this name.");
    return null;
  }

  /** Why a credential may have no further tunnel now; null when it may. */
  quotaRefusal(credential: TunnelCredential): AppError | null {
    const { maxTunnelsPerAccount: ofHolder, maxTunnelsPerOrganization: ofOrganization } = this.limits;
    if (this.leases.active(credential.holderId) >= ofHolder)
      return new AppError("quota_exceeded", `This credential has as many tunnels as it may have (${ofHolder}).`);
    if (credential.orgId !== null && this.leases.active(credential.orgId) >= ofOrganization)
      return new AppError("quota_exceeded", `The organization has as many tunnels as it may have (${ofOrganization}).`);
    return null;
  }

  #create(name: string, claim: Claim, nowMs: number): Lease {
    const { holderId, accountId, keyId, orgId } = claim.credential;
    const lease: Lease = {
      ...{ name, kind: claim.kind, port: portOf(name), tunnelId: newId("tun", nowMs) },
      ...{ holderId, accountId, keyId, orgId, appId: claim.application?.id ?? null },
      // A port is nobody's wish: it is kept for who had it, like a name that the server invented.
      random: claim.name === null || claim.kind === "tcp",
      pool: claim.pool,
      ...{ state: "opening", takenAtMs: nowMs, openedAtMs: null, awaySinceMs: null, freeAtMs: null },
      ...{ agents: new Map(), formerAgentId: null, target: null, allow: [], totals: { ...noTotals } },
      ...{ rttMs: null, streams: 0, local: { state: "unknown" } },
    };
    this.leases.add(lease);
    return lease;
  }

  /**
   * Two agents share a name only where both agreed to, and two starts of one agent never: who left must not come back beside its
   * successor. (Older starts of the claim's own agent the shard replaces.)
   */
  #displace(lease: Lease, claim: Claim, nowMs: number): string[] {
    if (lease.state === "kept") return [];
    const isShared = lease.pool && claim.pool;
    const displaced = [...lease.agents.values()].filter(
      (agent) =>
        isBusy(agent, nowMs) && (agent.agentId === claim.agentId ? agent.generation > claim.generation : !isShared),
    );
    for (const agent of displaced) agent.tickets = 0;
    return displaced.map(({ agentId }) => agentId);
  }

  #enter(lease: Lease, claim: Claim, nowMs: number): AgentBinding {
    if (lease.state === "kept") this.#renew(lease, nowMs);
    const { credential, agentId, generation, version, address, target, ticketsUntilMs } = claim;
    const others = [...lease.agents.values()].filter((agent) => agent.agentId !== agentId);
    const former = others.filter((agent) => !isBusy(agent, nowMs));
    for (const agent of former.slice(0, -mostFormerAgents)) lease.agents.delete(agent.agentId);
    const known = lease.agents.get(agentId);
    if (former.length === others.length) {
      // Nobody else serves it: what this claim says holds from now on.
      const { holderId, accountId, keyId, orgId } = credential;
      this.leases.change(lease, { holderId, orgId });
      Object.assign(lease, { accountId, keyId, appId: claim.application?.id ?? null, pool: claim.pool });
    }
    const same = known?.generation === generation ? known : null;
    const sessions = same?.sessions ?? 0;
    const unused = same !== null && hasTickets(same, nowMs) ? same.tickets : 0;
    const agent: AgentBinding = {
      ...{ agentId, generation, version, address, target, credential, sessions },
      ...{ tickets: unused + 1, ticketsUntilMs, hasLeft: false, ending: false },
    };
    lease.target = target;
    // Last in the map: the latest agent.
    lease.agents.delete(agentId);
    lease.agents.set(agentId, agent);
    if (!isActive(lease)) this.leases.setState(lease, "opening", { awaySinceMs: null, freeAtMs: null });
    return agent;
  }

  /** A kept name that comes back is a new tunnel. */
  #renew(lease: Lease, nowMs: number): void {
    this.leases.change(lease, { tunnelId: newId("tun", nowMs) });
    lease.openedAtMs = null;
    lease.takenAtMs = nowMs;
    lease.totals = { ...noTotals };
    lease.local = { state: "unknown" };
    lease.agents.clear();
  }

  #choose(claim: Claim, nowMs: number): { name: string; evict: Lease | null } | null {
    if (claim.name !== null && (claim.kind === "http" || claim.exactPort || this.#mayHave(claim.name, claim, nowMs)))
      return { name: claim.name, evict: null };
    const former = this.#formerName(claim, nowMs);
    if (former !== null) return { name: former, evict: null };
    if (claim.kind === "tcp") return this.#choosePort(claim, nowMs);
    for (;;) {
      const name = this.chance.name();
      if (this.leases.get(name) === undefined && !this.isApplication(name)) return { name, evict: null };
    }
  }

  #mayHave(name: string, claim: Claim, nowMs: number): boolean {
    const existing = this.#current(name, nowMs);
    return existing === undefined || this.#refusalOf(existing, claim, nowMs) === null;
  }

  /** The random name that this agent had, or was given and never heard of, and that nobody serves now. */
  #formerName(claim: Claim, nowMs: number): string | null {
    for (const lease of this.leases.all()) {
      if (!lease.random || lease.kind !== claim.kind || lease.holderId !== claim.credential.holderId) continue;
      if (lease.state === "kept" && (lease.freeAtMs ?? 0) <= nowMs) continue;
      if (isActive(lease) && !isUnanswered(lease, claim)) continue;
      if (lease.agents.has(claim.agentId) || lease.formerAgentId === claim.agentId) return lease.name;
    }
    return null;
  }

  #choosePort({ without }: Claim, nowMs: number): { name: string; evict: Lease | null } | null {
    const { tcpPorts } = this.limits;
    const start = Math.floor(this.chance.random() * tcpPorts.length);
    let oldestKept: Lease | null = null;
    for (let i = 0; i < tcpPorts.length; i++) {
      const name = tcpName(tcpPorts[(start + i) % tcpPorts.length]!);
      if (without.has(name)) continue;
      const lease = this.#current(name, nowMs);
      if (lease === undefined) return { name, evict: null };
      if (lease.state === "kept" && (oldestKept === null || lease.freeAtMs! < oldestKept.freeAtMs!)) oldestKept = lease;
    }
    // Keeping ports for those who left must not leave everybody else without one.
    return oldestKept === null ? null : { name: oldestKept.name, evict: oldestKept };
  }
}

function ofAnother({ port }: Lease): AppError {
  return new AppError(
    "name_taken",
    port === null ? undefined : `Port ${port} belongs to somebody else: choose another one.`,
  );
}

function inUse({ port }: Lease): AppError {
  const message = `Another agent of your account serves port ${port}: stop it, or start both with --pool.`;
  return new AppError("name_in_use", port === null ? undefined : message);
}

function isUnanswered(lease: Lease, { agentId, generation, ticketsUntilMs }: Claim): boolean {
  const own = lease.agents.get(agentId);
  if (own === undefined || own.generation >= generation || lease.agents.size > 1) return false;
  // Tickets of either live equally long, so this is the time between the two registrations.
  return lease.state === "opening" && own.sessions === 0 && ticketsUntilMs - own.ticketsUntilMs >= unansweredMs;
}
