// Counts failed attempts in a sliding window and blocks what fails too often; survives a restart through its store.

/** How often a key may fail before it is blocked, and for how long. */
export interface LimiterRule {
  maxAttempts: number;
  windowMs: number;
  blockMs: number;
}

/** What is limited: a scope (`login`, `totp`, …) and a subject inside it (an address, an account id). */
export interface LimitedKey {
  scope: string;
  /** Bounded by the caller. */
  subject: string;
  /** null counts without ever blocking. */
  rule: LimiterRule | null;
}

/** Where failures and blocks are kept between two lives of the process. */
export interface LimiterStore {
  load(nowMs: number): Promise<{ failures: StoredFailures[]; blocks: StoredBlock[] }>;
  saveFailures(row: StoredFailures): Promise<void>;
  /** Replaces the failures of the subject. */
  saveBlock(row: StoredBlock, nowMs: number): Promise<void>;
  remove(scope: string, subject: string): Promise<void>;
}

export interface StoredFailures {
  scope: string;
  subject: string;
  /** Start of a slot of time. */
  slotAtMs: number;
  failures: number;
}

export interface StoredBlock {
  scope: string;
  subject: string;
  untilMs: number;
}

/** An attempt that may go on. Exactly one of the three must be called when its outcome is known. */
export interface Attempt {
  /** The credential was wrong: counts for every subject. `blocked` says whether that was the last one allowed. */
  fail(): Promise<{ blocked: boolean }>;
  /** The credential was right: forgets the subjects named here (never the address: an attacker has an account too). */
  succeed(forget?: readonly Pick<LimitedKey, "scope" | "subject">[]): Promise<void>;
  /** Nothing was learned about the credential (the server was busy): counts nowhere. */
  abandon(): void;
}

export type AttemptVerdict = { allowed: true; attempt: Attempt } | { allowed: false; retryAfterMs: number };

export interface Limiter {
  /** Loads what was stored. Call once, before the first attempt. */
  restore(): Promise<void>;
  /**
   * Asks for one attempt under several keys at once. Attempts in flight count as failures until they end, so that
   * a burst of parallel guesses gets no more tries than a sequence.
   */
  begin(keys: readonly LimitedKey[]): AttemptVerdict;
  /** Milliseconds until the block of a subject ends; 0 when it is not blocked. For secrets that nobody can guess in parallel. */
  blockedForMs(key: Pick<LimitedKey, "scope" | "subject">): number;
  /** Failures of a subject inside its window, for slowing down without blocking. */
  failures(key: Pick<LimitedKey, "scope" | "subject">): number;
  /** Lifts a block and forgets the failures. */
  forget(key: Pick<LimitedKey, "scope" | "subject">): Promise<void>;
}

interface Entry {
  scope: string;
  subject: string;
  /** Failures by the start of their slot, oldest first. */
  slots: Map<number, number>;
  blockedUntilMs: number;
  pending: number;
  windowMs: number;
}

const maxEntries = 50_000;
const slotsPerWindow = 15;
const defaultWindowMs = 15 * 60_000;

