// Large reads: one per socket and event-loop turn, so that a fast sender doesn't keep others waiting, and their memory given back at once.

/** Bun reads half a mebibyte at a time, and a socket that always has so much up to eleven times before it looks at another one. */
const largeBytes = 256 * 1024;

/** Something that can leave its socket alone until the next turn. Both may be called in any state, closed included. */
export interface Resting {
  rest(): void;
  wake(): void;
}

/** For whoever has read `bytes` in one piece: `reader` rests for the remainder of this turn if that was much. */
export function restAfterLarge(bytes: number, reader: Resting): void {
  if (bytes < largeBytes) return;
  reader.rest();
  setImmediate(() => reader.wake());
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
