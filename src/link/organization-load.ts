// How many requests and TCP connections of each organization are under way, over all shards, so that one tenant can't take all of the server.

import { createSharedCounts, SharedCounts } from "../lib/shared-counts.ts";

const bits = 12;
/** Of each of the two tables. */
const buckets = 1 << bits;

/** Memory for the loads that `shards` shards carry. */
export function createLoadMemory(shards: number): SharedArrayBuffer {
  return createSharedCounts(shards, 2 * buckets);
}

/**
 * One shard's view. An organization is counted in two buckets and has the smaller count, which is never too small, and too large
 * only where others fill both.
 */
export class OrganizationLoad {
  readonly #counts: SharedCounts;

  constructor(
    memory: SharedArrayBuffer,
    shard: number,
    private readonly most: number,
  ) {
    this.#counts = new SharedCounts(memory, shard);
  }

  /** Names without an organization are bounded by the limits of their tunnels. */
  isFull(orgId: string | null): boolean {
    if (orgId === null) return false;
    const hash = this.#counts.hash(orgId);
    return this.#counts.sum(first(hash)) >= this.most && this.#counts.sum(second(hash)) >= this.most;
  }

  add(orgId: string | null, change: 1 | -1): void {
    if (orgId === null) return;
    const hash = this.#counts.hash(orgId);
    this.#counts.add(first(hash), change);
    this.#counts.add(second(hash), change);
  }
}

const first = (hash: number): number => hash & (buckets - 1);
const second = (hash: number): number => buckets + ((hash >>> bits) & (buckets - 1));
