// What a limiter remembers, bounded: a flood under one scope pushes out what stands under that scope, and nothing else.

import { FailureWindow } from "./failure-window.ts";
import type { AttemptVerdict, LimitedKey, MaybeNamed, Named } from "./limiter-types.ts";

export interface Entry extends Named {
  window: FailureWindow;
  blockedUntilMs: number;
  /** Attempts under way. */
  pending: number;
  /** Attempts that wait for the outcome of those, oldest first. */
  waiting: Waiter[];
}

export interface Waiter {
  keys: readonly LimitedKey[];
  resolve(verdict: AttemptVerdict): void;
}

/** Everything that is in use stays; of the rest at most `maxEntries` are kept. */
export class LimiterEntries {
  readonly #scopes = new Map<string, Map<string, Entry>>();
  #size = 0;

  constructor(
    private readonly maxEntries: number,
    private readonly nowMs: () => number,
  ) {}

  find({ scope, subject }: MaybeNamed): Entry | undefined {
    return subject === null ? undefined : this.#scopes.get(scope)?.get(subject);
  }

  /** The entries of several keys at once, made where there are none; each stays at least until the next call. */
  take(keys: readonly (Named & { windowMs: number })[]): Entry[] {
    if (this.#size + keys.length > this.maxEntries) this.#makeRoom();
    return keys.map(({ scope, subject, windowMs }) => {
      const known = this.find({ scope, subject });
      if (known !== undefined) {
        known.window.windowMs = windowMs;
        return known;
      }
      const window = new FailureWindow(windowMs);
      const entry: Entry = { scope, subject, window, blockedUntilMs: 0, pending: 0, waiting: [] };
      const entries = this.#scopes.get(scope) ?? new Map<string, Entry>();
      this.#scopes.set(scope, entries.set(subject, entry));
      this.#size += 1;
      return entry;
    });
  }

  /** Drops what has expired; then, from the largest scope on, the oldest entries: those with failures, at last blocked ones. */
  #makeRoom(): void {
    const now = this.nowMs();
    const enough = Math.floor(this.maxEntries * 0.9);
    const isBlocked = (entry: Entry): boolean => entry.blockedUntilMs > now;
    this.#drop((entry) => !isBlocked(entry) && entry.window.recent(now) === 0, 0);
    this.#drop((entry) => !isBlocked(entry), enough);
    this.#drop(() => true, enough);
  }

  /** Drops what `may` be dropped until `target` are left. */
  #drop(may: (entry: Entry) => boolean, target: number): void {
    const largestFirst = [...this.#scopes].sort(([, a], [, b]) => b.size - a.size);
    for (const [scope, entries] of largestFirst) {
      for (const [subject, entry] of entries) {
        if (this.#size <= target) return;
        if (entry.pending > 0 || !may(entry)) continue;
        entries.delete(subject);
        this.#size -= 1;
      }
      if (entries.size === 0) this.#scopes.delete(scope);
    }
  }
}
