// The leases of this server in memory: found by name and by tunnel, counted against quotas.

import { isActive, type Lease, type LeaseState } from "./lease.ts";

export class LeaseTable {
  readonly #byName = new Map<string, Lease>();
  readonly #byTunnel = new Map<string, Lease>();
  /** Active leases per holder and per organization. */
  readonly #active = new Map<string, number>();
  /** Kept names per holder and per organization, the longest kept first. */
  readonly #kept = new Map<string, Set<Lease>>();

  get(name: string): Lease | undefined {
    return this.#byName.get(name);
  }

  byTunnelId(tunnelId: string): Lease | undefined {
    return this.#byTunnel.get(tunnelId);
  }

  all(): IterableIterator<Lease> {
    return this.#byName.values();
  }

  /** Active leases of a holder or organization. */
  active(id: string): number {
    return this.#active.get(id) ?? 0;
  }

  /** The name that is kept for longest of those of a holder or organization, when these are more than `most`. */
  surplusKept(id: string, most: number): Lease | null {
    const kept = this.#kept.get(id);
    return kept === undefined || kept.size <= most ? null : (kept.values().next().value ?? null);
  }

  /** Enters a lease whose name is free. */
  add(lease: Lease): void {
    this.#byName.set(lease.name, lease);
    this.#byTunnel.set(lease.tunnelId, lease);
    this.#count(lease, 1);
  }

  remove(lease: Lease): void {
    if (this.#byName.get(lease.name) !== lease) return;
    this.#count(lease, -1);
    this.#byName.delete(lease.name);
    this.#byTunnel.delete(lease.tunnelId);
  }

  /** The only way to change a state: keeps the counts right. */
  setState(lease: Lease, state: LeaseState, times: { awaySinceMs: number | null; freeAtMs: number | null }): void {
    this.change(lease, { state, ...times });
  }

  /** The only way to change what is counted or looked up. */
  change(
    lease: Lease,
    to: Partial<Pick<Lease, "state" | "holderId" | "orgId" | "tunnelId" | "awaySinceMs" | "freeAtMs">>,
  ): void {
    this.#count(lease, -1);
    this.#byTunnel.delete(lease.tunnelId);
    Object.assign(lease, to);
    this.#byTunnel.set(lease.tunnelId, lease);
    this.#count(lease, 1);
  }

  #count(lease: Lease, by: 1 | -1): void {
    for (const id of [lease.holderId, lease.orgId]) {
      if (id === null) continue;
      if (lease.state === "kept") {
        const kept = this.#kept.get(id) ?? new Set<Lease>();
        if (by === 1) kept.add(lease);
        else kept.delete(lease);
        if (kept.size === 0) this.#kept.delete(id);
        else this.#kept.set(id, kept);
      }
      if (!isActive(lease)) continue;
      const count = this.active(id) + by;
      if (count === 0) this.#active.delete(id);
      else this.#active.set(id, count);
    }
  }
}
