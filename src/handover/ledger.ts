// Which descriptors are on their way to which thread, in shared memory, so that a dead thread's mail is closed and nothing else.

import { closeDescriptor, inodeOf } from "./descriptor.ts";

/** Most shards that a ledger knows. */
const maxShards = 64;
/** Int32 words before the entries: connections in flight, highest descriptor posted so far, live incarnation of each shard. */
const headWords = 2 + maxShards;

/**
 * Memory for a ledger. `descriptors` is the number of descriptors that the process may hold; numbers above a million are not
 * moved. Pages that are never used cost nothing.
 */
export function createLedgerMemory(descriptors: number): SharedArrayBuffer {
  return new SharedArrayBuffer(headWords * 4 + Math.min(Math.max(descriptors, 1024), 1 << 20) * 8);
}

/**
 * One thread's view of the ledger. An entry is one 64-bit word per descriptor, changed by compare-and-swap only: the inode in
 * the low half, in the high half the receiver's incarnation (or, towards main, the sender's, negated). 0 is "nobody's mail".
 *
 * A message to a dead thread vanishes silently, and so do messages that a worker posted before it was terminated; the entry
 * is what remains, and `sweep` closes it. Closing by number alone would hit somebody else's descriptor.
 */
export class Ledger {
  readonly #self: number;
  readonly #words: Int32Array;
  readonly #entries: BigInt64Array;

  /** `self` is this thread's incarnation; 0 is the main thread. */
  constructor(memory: SharedArrayBuffer, self: number) {
    this.#self = self;
    this.#words = new Int32Array(memory);
    this.#entries = new BigInt64Array(memory, headWords * 4);
  }

  /** Main only: from now on (until `sweep`) `incarnation` is the one that receives for `shard`. */
  live(shard: number, incarnation: number): void {
    Atomics.store(this.#words, 2 + shard, incarnation);
  }

  /** Whether this incarnation of a shard may still be sent connections. Main (0) always may. */
  isLive(shard: number, incarnation: number): boolean {
    return incarnation === 0 || Atomics.load(this.#words, 2 + shard) === incarnation;
  }

  /** Connections posted and not yet adopted by anybody. They stand in no thread's counts. */
  inFlight(): number {
    return Atomics.load(this.#words, 0);
  }

  /**
   * Posts a descriptor to a thread (`incarnation` 0: main). True: it is no longer the caller's, and somebody closes it whatever
   * happens. False: the receiver is dead or the number too large, nothing was posted, the descriptor is still the caller's.
   */
  send(fd: number, shard: number, incarnation: number, post: () => void): boolean {
    if (fd < 0 || fd >= this.#entries.length) return false;
    const entry = toEntry(incarnation === 0 ? -this.#self : incarnation, inodeOf(fd));
    this.#raiseHighest(fd);
    if (Atomics.exchange(this.#entries, fd, entry) === 0n) Atomics.add(this.#words, 0, 1);
    // Main marks a shard dead before it sweeps: either we see that here, or the sweep sees our entry.
    if (!this.isLive(shard, incarnation)) return !this.#remove(fd, entry);
    post();
    return true;
  }

  /**
   * Receiver: this descriptor's message arrived and is being adopted. True for exactly one caller, who owns the descriptor;
   * false: the entry is not ours (it was swept).
   */
  claim(fd: number): boolean {
    if (fd < 0 || fd >= this.#entries.length) return false;
    const entry = Atomics.load(this.#entries, fd);
    const to = Number(entry >> 32n);
    return (this.#self === 0 ? to < 0 : to === this.#self) && this.#remove(fd, entry);
  }

  /** Main only, first thing when a shard dies: nobody sends to it from now on. */
  bury(shard: number): void {
    Atomics.store(this.#words, 2 + shard, 0);
  }

  /**
   * Main only, after `bury` and after the worker's `close` event: closes what was posted to that incarnation, or by it to main,
   * and was never adopted. An entry whose inode no longer matches is forgotten, not closed. Returns how many were closed.
   */
  sweep(incarnation: number): number {
    let closed = 0;
    const high = this.#words;
    const highest = Atomics.load(this.#words, 1);
    for (let fd = 0; fd <= highest; fd++) {
      // A plain look at the half that names the thread: reading them all as bigints would be many times slower.
      const to = high[headWords + 2 * fd + 1];
      if (to !== incarnation && to !== -incarnation) continue;
      const entry = Atomics.load(this.#entries, fd);
      const inode = Number(BigInt.asIntN(32, entry));
      if (Math.abs(Number(entry >> 32n)) !== incarnation || !this.#remove(fd, entry)) continue;
      if (inodeOf(fd) === inode && closeDescriptor(fd)) closed++;
    }
    return closed;
  }

  #raiseHighest(fd: number): void {
    for (let seen = Atomics.load(this.#words, 1); fd > seen;) {
      const previous = Atomics.compareExchange(this.#words, 1, seen, fd);
      if (previous === seen) return;
      seen = previous;
    }
  }

  #remove(fd: number, entry: bigint): boolean {
    if (Atomics.compareExchange(this.#entries, fd, entry, 0n) !== entry) return false;
    Atomics.sub(this.#words, 0, 1);
    return true;
  }
}

function toEntry(to: number, inode: number): bigint {
  return (BigInt(to) << 32n) | BigInt(inode >>> 0);
}
