// Work of which only so much may be under way at once.

/** Runs what it is given, in the order of the calls; beyond `most` at once the next waits for one to end. */
export type Lanes = <T>(work: () => Promise<T>) => Promise<T>;

/** Callers wait as long as they are many: bound them elsewhere. */
export function createLanes(most: number): Lanes {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits gets this very lane: nobody who comes meanwhile is before it.
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
