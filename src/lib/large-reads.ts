// Large reads: one per socket and event-loop turn, so that a fast sender doesn't keep others waiting, without a copy and without garbage.

import { readInto } from "./descriptor.ts";

/** Bun reads half a mebibyte at a time, and a socket that always has so much up to eleven times before it looks at another one. */
const largeBytes = 256 * 1024;

/** Of `Reads`: it has sent much in this turn, and others wait. */
const turn = 1;

/**
 * What is read at once by hand: as much as a frame carries (protocol/frames.ts). Four times as much moves 5 % more bytes, but those who share a tunnel with a bulk
 * reader then wait twice as long (p99 of 20 to 34 ms against 29 to 58).
 */
const byHandBytes = 65_528;
/** In front of what is read, for whoever sends it on with a header. */
const spareBytes = 64;
/** Everybody's; made when it is first needed. */
let space: Buffer | null = null;
let target: Buffer;

/** What `Reads` needs of a Bun socket. */
export interface ReadSocket {
  pause(): unknown;
  resume(): unknown;
  terminate(): unknown;
}

/**
 * The reading half of a socket, which stops while there is a reason to: a bit of a number, 2 and up for those of its owner.
 *
 * Bun copies what it reads into a fresh buffer. A plain socket that has sent much is therefore read by hand as long as it has more: once a turn, into a buffer
 * that all share, while Bun believes that it is paused. Bun reads it again when there is nothing for now; it alone hears of ends and errors.
 */
export abstract class Reads {
  /** What is read; null when there is nothing to read (yet, or any more). */
  protected abstract readonly socket: ReadSocket | null;
  /** What is written on the wire is what `received` gets: no TLS ends in Bun here. */
  isPlain = false;
  /** Reasons why it isn't read at the moment. */
  protected pausedBy = 0;
  private isByHand = false;
  /** What the socket said may be half dealt with: no end of it that follows is a clean one. */
  protected hasThrown = false;

  /** How many bytes may be read by hand at once. 0: none now, and whoever would take them has paused reading until it can. */
  protected room(): number {
    return byHandBytes;
  }

  /** Bytes have arrived. They are gone after the call: keep copies, not views (but see `mayStay`). */
  abstract received(chunk: Buffer): void;

  /** A handler of the socket threw. Its `error` handler says so before it terminates it: Bun then says `close` as if nothing had happened. */
  threw(): void {
    this.hasThrown = true;
  }

  protected pause(reason: number): void {
    if (this.pausedBy === 0) this.socket?.pause();
    this.pausedBy |= reason;
  }

  protected unpause(reasons: number): void {
    if (this.pausedBy === 0) return;
    this.pausedBy &= ~reasons;
    if (this.pausedBy !== 0) return;
    if (!this.isByHand) return void this.socket?.resume();
    this.pausedBy = turn;
    setImmediate(() => this.readOn());
  }

  /** `bytes` were read in one piece: if that was much, the remainder of this turn is for others. */
  protected restAfterLarge(bytes: number): void {
    if (bytes < largeBytes || (this.pausedBy & turn) !== 0) return;
    this.isByHand = this.isPlain;
    this.pause(turn);
    setImmediate(() => this.readOn());
  }

  /** Somebody else reads the socket from now on. */
  protected letGo(): void {
    this.isByHand = false;
    this.unpause(turn);
  }

  private readOn(): void {
    if (!this.isByHand) return this.unpause(turn);
    const most = this.pausedBy === turn ? Math.min(this.room(), byHandBytes) : 0;
    // Another reason came up: whoever takes it away makes it go on.
    if (most === 0) {
      this.pausedBy &= ~turn;
      return;
    }
    if (space === null) {
      space = Buffer.allocUnsafeSlow(spareBytes + byHandBytes);
      target = space.subarray(spareBytes);
    }
    const bytes = this.socket === null ? 0 : readInto(this.socket, target, most);
    if (bytes === 0) return this.letGo();
    try {
      this.received(space.subarray(spareBytes, spareBytes + bytes));
    } catch {
      // As the `error` handler of its socket would, which hears only of what Bun has called: it costs that connection, not the thread.
      this.isByHand = false;
      this.threw();
      return void this.socket?.terminate();
    }
    if (this.isByHand) setImmediate(() => this.readOn());
  }
}

/** From this size on a buffer is worth giving back by hand. */
const worthFreeing = 32 * 1024;

/**
 * Gives back the memory of a chunk that nobody looks at any more (views of it are empty from now on). The garbage collector would get to it
 * tens of megabytes later. Small chunks, and those that share their memory with others, stay.
 */
export function freeLarge(chunk: Uint8Array): void {
  if (chunk.length < worthFreeing || chunk.length !== chunk.buffer.byteLength) return;
  (chunk.buffer as ArrayBuffer).transfer(0);
}

/** Whether received bytes stay what they are after `received`: their memory is neither given back nor read into again. */
export function mayStay(bytes: Uint8Array): boolean {
  // Not `bytes.buffer`: a small array has none until it is asked for.
  return bytes.byteOffset === 0 && bytes.byteLength < worthFreeing;
}

/**
 * The whole buffer under a view of bytes that were read by hand; null for others. Whoever passes such bytes on has dealt with all before them, so that
 * 64 bytes in front of the view are there to be overwritten; and so are the bytes themselves, once they have left.
 */
export function readSpace(view: Uint8Array): Buffer | null {
  return space !== null && view.buffer === space.buffer ? space : null;
}
