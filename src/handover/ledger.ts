// Which descriptors are on their way to which thread, in shared memory, so that a dead thread's mail is closed and nothing else.

import { closeDescriptor, createPair, inodeOf, openDescriptors } from "../lib/descriptor.ts";

/** Most shards that a ledger knows. */
const maxShards = 64;
/** More than there are incarnations at a time: one that hangs is there beside its successor, and may still write. */
const rows = 4 * maxShards;
const wordsPerRow = 8;
/** Int32 words before the entries: connections in flight, highest descriptor posted so far, each shard's live incarnation, a row for each incarnation. */
const liveAt = 2;
const rowsAt = liveAt + maxShards;
const headWords = rowsAt + rows * wordsPerRow;
/** Of a row: what its incarnation is just giving away (which incarnation, inode, descriptor; -1: not duplicated yet). */
const giver = 0;
const givenInode = 1;
const givenDescriptor = 2;
/** And the pair of sockets that it is just making: incarnation, both descriptors (-1: not there yet), their inodes (0: not known yet). */
const pairMaker = 3;
const pairDescriptors = 4;
const pairInodes = 6;

/** How long a message from a dead thread may take to arrive. */
const strayMs = 10_000;

/**
 * Memory for a ledger. `descriptors` is the number of descriptors that the process may hold; numbers above a million are not
 * moved. Pages that are never used cost nothing.
 */
export function createLedgerMemory(descriptors: number): SharedArrayBuffer {
  return new SharedArrayBuffer(headWords * 4 + Math.min(descriptors, 1 << 20) * 8);
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
  /** Where the kernel writes the numbers of a new pair. */
  readonly #pair: Int32Array;

  /** `self` is this thread's incarnation; 0 for the main thread. */
  constructor(memory: SharedArrayBuffer, self: number) {
    this.#self = self;
    this.#words = new Int32Array(memory);
    this.#entries = new BigInt64Array(memory, headWords * 4);
    const pairAt = rowOf(self) + pairDescriptors;
    this.#pair = self === 0 ? new Int32Array(2) : this.#words.subarray(pairAt, pairAt + 2);
  }

  /** Main only: from now on (until `sweep`) `incarnation` is the one that receives for `shard`. */
  live(shard: number, incarnation: number): void {
    Atomics.store(this.#words, liveAt + shard, incarnation);
  }

  /** Whether this incarnation of a shard may still be sent connections. Main (0) always may. */
  isLive(shard: number, incarnation: number): boolean {
    return incarnation === 0 || Atomics.load(this.#words, liveAt + shard) === incarnation;
  }

  /** Connections posted and not yet adopted by anybody. They stand in no thread's counts. */
  inFlight(): number {
    return Atomics.load(this.#words, 0);
  }

  /**
   * Sender: two connected sockets, one to keep and one to give away; null when the process has no descriptors left. Make a Bun socket of
   * the first, then call `giving` for the second: until then `sweep` closes both, should this thread be terminated meanwhile.
   */
  createPair(): [number, number] | null {
    if (this.#self === 0) return createPair();
    for (const n of [0, 1]) {
      this.#set(pairDescriptors + n, -1);
      this.#set(pairInodes + n, 0);
    }
    this.#set(pairMaker, this.#self);
    const pair = createPair(this.#pair);
    if (pair === null) this.#set(pairMaker, 0);
    else for (const n of [0, 1]) this.#set(pairInodes + n, inodeOf(pair[n]!));
    return pair;
  }

  /**
   * Sender, before it duplicates the descriptor of a socket: until `gave`, `sweep` finds the duplicate by the inode, should this thread
   * be terminated between two instructions (measured: one in twenty terminations under load leaked one). Main needs none of it.
   */
  giving(fd: number): void {
    if (this.#self === 0) return;
    this.#set(givenInode, inodeOf(fd));
    this.#set(givenDescriptor, -1);
    this.#set(giver, this.#self);
    this.#set(pairMaker, 0);
  }

  /** Sender: the duplicate is posted, or closed again. */
  gave(): void {
    if (this.#self !== 0) this.#set(giver, 0);
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
    if (this.#self !== 0) this.#set(givenDescriptor, fd);
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
    Atomics.store(this.#words, liveAt + shard, 0);
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
    return closed + this.#sweepGiven(incarnation) + this.#sweepPair(incarnation);
  }

  /** What the dead thread was just giving away. Its own socket is closed by now: nobody but the duplicate has that inode. */
  #sweepGiven(incarnation: number): number {
    if (this.#get(incarnation, giver) !== incarnation) return 0;
    const inode = this.#get(incarnation, givenInode);
    const posted = this.#get(incarnation, givenDescriptor);
    if (posted >= 0) {
      // It may have been posted or not. If nobody takes it, it was not.
      const entry = Atomics.load(this.#entries, posted);
      const isIt = entry !== 0n && inodeIn(entry) === inode;
      if (isIt) setTimeout(() => this.#closeUnclaimed(posted, entry), strayMs).unref();
      return 0;
    }
    let closed = 0;
    for (const fd of openDescriptors()) {
      if (inode === 0 || inodeOf(fd) !== inode) continue;
      const entry = Atomics.load(this.#entries, fd);
      if (entry === 0n ? closeDescriptor(fd) : this.#closeUnclaimed(fd, entry)) closed++;
    }
    return closed;
  }

  /**
   * The pair that the dead thread was just making. While an inode isn't known, nobody but that thread ever had the descriptor; unless the kernel
   * gave the number and then refused the pair (its table of files is full), and the thread ended between that answer and our next word.
   */
  #sweepPair(incarnation: number): number {
    if (this.#get(incarnation, pairMaker) !== incarnation) return 0;
    let closed = 0;
    for (const n of [0, 1]) {
      const fd = this.#get(incarnation, pairDescriptors + n);
      const inode = this.#get(incarnation, pairInodes + n);
      const there = fd < 0 ? 0 : inodeOf(fd);
      if (there !== 0 && (inode === 0 || inode === there) && closeDescriptor(fd)) closed++;
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

  #get(incarnation: number, field: number): number {
    return Atomics.load(this.#words, rowOf(incarnation) + field);
  }

  #set(field: number, value: number): void {
    Atomics.store(this.#words, rowOf(this.#self) + field, value);
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

/** Where the words of an incarnation begin. Nobody else writes them, nor reads them before it is gone. */
function rowOf(incarnation: number): number {
  return rowsAt + (incarnation % rows) * wordsPerRow;
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
