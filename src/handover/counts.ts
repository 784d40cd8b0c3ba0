// How many visitor connections are open, in all and per address, over all threads, in shared memory.

import { networkOf } from "../lib/cidr.ts";

/** Addresses share this many buckets: two that collide share a limit, which a seeded hash makes rare and unpredictable. */
const buckets = 16384;
/** Int32 words before the counters: number of rows, hash seed. */
const headWords = 2;

/** Memory for the counts of the main thread (row 0) and `shards` shards (shard k: row k+1). */
export function createCountsMemory(shards: number): SharedArrayBuffer {
  const rows = shards + 1;
  const memory = new SharedArrayBuffer((headWords + rows * (buckets + 1)) * 4);
  const words = new Int32Array(memory);
  words[0] = rows;
  crypto.getRandomValues(new Int32Array(1)).forEach((seed) => (words[1] = seed));
  return memory;
}

/** One thread's view of the counts. A thread changes only its own row, so a dead shard's part can be taken out whole. */
export class ConnectionCounts {
  readonly #words: Int32Array;
  readonly #rows: number;
  readonly #seed: number;
  readonly #row: number;

  /** `row`: 0 for main, k+1 for shard k. */
  constructor(memory: SharedArrayBuffer, row: number) {
    this.#words = new Int32Array(memory);
    this.#rows = this.#words[0] ?? 0;
    this.#seed = (this.#words[1] ?? 0) >>> 0;
    this.#row = row;
  }

  /** A connection was accepted or adopted by this thread. Returns what `closed` wants when it closes or is handed over. */
  opened(address: string): number {
    const bucket = this.#bucketOf(address);
    this.#add(bucket, 1);
    return bucket;
  }

  /** The connection for which `opened` returned `bucket` closed here, or was handed to another thread. Once per connection. */
  closed(bucket: number): void {
    this.#add(bucket, -1);
  }

  /** Open connections of all threads; add `Ledger.inFlight()` for those that are between two threads. */
  total(): number {
    return this.#sum(buckets);
  }

  /** Open connections of all threads from this address (IPv6: from its /64). */
  ofAddress(address: string): number {
    return this.#sum(this.#bucketOf(address));
  }

  /** Main only: forgets a dead thread's connections, after its `close` event and before its replacement starts. */
  clearRow(row: number): void {
    for (let bucket = 0; bucket <= buckets; bucket++) Atomics.store(this.#words, this.#index(bucket, row), 0);
  }

  #add(bucket: number, change: 1 | -1): void {
    Atomics.add(this.#words, this.#index(bucket, this.#row), change);
    Atomics.add(this.#words, this.#index(buckets, this.#row), change);
  }

  #sum(bucket: number): number {
    let sum = 0;
    for (let row = 0; row < this.#rows; row++) sum += Atomics.load(this.#words, this.#index(bucket, row));
    return sum;
  }

  /** The rows of one bucket lie side by side, because reading sums over them. */
  #index(bucket: number, row: number): number {
    return headWords + bucket * this.#rows + row;
  }

  #bucketOf(address: string): number {
    return Bun.hash.xxHash32(networkOf(address), this.#seed) % buckets;
  }
}
