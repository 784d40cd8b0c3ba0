// How many visitor connections are open, in all and per address, over all threads, in shared memory.

import { networkOf } from "../lib/cidr.ts";
import { createSharedCounts, SharedCounts } from "../lib/shared-counts.ts";

/** Addresses share this many buckets: two that collide share a limit, which a seeded hash makes rare and unpredictable. */
const buckets = 16384;
/** The bucket of all connections. */
const all = buckets;

/** Memory for the counts of the main thread (row 0) and `shards` shards (shard k: row k+1). */
export function createCountsMemory(shards: number): SharedArrayBuffer {
  return createSharedCounts(shards + 1, buckets + 1);
}

/** One thread's view of the counts. */
export class ConnectionCounts {
  readonly #counts: SharedCounts;

  /** `row`: 0 for main, k+1 for shard k. */
  constructor(memory: SharedArrayBuffer, row: number) {
    this.#counts = new SharedCounts(memory, row);
  }

  /** A connection was accepted or adopted by this thread. Returns what `closed` wants when it closes or is handed over. */
  opened(address: string): number {
    const bucket = this.#bucketOf(address);
    this.#counts.add(bucket, 1);
    this.#counts.add(all, 1);
    return bucket;
  }

  /** The connection for which `opened` returned `bucket` closed here, or was handed to another thread. Once per connection. */
  closed(bucket: number): void {
    this.#counts.add(bucket, -1);
    this.#counts.add(all, -1);
  }

  /** Open connections of all threads; add `Ledger.inFlight()` for those that are between two threads. */
  total(): number {
    return this.#counts.sum(all);
  }

  /** Open connections of all threads from this address (IPv6: from its /64). */
  ofAddress(address: string): number {
    return this.#counts.sum(this.#bucketOf(address));
  }

  /** Main only: forgets a dead thread's connections, after its `close` event and before its replacement starts. */
  clearRow(row: number): void {
    this.#counts.clearRow(row);
  }

  #bucketOf(address: string): number {
    return this.#counts.hash(networkOf(address)) % buckets;
  }
}
