// One large read per socket and event-loop turn, so that a fast sender doesn't keep all others of the thread waiting.

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
