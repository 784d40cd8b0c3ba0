// Counts failed attempts in a sliding window and blocks what fails too often; survives a restart through its store.

import { AppError } from "../lib/errors.ts";
import { LimiterEntries, type Entry } from "./limiter-entries.ts";
import type {
  Attempt,
  AttemptVerdict,
  LimitedKey,
  Limiter,
  LimiterRule,
  LimiterStore,
  Named,
} from "./limiter-types.ts";

const maxEntries = 50_000;
const maxWaiting = 1_000;
const maxWaitingPerKey = 100;
/** More than the store keeps. */
const anyWindowMs = 366 * 24 * 3_600_000;

/** Counts in memory, writes through to the store on each failure (successes are the common case and write nothing). */
export function createLimiter(options: { store: LimiterStore; nowMs: () => number }): Limiter {
  const { store, nowMs } = options;
  const entries = new LimiterEntries(maxEntries, nowMs);
  let waiting = 0;

  /** The entries that an attempt counts on, with what each allows. */
  function used(keys: readonly LimitedKey[]): { entry: Entry; rule: LimiterRule }[] {
    const named = keys.flatMap(({ scope, subject, rule }) => (subject === null ? [] : [{ scope, subject, rule }]));
    const taken = entries.take(named.map((key) => ({ ...key, windowMs: key.rule.windowMs })));
    return taken.map((entry, i) => ({ entry, rule: named[i]!.rule }));
  }

  /** What an attempt gets now, or the entry at which it has to wait. */
  function judge(keys: readonly LimitedKey[]): AttemptVerdict | Entry {
    const now = nowMs();
    const limits = used(keys);
    let retryAfterMs = 0;
    let full: Entry | null = null;
    for (const { entry, rule } of limits) {
      const recent = entry.window.recent(now);
      const blockedMs = blockedFor(entry, rule, now);
      if (blockedMs > 0) retryAfterMs = Math.max(retryAfterMs, blockedMs);
      // A rule that was tightened meanwhile: until the failures leave the window.
      else if (recent >= rule.maxAttempts) retryAfterMs = Math.max(retryAfterMs, 1_000);
      else if (recent + entry.pending >= rule.maxAttempts) full ??= entry;
    }
    if (retryAfterMs > 0) return { allowed: false, retryAfterMs };
    return full ?? { allowed: true, attempt: start(limits) };
  }

  function start(limits: readonly { entry: Entry; rule: LimiterRule }[]): Attempt {
    for (const { entry } of limits) entry.pending += 1;
    let open = true;
    /** Ends the attempt once; what it counted is counted before others take its place. */
    const end = <T>(count: () => T): T | null => {
      if (!open) return null;
      open = false;
      for (const { entry } of limits) entry.pending -= 1;
      const counted = count();
      for (const { entry } of limits) admit(entry);
      return counted;
    };
    return {
      async fail() {
        const blocked = await end(() => Promise.all(limits.map(({ entry, rule }) => countFailure(entry, rule))));
        return { blocked: blocked?.includes(true) ?? false };
      },
      async succeed(forgiven) {
        const entriesOf = limits.map(({ entry }) => entry);
        await end(() => (forgiven === undefined ? null : takeBack(entriesOf, entries.find(forgiven))));
      },
      abandon: () => void end(() => null),
    };
  }

  /** Lets those who wait at an entry go on, as far as its attempts have ended. */
  function admit(entry: Entry): void {
    for (let waiter = entry.waiting[0]; waiter !== undefined; waiter = entry.waiting[0]) {
      const verdict = judge(waiter.keys);
      if (verdict === entry) return;
      entry.waiting.shift();
      if ("waiting" in verdict) {
        verdict.waiting.push(waiter);
        continue;
      }
      waiting -= 1;
      waiter.resolve(verdict);
    }
  }

  /** Counts one failure and says whether it was the last one allowed. */
  async function countFailure(entry: Entry, rule: LimiterRule): Promise<boolean> {
    const now = nowMs();
    const { scope, subject } = entry;
    const slot = entry.window.add(now);
    if (entry.window.recent(now) >= rule.maxAttempts) {
      entry.blockedUntilMs = now + rule.blockMs;
      entry.window.clear();
      await store.saveBlock({ scope, subject, untilMs: entry.blockedUntilMs }, now);
      return true;
    }
    await store.saveFailures({ scope, subject, ...slot });
    return false;
  }

  async function takeBack(from: readonly Entry[], forgiven: Entry | undefined): Promise<void> {
    if (forgiven === undefined) return;
    const { windowMs } = forgiven.window;
    const slots = forgiven.window.counts();
    const changed = from
      .filter((entry) => entry.window.windowMs === windowMs)
      .flatMap((entry) => entry.window.takeBack(slots).map((slot) => ({ ...slot, entry })));
    await Promise.all(
      changed.map(({ entry: { scope, subject }, ...slot }) => store.saveFailures({ scope, subject, ...slot })),
    );
  }

  return {
    async restore() {
      const stored = await store.load(nowMs());
      // Until its rule is known again nothing of an entry is too old to count.
      const entryOf = (row: Named): Entry => entries.take([{ ...row, windowMs: anyWindowMs }])[0]!;
      for (const row of stored.failures) entryOf(row).window.put(row);
      for (const row of stored.blocks) entryOf(row).blockedUntilMs = row.untilMs;
    },
    async begin(keys) {
      const verdict = judge(keys);
      if (!("waiting" in verdict)) return verdict;
      if (waiting >= maxWaiting || verdict.waiting.length >= maxWaitingPerKey) {
        throw new AppError("unavailable", undefined, { retryAfterMs: 2_000 });
      }
      waiting += 1;
      return new Promise((resolve) => verdict.waiting.push({ keys, resolve }));
    },
    async fail(keys) {
      const now = nowMs();
      const limits = used(keys).filter(({ entry, rule }) => blockedFor(entry, rule, now) === 0);
      const blocked = await Promise.all(limits.map(({ entry, rule }) => countFailure(entry, rule)));
      return { blocked: blocked.includes(true) };
    },
    blockedForMs(key) {
      const entry = entries.find(key);
      return entry === undefined ? 0 : blockedFor(entry, key.rule, nowMs());
    },
    failures: (key) => entries.find(key)?.window.recent(nowMs()) ?? 0,
  };
}

/** Milliseconds that are left of a block. It began by another clock when they are more than the rule has. */
function blockedFor(entry: Entry, rule: LimiterRule, nowMs: number): number {
  entry.blockedUntilMs = Math.min(entry.blockedUntilMs, nowMs + rule.blockMs);
  return Math.max(0, entry.blockedUntilMs - nowMs);
}