/** Counts in memory, writes through to the store on each failure (successes are the common case and write nothing). */
export function createLimiter(options: { store: LimiterStore; nowMs: () => number }): Limiter {
  const { store, nowMs } = options;
  const entries = new Map<string, Entry>();

  function entryOf(scope: string, subject: string, windowMs: number): Entry {
    const id = `${scope}\n${subject}`;
    const known = entries.get(id);
    if (known !== undefined) {
      known.windowMs = windowMs;
      return known;
    }
    if (entries.size >= maxEntries) makeRoom();
    const entry: Entry = { scope, subject, slots: new Map(), blockedUntilMs: 0, pending: 0, windowMs };
    entries.set(id, entry);
    return entry;
  }

  /** Drops what has expired, and then the oldest entries that are neither blocked nor in use. */
  function makeRoom(): void {
    const now = nowMs();
    const idle = (entry: Entry): boolean => entry.pending === 0 && entry.blockedUntilMs <= now;
    for (const [id, entry] of entries) if (idle(entry) && recentFailures(entry, now) === 0) entries.delete(id);
    for (const [id, entry] of entries) {
      if (entries.size < maxEntries * 0.9) return;
      if (idle(entry)) entries.delete(id);
    }
  }

  function waitMs(entry: Entry, rule: LimiterRule, now: number): number {
    if (entry.blockedUntilMs > now) return entry.blockedUntilMs - now;
    // The attempts in flight may use up what is left: come back in a moment.
    return recentFailures(entry, now) + entry.pending >= rule.maxAttempts ? 1_000 : 0;
  }

  /** Counts one failure and says whether it was the last one allowed. */
  async function countFailure(entry: Entry, rule: LimiterRule | null): Promise<boolean> {
    const now = nowMs();
    const { scope, subject } = entry;
    const slotAtMs = slotStart(now, entry.windowMs);
    const failures = (entry.slots.get(slotAtMs) ?? 0) + 1;
    entry.slots.set(slotAtMs, failures);
    if (rule !== null && recentFailures(entry, now) >= rule.maxAttempts) {
      entry.blockedUntilMs = now + rule.blockMs;
      entry.slots.clear();
      await store.saveBlock({ scope, subject, untilMs: entry.blockedUntilMs }, now);
      return true;
    }
    await store.saveFailures({ scope, subject, slotAtMs, failures });
    return false;
  }

  async function forget(key: Pick<LimitedKey, "scope" | "subject">): Promise<void> {
    const entry = entries.get(`${key.scope}\n${key.subject}`);
    if (entry === undefined || (entry.slots.size === 0 && entry.blockedUntilMs === 0)) return;
    entry.slots.clear();
    entry.blockedUntilMs = 0;
    await store.remove(key.scope, key.subject);
  }

  return {
    async restore() {
      const stored = await store.load(nowMs());
      for (const row of stored.failures)
        entryOf(row.scope, row.subject, defaultWindowMs).slots.set(row.slotAtMs, row.failures);
      for (const row of stored.blocks) entryOf(row.scope, row.subject, defaultWindowMs).blockedUntilMs = row.untilMs;
    },
    begin(keys) {
      const now = nowMs();
      const used = keys.map(({ scope, subject, rule }) => ({
        rule,
        entry: entryOf(scope, subject, rule?.windowMs ?? defaultWindowMs),
      }));
      const retryAfterMs = Math.max(
        0,
        ...used.map(({ entry, rule }) => (rule === null ? 0 : waitMs(entry, rule, now))),
      );
      if (retryAfterMs > 0) return { allowed: false, retryAfterMs };
      for (const { entry } of used) entry.pending += 1;
      let open = true;
      const close = (): boolean => {
        if (!open) return false;
        open = false;
        for (const { entry } of used) entry.pending -= 1;
        return true;
      };
      const attempt: Attempt = {
        async fail() {
          if (!close()) return { blocked: false };
          const blocked = await Promise.all(used.map(({ entry, rule }) => countFailure(entry, rule)));
          return { blocked: blocked.includes(true) };
        },
        async succeed(forgotten = []) {
          if (close()) await Promise.all(forgotten.map(forget));
        },
        abandon: () => void close(),
      };
      return { allowed: true, attempt };
    },
    blockedForMs(key) {
      const entry = entries.get(`${key.scope}\n${key.subject}`);
      return entry === undefined ? 0 : Math.max(0, entry.blockedUntilMs - nowMs());
    },
    failures(key) {
      const entry = entries.get(`${key.scope}\n${key.subject}`);
      return entry === undefined ? 0 : recentFailures(entry, nowMs());
    },
    forget,
  };
}

function slotStart(atMs: number, windowMs: number): number {
  const slotMs = Math.max(1_000, Math.ceil(windowMs / slotsPerWindow));
  return Math.floor(atMs / slotMs) * slotMs;
}

/** Failures inside the window; a slot counts until all of it has left, and is forgotten then. */
function recentFailures(entry: Entry, nowMs: number): number {
  const oldest = slotStart(nowMs - entry.windowMs, entry.windowMs);
  let sum = 0;
  for (const [slotAtMs, failures] of entry.slots) {
    if (slotAtMs < oldest) entry.slots.delete(slotAtMs);
    else sum += failures;
  }
  return sum;
}
