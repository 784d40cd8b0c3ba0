// Writes the audit log: changes in their own transaction, events in batches off the request path, all in one hash chain.

import { takeOrderLock } from "../db/changes.ts";
import type { Database, Trx } from "../db/database.ts";
import { StoredOnce } from "../db/stored-once.ts";
import type { AuditLogTable } from "../db/tables-record.ts";
import { AppError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Repeats } from "../lib/repeats.ts";
import { auditHash } from "./audit-chain.ts";
import { rowOf } from "./audit-row.ts";
import { lastFlush } from "./last-flush.ts";
import { Outage } from "./outage.ts";
import { repeated, repeatKeyOf } from "./refusals.ts";

/** What happened. Text from outside is escaped and cut here; secrets must not be in it. */
export interface AuditEntry {
  /** `subject.verb`: `tunnel.opened`, `account.created`, `login.failed`, … */
  action: string;
  /** True unless given: the attempt was let through, the change was made. */
  success?: boolean;
  reason?: string | null;
  /** What kind of credential: `token`, `api_key`, `password`, `totp`, `basic`, `oidc`, … */
  authType?: string | null;
  orgId?: string | null;
  appId?: string | null;
  actorId?: string | null;
  actorName?: string | null;
  address?: string | null;
  /** Who somebody said to be. */
  identity?: string | null;
  keyId?: string | null;
  requestId?: string | null;
  /** Before and after, and what else the action has. Small. */
  details?: Record<string, unknown> | null;
  /** When it happened; now unless given. */
  atMs?: number;
}

export interface Audit {
  /** Notes an event; it is stored at most `flushMs` later. Never throws, never waits. */
  record(entry: AuditEntry): void;
  /**
   * As `record`, for a refusal that whoever caused it can repeat at will, such as one by a limiter or by a door without one: the
   * first of a minute is an entry at once, the others become one that says how many (`details.times`). Who is meant: refusals.ts.
   */
  refused(entry: AuditEntry): void;
  /**
   * Stores entries inside the transaction of the change they tell of. Call it after the change's own statements.
   * Throws `AppError("audit_unavailable")`, so that nothing is changed that the log does not show.
   */
  within(trx: Trx, ...entries: AuditEntry[]): Promise<void>;
  /** Resolves when everything recorded so far is stored, or could not be. */
  flush(): Promise<void>;
  /** Flushes and stops: what can't be stored is tried again for two seconds. */
  close(): Promise<void>;
}

const batchRows = 500;
/** How often is looked for refusals whose minute is over. */
const sweepMs = 1_000;
/** Events kept while the database can't be written; the oldest ones go first, and an entry tells how many. */
const mostWaiting = 100_000;

/** `onRecord` hears of every recorded event at once (not of changes); it must not throw. The caller closes it. */
export function createAudit(options: {
  db: Database;
  log: Logger;
  flushMs: number;
  clock?: () => number;
  onRecord?: (entry: AuditEntry) => void;
}): Audit {
  const { db, log, flushMs } = options;
  const clock = options.clock ?? Date.now;
  const once = new StoredOnce(db);
  const waiting: AuditEntry[] = [];
  /** Taken from those that wait, and not known to be stored. */
  let batch: AuditEntry[] = [];
  let lost = 0;
  let timer: Timer | undefined;
  let writing: Promise<void> | null = null;
  let failing = false;
  const outage = new Outage(log, {
    failing: "the audit log cannot be written; events are kept in memory",
    works: "the audit log is written again",
  });

  const writeBatches = async (): Promise<void> => {
    while (!isStored()) {
      if (batch.length === 0) batch = takeBatch();
      try {
        await once.store((trx) => append(db, trx, batch, clock));
        failing = false;
        outage.worked();
      } catch (error) {
        failing = true;
        outage.failed(error, { waiting: batch.length + waiting.length });
        return;
      }
      batch = [];
    }
  };

  const takeBatch = (): AuditEntry[] => {
    const taken = waiting.splice(0, batchRows);
    if (lost > 0) taken.push({ action: "audit.lost", success: false, reason: `${lost} events could not be stored` });
    lost = 0;
    return taken;
  };

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    while (writing !== null) await writing;
    writing = writeBatches().finally(() => (writing = null));
    await writing;
    if (!isStored()) schedule();
  };

  const isStored = (): boolean => batch.length === 0 && waiting.length === 0;

  const schedule = (): void => {
    // After a failure a second is soon enough: the database is not asked four times a second while it is down.
    timer ??= setTimeout(() => void flush(), failing ? Math.max(flushMs, 1_000) : flushMs);
  };

  const record = (entry: AuditEntry): void => {
    if (waiting.length >= mostWaiting) {
      waiting.shift();
      lost++;
    }
    const stamped = { ...entry, atMs: entry.atMs ?? clock() };
    waiting.push(stamped);
    schedule();
    options.onRecord?.(stamped);
  };

  const repeats = new Repeats<AuditEntry>({ tell: (entry, times) => record(repeated(entry, times)) });
  let sweeper: Timer | undefined;
  const sweep = (): void => {
    repeats.sweep();
    sweeper = repeats.isIdle ? undefined : setTimeout(sweep, sweepMs);
  };

  return {
    record,
    refused(entry) {
      repeats.note(repeatKeyOf(entry), { ...entry, success: false, atMs: entry.atMs ?? clock() });
      sweeper ??= setTimeout(sweep, sweepMs);
    },
    async within(trx, ...entries) {
      try {
        await append(db, trx, entries, clock);
      } catch (error) {
        throw new AppError("audit_unavailable", undefined, { cause: error });
      }
    },
    flush,
    async close() {
      clearTimeout(sweeper);
      repeats.flush();
      await lastFlush(flush, isStored);
      clearTimeout(timer);
    },
  };
}

async function append(db: Database, trx: Trx, entries: AuditEntry[], clock: () => number): Promise<void> {
  if (entries.length === 0) return;
  await takeOrderLock(trx, db.engine);
  const chain = await trx
    .selectFrom("audit_chain")
    .select(["head_seq", "head_hash"])
    .where("id", "=", 1)
    .executeTakeFirstOrThrow();
  let { head_seq: seq, head_hash: hash } = chain;
  const rows: AuditLogTable[] = [];
  for (const entry of entries) {
    const unhashed = rowOf(++seq, entry, clock());
    const prevHash = hash;
    hash = auditHash(prevHash, unhashed);
    rows.push({ ...unhashed, prev_hash: prevHash, hash });
  }
  await trx.insertInto("audit_log").values(rows).execute();
  await trx.updateTable("audit_chain").set({ head_seq: seq, head_hash: hash }).where("id", "=", 1).execute();
}
