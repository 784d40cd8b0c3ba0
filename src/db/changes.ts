// The feed of changes: each change leaves a row in its own transaction, and every process hears of all of them, in order.

import { sql, type Kysely, type Transaction } from "kysely";
import type { Engine } from "./engine.ts";
import type { SqliteConnection } from "./sqlite.ts";
import type { Tables } from "./tables.ts";

export type ChangeKind =
  | "account"
  | "organization"
  | "application"
  | "policy"
  | "rate_limit"
  | "api_key"
  | "whitelist"
  | "lease"
  | "session"
  | "settings";

/** One change, as listeners see it. `refId` is the id of what changed; its row may be gone already. */
export interface Change {
  id: number;
  kind: ChangeKind;
  refId: string;
  orgId: string | null;
  action: "created" | "updated" | "deleted";
  atMs: number;
}

export interface ChangesFeed {
  /** Writes the row inside the transaction of the change itself. Call it last: on PostgreSQL it takes a lock until the commit. */
  record(
    trx: Transaction<Tables>,
    change: { kind: ChangeKind; refId: string; orgId?: string | null; action: Change["action"] },
  ): Promise<void>;
  /** Calls `listener` with new changes of all processes, oldest first, ours included. Returns how to stop. Listeners must not throw. */
  subscribe(listener: (changes: Change[]) => void): () => void;
  /** Begins to watch; changes from now on are delivered. Read what you compile *after* this has resolved. */
  start(): Promise<void>;
  /** Reads at once instead of at the next poll; `Database.transaction` calls it after each commit. */
  wake(): void;
  /** Resolves when the listeners have heard of all that was committed so far (or the database can't be read). */
  caughtUp(): Promise<void>;
  /** Whether the listeners have heard of all that was committed five seconds ago; also before `start`. */
  isCurrent(): boolean;
  stop(): Promise<void>;
}

/**
 * Feed and audit log are read in the order of their numbers, so these must become visible in order: on PostgreSQL their
 * writers take turns until the commit (on SQLite all writers do). One lock for both, so that no two can wait crosswise.
 */
const orderLock = 7_203_412;
const pageRows = 1_000;
/** A database that can't be read is asked this often. */
const retryMs = 1_000;
/** What a change closes is closed by then (docs/security.md, 11). */
const deafAfterMs = 5_000;
/** Rows older than this are removed by `pruneChanges`; far longer than any reader lags. */
const changesKeptMs = 24 * 3_600_000;

/**
 * Creates the feed of one database, which it reads by `kysely`. Every `pollMs` it asks whether another process has written: SQLite by its
 * `data_version`; PostgreSQL by reading, as a connection on which one only listens may fall silent without an end.
 */
export function createChangesFeed(options: {
  kysely: Kysely<Tables>;
  engine: Engine;
  sqlite: SqliteConnection | null;
  pollMs: number;
  onError: (error: unknown) => void;
  /** Hears of each look at the database that worked. */
  onRead?: () => void;
}): ChangesFeed {
  const { kysely, engine, sqlite, onError, onRead } = options;
  const listeners = new Set<(changes: Change[]) => void>();
  let lastId = 0;
  let running = false;
  let reading: Promise<void> | null = null;
  let again = false;
  let timer: Timer | undefined;
  /** What SQLite's `data_version` was, and when it was, as of which everything is known. */
  let version: number | undefined;
  let currentAtMs = 0;
  let restUntilMs = 0;

  const readNew = async (): Promise<void> => {
    for (;;) {
      const begunAtMs = performance.now();
      const begunVersion = sqlite?.dataVersion();
      const rows = await kysely
        .selectFrom("changes")
        .selectAll()
        .where("id", ">", lastId)
        .orderBy("id")
        .limit(pageRows)
        .execute();
      const newest = rows.at(-1);
      if (newest === undefined) {
        version = begunVersion;
        currentAtMs = begunAtMs;
        onRead?.();
      }
      if (newest === undefined || !running) return;
      lastId = newest.id;
      const changes = rows.map((row) => ({
        id: row.id,
        kind: row.kind as ChangeKind,
        refId: row.ref_id,
        orgId: row.org_id,
        action: row.action,
        atMs: row.at,
      }));
      for (const listener of listeners) listener(changes);
    }
  };

  const wake = (): void => {
    if (!running) return;
    if (reading !== null) {
      again = true;
      return;
    }
    const begunAtMs = performance.now();
    reading = readNew()
      .catch((error: unknown) => {
        restUntilMs = begunAtMs + retryMs;
        onError(error);
      })
      .finally(() => {
        reading = null;
        if (!again) return;
        again = false;
        wake();
      });
  };

  const poll = (): void => {
    const nowMs = performance.now();
    if (reading !== null || nowMs < restUntilMs) return;
    try {
      if (sqlite === null || sqlite.dataVersion() !== version) wake();
      else {
        currentAtMs = nowMs;
        onRead?.();
      }
    } catch (error) {
      restUntilMs = nowMs + retryMs;
      onError(error);
    }
  };

  return {
    async record(trx, change) {
      await takeOrderLock(trx, engine);
      await trx
        .insertInto("changes")
        .values({
          kind: change.kind,
          ref_id: change.refId,
          org_id: change.orgId ?? null,
          action: change.action,
          at: Date.now(),
        })
        .execute();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async start() {
      const newest = await kysely
        .selectFrom("changes")
        .select((eb) => eb.fn.max("id").as("id"))
        .executeTakeFirst();
      lastId = newest?.id ?? 0;
      running = true;
      currentAtMs = performance.now();
      timer = setInterval(poll, options.pollMs);
    },
    wake,
    async caughtUp() {
      wake();
      while (reading !== null) await reading;
    },
    isCurrent: () => !running || performance.now() - currentAtMs < deafAfterMs,
    async stop() {
      running = false;
      clearInterval(timer);
      await reading;
    },
  };
}

/** Makes this transaction the only one that appends to the feed or the audit log until it ends. */
export async function takeOrderLock(trx: Transaction<Tables>, engine: Engine): Promise<void> {
  if (engine === "postgres") await sql`select pg_advisory_xact_lock(${sql.lit(orderLock)})`.execute(trx);
}

/** Removes what every reader has seen long ago. */
export async function pruneChanges(kysely: Kysely<Tables>, nowMs: number): Promise<void> {
  await kysely
    .deleteFrom("changes")
    .where("at", "<", nowMs - changesKeptMs)
    .execute();
}
