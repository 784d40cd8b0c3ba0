// Waiting times between attempts: exponential with full jitter, so that many clients never come back in step.

export interface Backoff {
  /** Milliseconds to wait before the next attempt: random between 0 and a ceiling that doubles each time. */
  next(): number;
  /** Begins anew; call it when an attempt has succeeded. */
  reset(): void;
}

/** The ceiling starts at `minMs` and stops at `maxMs`. `random` gives [0, 1); tests pass their own. */
export function createBackoff(options: { minMs: number; maxMs: number; random?: () => number }): Backoff {
  const random = options.random ?? Math.random;
  let ceilingMs = options.minMs;
  return {
    next() {
      const waitMs = Math.round(random() * ceilingMs);
      ceilingMs = Math.min(options.maxMs, ceilingMs * 2);
      return waitMs;
    },
    reset() {
      ceilingMs = options.minMs;
    },
  };
}
