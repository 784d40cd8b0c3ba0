// Large reads: one per socket and event-loop turn, so that a fast sender doesn't keep others waiting, and their memory given back at once.

/** Bun reads half a mebibyte at a time, and a socket that always has so much up to eleven times before it looks at another one. */
const largeBytes = 256 * 1024;

/** Of `Reads`: it has sent much in this turn, and others wait. */
const turn = 1;

/** The reading half of a socket, which stops while there is a reason to: a bit of a number, 2 and up for those of its owner. */
export abstract class Reads {
  /** What is read; null when there is nothing to read (yet, or any more). */
  protected abstract readonly socket: { pause(): unknown; resume(): unknown } | null;
  /** Reasons why it isn't read at the moment. */
  protected pausedBy = 0;

  protected pause(reason: number): void {
    if (this.pausedBy === 0) this.socket?.pause();
    this.pausedBy |= reason;
  }

  protected unpause(reasons: number): void {
    if (this.pausedBy === 0) return;
    this.pausedBy &= ~reasons;
    if (this.pausedBy === 0) this.socket?.resume();
  }

  /** `bytes` were read in one piece: if that was much, the remainder of this turn is for others. */
  protected restAfterLarge(bytes: number): void {
    if (bytes < largeBytes) return;
    this.pause(turn);
    setImmediate(() => this.wake());
  }

  /** The rest, if there is one, is over. */
  protected wake(): void {
    this.unpause(turn);
  }
}

/** From this size on a buffer is worth giving back by hand. */
const worthFreeing = 32 * 1024;

/**
 * Gives back the memory of a chunk that nobody looks at any more (views of it are empty from now on). The garbage collector would get to it
 * tens of megabytes later. Small chunks, and those that share their memory with others, stay.
 */
export function freeLarge(chunk: Uint8Array): void {
  if (chunk.byteLength < worthFreeing || chunk.byteLength !== chunk.buffer.byteLength) return;
  (chunk.buffer as ArrayBuffer).transfer(0);
}
