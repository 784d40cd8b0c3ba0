// The leases of this server in memory, and the one place where it is decided who gets a name: synchronously, so that
// registrations that arrive together are judged one after the other.

import type { ApplicationName, TunnelCredential } from "../../db/credentials.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { randomName } from "../../lib/names.ts";
import { tcpName } from "../../link/shard-of.ts";
import { isActive, isBusy, noTotals, type AgentBinding, type Lease, type LeaseState } from "./lease.ts";

/** A registration whose credential, address and wish have been checked. */
export interface Claim {
  credential: TunnelCredential;
  kind: "http" | "tcp";
  /** The wanted subdomain or `tcp:PORT`; null lets the server choose. */
  name: string | null;
  /** The application that owns the name. */
  application: ApplicationName | null;
  agentId: string;
  generation: number;
  version: string;
  address: string;
  pool: boolean;
  /** Until when the tickets of this claim are good. */
  ticketsUntilMs: number;
}

export interface LeaseLimits {
  maxTunnelsPerAccount: number;
  maxTunnelsPerOrganization: number;
  maxAgentsPerTunnel: number;
  tcpPorts: readonly number[];
}

export interface Granted {
  lease: Lease;
  agent: AgentBinding;
}

export class LeaseTable {
  readonly #byName = new Map<string, Lease>();
  readonly #byTunnel = new Map<string, Lease>();
  /** Active leases per holder and per organization. */
  readonly #active = new Map<string, number>();

  constructor(
    private readonly limits: LeaseLimits,
    /** Whether a name is an application's: never given out at random. */
    private readonly isApplication: (name: string) => boolean,
    private readonly random: () => number = Math.random,
  ) {}

  get(name: string): Lease | undefined {
    return this.#byName.get(name);
  }

  byTunnelId(tunnelId: string): Lease | undefined {
    return this.#byTunnel.get(tunnelId);
  }

  all(): IterableIterator<Lease> {
    return this.#byName.values();
  }

  /** Puts a lease of an earlier life back. */
  restore(lease: Lease): void {
    this.#byName.set(lease.name, lease);
    this.#byTunnel.set(lease.tunnelId, lease);
    if (isActive(lease)) this.#count(lease, 1);
  }

  remove(lease: Lease): void {
    if (this.#byName.get(lease.name) !== lease) return;
    if (isActive(lease)) this.#count(lease, -1);
    this.#byName.delete(lease.name);
    this.#byTunnel.delete(lease.tunnelId);
  }

  /** The only way to change a state: keeps the counts right. */
  setState(lease: Lease, state: LeaseState, times: { awaySinceMs: number | null; freeAtMs: number | null }): void {
    if (isActive(lease)) this.#count(lease, -1);
    lease.state = state;
    lease.awaySinceMs = times.awaySinceMs;
    lease.freeAtMs = times.freeAtMs;
    if (isActive(lease)) this.#count(lease, 1);
  }

  /** Decides a claim and, when it is granted, has it already entered. */
  claim(claim: Claim, nowMs: number): Granted | AppError {
    const name = claim.name ?? this.#chooseName(claim, nowMs);
    if (name === null) return new AppError("ports_exhausted");
    const found = this.#byName.get(name);
    const existing = found !== undefined && (found.freeAtMs === null || found.freeAtMs > nowMs) ? found : undefined;
    const refusal = existing === undefined ? null : this.#refusalOf(existing, claim, nowMs);
    if (refusal !== null) return refusal;
    if (existing === undefined || !isActive(existing)) {
      const quota = this.#quotaRefusal(claim);
      if (quota !== null) return quota;
    }
    if (found !== undefined && existing === undefined) this.remove(found);
    return this.#enter(existing ?? this.#create(name, claim, nowMs), claim, nowMs);
  }

  #refusalOf(lease: Lease, claim: Claim, nowMs: number): AppError | null {
    const sameHolder = lease.holderId === claim.credential.holderId;
    const sameApplication = claim.application !== null && lease.appId === claim.application.id;
    if (!sameHolder && !sameApplication) {
      // An application made of a name that somebody leased before: the registry ends that lease; until then it is taken.
      return new AppError("name_taken");
    }
    const own = sameHolder ? lease.agents.get(claim.agentId) : undefined;
    if (own !== undefined && claim.generation < own.generation && isBusy(own, nowMs)) {
      return new AppError("name_in_use", "A newer start of this agent serves this name.");
    }
    const others = [...lease.agents.values()].filter((agent) => agent !== own && isBusy(agent, nowMs));
    if (others.length === 0) return null;
    if (!sameHolder || !claim.pool || !lease.pool) return new AppError("name_in_use");
    if (others.length >= this.limits.maxAgentsPerTunnel)
      return new AppError("quota_exceeded", "As many agents as allowed serve this name.");
    return null;
  }

