// Which descriptors are on their way to which thread, in shared memory, so that a dead thread's mail is closed and nothing else.

import { closeDescriptor, inodeOf, openDescriptors } from "../lib/descriptor.ts";

/** Most shards that a ledger knows. */
const maxShards = 64;
/** Int32 words before the entries: connections in flight, highest descriptor posted so far, then four per shard. */
const headWords = 2 + maxShards * 4;
/** Per shard: its live incarnation; then what it is just giving away: incarnation, inode, descriptor (-1: not duplicated yet). */
const live = 0;
const giver = 1;
const givenInode = 2;
const givenDescriptor = 3;

/** How long a message from a dead thread may take to arrive. */
const strayMs = 10_000;

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
  readonly #shard: number;
  readonly #words: Int32Array;
  readonly #entries: BigInt64Array;

  /** `self` is this thread's incarnation and `shard` its number; 0 and -1 for the main thread. */
  constructor(memory: SharedArrayBuffer, self: number, shard: number) {
    this.#self = self;
    this.#shard = shard;
    this.#words = new Int32Array(memory);
    this.#entries = new BigInt64Array(memory, headWords * 4);
  }

  /** Main only: from now on (until `sweep`) `incarnation` is the one that receives for `shard`. */
  live(shard: number, incarnation: number): void {
    this.#set(shard, live, incarnation);
  }

  /** Whether this incarnation of a shard may still be sent connections. Main (0) always may. */
  isLive(shard: number, incarnation: number): boolean {
    return incarnation === 0 || this.#get(shard, live) === incarnation;
  }

  /** Connections posted and not yet adopted by anybody. They stand in no thread's counts. */
  inFlight(): number {
    return Atomics.load(this.#words, 0);
  }

  /**
   * Sender, before it duplicates the descriptor of a socket: until `gave`, `sweep` finds the duplicate by the inode, should this thread
   * be terminated between two instructions (measured: one in twenty terminations under load leaked one). Main needs none of it.
   */
  giving(fd: number): void {
    if (this.#self === 0) return;
    this.#set(this.#shard, givenInode, inodeOf(fd));
    this.#set(this.#shard, givenDescriptor, -1);
    this.#set(this.#shard, giver, this.#self);
  }

  /** Sender: the duplicate is posted, or closed again. */
  gave(): void {
    if (this.#self !== 0) this.#set(this.#shard, giver, 0);
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
    if (this.#self !== 0) this.#set(this.#shard, givenDescriptor, fd);
    post();
    return true;
  }

  /** Receiver: whether a descriptor that arrived is still there for this thread to adopt. */
  isOurs(fd: number): boolean {
    return fd >= 0 && fd < this.#entries.length && this.#isToUs(Atomics.load(this.#entries, fd));
  }

  /**
   * Receiver: this descriptor's message arrived and is being adopted. True for exactly one caller, who owns the descriptor;
   * false: the entry is not ours (it was swept).
   */
  claim(fd: number): boolean {
    if (fd < 0 || fd >= this.#entries.length) return false;
    const entry = Atomics.load(this.#entries, fd);
    return this.#isToUs(entry) && this.#remove(fd, entry);
  }

  /** Main only, first thing when a shard dies: nobody sends to it from now on. */
  bury(shard: number): void {
    this.#set(shard, live, 0);
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
      if (Math.abs(receiverOf(entry)) === incarnation && this.#closeUnclaimed(fd, entry)) closed++;
    }
    return closed + this.#sweepGiven(incarnation);
  }

  /** What the dead thread was just giving away. Its own socket is closed by now: nobody but the duplicate has that inode. */
  #sweepGiven(incarnation: number): number {
    let closed = 0;
    for (let shard = 0; shard < maxShards; shard++) {
      if (this.#get(shard, giver) !== incarnation) continue;
      this.#set(shard, giver, 0);
      const inode = this.#get(shard, givenInode);
      const posted = this.#get(shard, givenDescriptor);
      if (posted >= 0) {
        // It may have been posted or not. If nobody takes it, it was not.
        const entry = Atomics.load(this.#entries, posted);
        const isIt = entry !== 0n && inodeIn(entry) === inode;
        if (isIt) setTimeout(() => this.#closeUnclaimed(posted, entry), strayMs).unref();
        continue;
      }
      for (const fd of openDescriptors()) {
        if (inode === 0 || inodeOf(fd) !== inode) continue;
        const entry = Atomics.load(this.#entries, fd);
        if (entry === 0n ? closeDescriptor(fd) : this.#closeUnclaimed(fd, entry)) closed++;
      }
    }
    return closed;
  }

  #closeUnclaimed(fd: number, entry: bigint): boolean {
    const inode = inodeIn(entry);
    return this.#remove(fd, entry) && inode !== 0 && inodeOf(fd) === inode && closeDescriptor(fd);
  }

  #isToUs(entry: bigint): boolean {
    const receiver = receiverOf(entry);
    return this.#self === 0 ? receiver < 0 : receiver === this.#self;
  }

  #get(shard: number, field: number): number {
    return Atomics.load(this.#words, 2 + shard * 4 + field);
  }

  #set(shard: number, field: number, value: number): void {
    Atomics.store(this.#words, 2 + shard * 4 + field, value);
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

/** The receiver's incarnation, or minus the sender's when main is to receive. */
function receiverOf(entry: bigint): number {
  return Number(entry >> 32n);
}

function inodeIn(entry: bigint): number {
  return Number(BigInt.asIntN(32, entry));
}
