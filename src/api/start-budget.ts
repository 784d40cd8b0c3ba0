// Bounds how many logins one address may begin: each costs a row, whether or not anybody comes back.

export interface StartBudget {
  /** Takes one; 0, or the milliseconds until there is one again. An address that nobody named (null) has no bound. */
  take(network: string | null): number;
}

/** Logins that one address may begin in a minute. */
export const startsPerMinute = 120;
const windowMs = 60_000;
const maxSubjects = 20_000;

/** `perMinute` logins per address. Generous: an office is one address, and its browsers restore their tabs at once. */
export function createStartBudget(options: { perMinute: number; nowMs: () => number }): StartBudget {
  let windowEndsMs = 0;
  let taken = new Map<string, number>();
  return {
    take(network) {
      if (network === null) return 0;
      const now = options.nowMs();
      // One that is further away was begun by a clock that was ahead.
      if (now >= windowEndsMs || windowEndsMs - now > windowMs) {
        windowEndsMs = now + windowMs;
        taken = new Map();
      }
      const count = (taken.get(network) ?? 0) + 1;
      // With so many addresses at once nobody new begins until the minute is over.
      if (count > options.perMinute || (count === 1 && taken.size >= maxSubjects)) return windowEndsMs - now;
      taken.set(network, count);
      return 0;
    },
  };
}