  #quotaRefusal({ credential }: Claim): AppError | null {
    const { maxTunnelsPerAccount, maxTunnelsPerOrganization } = this.limits;
    if ((this.#active.get(credential.holderId) ?? 0) >= maxTunnelsPerAccount) {
      return new AppError(
        "quota_exceeded",
        `This credential has as many tunnels as it may have (${maxTunnelsPerAccount}).`,
      );
    }
    if (credential.orgId !== null && (this.#active.get(credential.orgId) ?? 0) >= maxTunnelsPerOrganization) {
      return new AppError(
        "quota_exceeded",
        `The organization has as many tunnels as it may have (${maxTunnelsPerOrganization}).`,
      );
    }
    return null;
  }

  #create(name: string, claim: Claim, nowMs: number): Lease {
    const lease: Lease = {
      name,
      kind: claim.kind,
      port: claim.kind === "tcp" ? Number(name.slice("tcp:".length)) : null,
      tunnelId: newId("tun", nowMs),
      holderId: claim.credential.holderId,
      accountId: claim.credential.accountId,
      keyId: claim.credential.keyId,
      orgId: claim.credential.orgId,
      appId: claim.application?.id ?? null,
      random: claim.name === null,
      pool: claim.pool,
      state: "kept",
      takenAtMs: nowMs,
      openedAtMs: null,
      awaySinceMs: null,
      freeAtMs: nowMs,
      agents: new Map(),
      totals: { ...noTotals },
      rttMs: null,
      streams: 0,
      local: { state: "unknown" },
    };
    this.#byName.set(name, lease);
    this.#byTunnel.set(lease.tunnelId, lease);
    return lease;
  }

  #enter(lease: Lease, claim: Claim, nowMs: number): Granted {
    if (lease.state === "kept" && lease.agents.size > 0) this.#renew(lease, nowMs);
    const { credential } = claim;
    const alone = [...lease.agents.values()].every((agent) => !isBusy(agent, nowMs) || agent.agentId === claim.agentId);
    if (alone) {
      if (isActive(lease)) this.#count(lease, -1);
      Object.assign(lease, {
        holderId: credential.holderId,
        accountId: credential.accountId,
        keyId: credential.keyId,
        orgId: credential.orgId,
        appId: claim.application?.id ?? null,
        pool: claim.pool,
      });
      if (isActive(lease)) this.#count(lease, 1);
    }
    const known = lease.agents.get(claim.agentId);
    const sessions = known !== undefined && known.generation === claim.generation ? known.sessions : 0;
    const { agentId, generation, version, address, ticketsUntilMs } = claim;
    const agent: AgentBinding = {
      agentId,
      generation,
      version,
      address,
      credential,
      sessions,
      tickets: 1,
      ticketsUntilMs,
    };
    lease.agents.set(agentId, agent);
    if (!isActive(lease)) this.setState(lease, "opening", { awaySinceMs: null, freeAtMs: null });
    return { lease, agent };
  }

  /** A kept name that comes back is a new tunnel. */
  #renew(lease: Lease, nowMs: number): void {
    this.#byTunnel.delete(lease.tunnelId);
    lease.tunnelId = newId("tun", nowMs);
    lease.openedAtMs = null;
    lease.takenAtMs = nowMs;
    lease.totals = { ...noTotals };
    lease.local = { state: "unknown" };
    lease.agents.clear();
    this.#byTunnel.set(lease.tunnelId, lease);
  }

  #chooseName(claim: Claim, nowMs: number): string | null {
    const former = this.#formerName(claim, nowMs);
    if (former !== null) return former;
    if (claim.kind === "tcp") return this.#choosePort(nowMs);
    for (;;) {
      const name = randomName();
      if (!this.#byName.has(name) && !this.isApplication(name)) return name;
    }
  }

  /** The random name that this agent had and that nobody serves now. */
  #formerName(claim: Claim, nowMs: number): string | null {
    for (const lease of this.#byName.values()) {
      if (!lease.random || lease.kind !== claim.kind || lease.holderId !== claim.credential.holderId) continue;
      if (isActive(lease) || (lease.freeAtMs ?? 0) <= nowMs) continue;
      if (lease.agents.has(claim.agentId)) return lease.name;
    }
    return null;
  }

  #choosePort(nowMs: number): string | null {
    const { tcpPorts } = this.limits;
    const start = Math.floor(this.random() * tcpPorts.length);
    let oldestKept: Lease | null = null;
    for (let i = 0; i < tcpPorts.length; i++) {
      const name = tcpName(tcpPorts[(start + i) % tcpPorts.length]!);
      const lease = this.#byName.get(name);
      if (lease === undefined || (lease.freeAtMs !== null && lease.freeAtMs <= nowMs)) return name;
      if (lease.state === "kept" && (oldestKept === null || lease.freeAtMs! < oldestKept.freeAtMs!)) oldestKept = lease;
    }
    // Keeping ports for those who left must not leave everybody else without one.
    if (oldestKept === null) return null;
    this.remove(oldestKept);
    return oldestKept.name;
  }

  #count(lease: Lease, by: 1 | -1): void {
    for (const id of [lease.holderId, lease.orgId]) {
      if (id === null) continue;
      const count = (this.#active.get(id) ?? 0) + by;
      if (count === 0) this.#active.delete(id);
      else this.#active.set(id, count);
    }
  }
}
