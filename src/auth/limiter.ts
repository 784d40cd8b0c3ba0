// Counts failed attempts in a sliding window and blocks what fails too often; survives a restart through its store.

import { AppError } from "../lib/errors.ts";
import { FailureWindow } from "./failure-window.ts";
import type {
  Attempt,
  AttemptVerdict,
  LimitedKey,
  Limiter,
  LimiterRule,
  LimiterStore,
  MaybeNamed,
  Named,
} from "./limiter-types.ts";

interface Entry {
  scope: string;
  subject: string;
  window: FailureWindow;
  blockedUntilMs: number;
  /** Attempts under way. */
  pending: number;
  /** Attempts that wait for the outcome of those, oldest first. */
  waiting: Waiter[];
}

interface Waiter {
  keys: readonly LimitedKey[];
  resolve(verdict: AttemptVerdict): void;
}

const maxEntries = 50_000;
const maxWaiting = 1_000;
const maxWaitingPerKey = 100;
const defaultWindowMs = 15 * 60_000;

/** Counts in memory, writes through to the store on each failure (successes are the common case and write nothing). */
export function createLimiter(options: { store: LimiterStore; nowMs: () => number }): Limiter {
  const { store, nowMs } = options;
  const entries = new Map<string, Entry>();
  let waiting = 0;

  function entryOf({ scope, subject }: Named, windowMs: number): Entry {
    const id = `${scope}\n${subject}`;
    const existing = entries.get(id);
    if (existing !== undefined) {
      existing.window.windowMs = windowMs;
      return existing;
    }
    if (entries.size >= maxEntries) makeRoom();
    const window = new FailureWindow(windowMs);
    const entry: Entry = { scope, subject, window, blockedUntilMs: 0, pending: 0, waiting: [] };
    entries.set(id, entry);
    return entry;
  }

  const known = ({ scope, subject }: MaybeNamed) => entries.get(`${scope}\n${subject}`);
  const used = (keys: readonly LimitedKey[]) =>
    keys.flatMap(({ scope, subject, rule }) =>
      subject === null ? [] : [{ rule, entry: entryOf({ scope, subject }, rule?.windowMs ?? defaultWindowMs) }],
    );

  /** Drops what has expired, and then the oldest entries that are neither blocked nor in use. */
  function makeRoom(): void {
    const now = nowMs();
    const idle = (entry: Entry): boolean => entry.pending === 0 && entry.blockedUntilMs <= now;
    for (const [id, entry] of entries) if (idle(entry) && entry.window.recent(now) === 0) entries.delete(id);
    for (const [id, entry] of entries) {
      if (entries.size < maxEntries * 0.9) return;
      if (idle(entry)) entries.delete(id);
    }
  }

  /** What an attempt gets now, or the entry at which it has to wait. */
  function judge(keys: readonly LimitedKey[]): AttemptVerdict | Entry {
    const now = nowMs();
    const limits = used(keys);
    let retryAfterMs = 0;
    let full: Entry | null = null;
    for (const { entry, rule } of limits) {
      if (rule === null) continue;
      const recent = entry.window.recent(now);
      if (entry.blockedUntilMs > now) retryAfterMs = Math.max(retryAfterMs, entry.blockedUntilMs - now);
      // A rule that was tightened meanwhile: until the failures leave the window.
      else if (recent >= rule.maxAttempts) retryAfterMs = Math.max(retryAfterMs, 1_000);
      else if (recent + entry.pending >= rule.maxAttempts) full ??= entry;
    }
    if (retryAfterMs > 0) return { allowed: false, retryAfterMs };
    return full ?? { allowed: true, attempt: start(limits) };
  }

  function start(limits: readonly { entry: Entry; rule: LimiterRule | null }[]): Attempt {
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
        await end(() => (forgiven === undefined ? null : takeBack(entriesOf, known(forgiven))));
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
  async function countFailure(entry: Entry, rule: LimiterRule | null): Promise<boolean> {
    const now = nowMs();
    const { scope, subject } = entry;
    const slot = entry.window.add(now);
    if (rule !== null && entry.window.recent(now) >= rule.maxAttempts) {
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
      for (const row of stored.failures) entryOf(row, defaultWindowMs).window.put(row);
      for (const row of stored.blocks) entryOf(row, defaultWindowMs).blockedUntilMs = row.untilMs;
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
      const limits = used(keys).filter(({ rule, entry }) => rule === null || entry.blockedUntilMs <= now);
      const blocked = await Promise.all(limits.map(({ entry, rule }) => countFailure(entry, rule)));
      return { blocked: blocked.includes(true) };
    },
    blockedForMs: (key) => Math.max(0, (known(key)?.blockedUntilMs ?? 0) - nowMs()),
    failures: (key) => known(key)?.window.recent(nowMs()) ?? 0,
  };
}
