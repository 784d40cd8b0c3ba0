// What a limiter of failed attempts promises, and what it needs to keep its counts.

import type { SlotCount } from "./failure-window.ts";

/** How often a key may fail before it is blocked, and for how long. */
export interface LimiterRule {
  maxAttempts: number;
  windowMs: number;
  blockMs: number;
}

/** What is limited: a scope (`login`, `totp`, …) and a subject inside it (an address, an account id), bounded by the caller. */
export interface Named {
  scope: string;
  subject: string;
}

/** A key without a subject (an address that nobody named) counts nowhere and limits nothing. */
export interface MaybeNamed {
  scope: string;
  subject: string | null;
}

export interface LimitedKey extends MaybeNamed {
  rule: LimiterRule;
}

/** Counts as `rule` does and never blocks: what it counted can be taken back from keys under that rule. */
export function countedAs(rule: LimiterRule): LimiterRule {
  return { ...rule, maxAttempts: Infinity };
}

/** Where failures and blocks are kept between two lives of the process. */
export interface LimiterStore {
  load(nowMs: number): Promise<{ failures: StoredFailures[]; blocks: StoredBlock[] }>;
  saveFailures(row: StoredFailures): Promise<void>;
  /** Replaces the failures of the subject. */
  saveBlock(row: StoredBlock, nowMs: number): Promise<void>;
}

export interface StoredFailures extends Named, SlotCount {}

export interface StoredBlock extends Named {
  untilMs: number;
}

/** An attempt that may go on. Exactly one of the three must be called when its outcome is known. */
export interface Attempt {
  /** The credential was wrong: counts for every key. `blocked` says whether that was the last one allowed. */
  fail(): Promise<{ blocked: boolean }>;
  /**
   * The credential was right. The failures of `forgiven`, one of the attempt's keys, are taken back from all of them that
   * count in the same window: who mistyped and then got in leaves nothing behind, and what others failed at stays.
   */
  succeed(forgiven?: MaybeNamed): Promise<void>;
  /** Nothing was learned about the credential (the server was busy): counts nowhere. */
  abandon(): void;
}

export type AttemptVerdict = { allowed: true; attempt: Attempt } | { allowed: false; retryAfterMs: number };

export interface Limiter {
  /** Loads what was stored. Call once, before the first attempt. */
  restore(): Promise<void>;
  /**
   * Asks for one attempt under several keys at once. Never are more under way than may still fail, so that a burst of
   * parallel guesses gets no more tries than a sequence; the surplus waits, in its order, for the outcome of those.
   * Rejects with `unavailable` when too many wait.
   */
  begin(keys: readonly LimitedKey[]): Promise<AttemptVerdict>;
  /**
   * Counts a failure that nobody asked for beforehand: of secrets that can't be guessed in parallel. `blocked` says
   * whether that was the last one allowed. A key that is blocked already counts no more.
   */
  fail(keys: readonly LimitedKey[]): Promise<{ blocked: boolean }>;
  /** Milliseconds until the block of a subject ends, never more than its rule has; 0 when it is not blocked. */
  blockedForMs(key: LimitedKey): number;
  /** Failures of a subject inside its window, for slowing down without blocking. */
  failures(key: MaybeNamed): number;
}
