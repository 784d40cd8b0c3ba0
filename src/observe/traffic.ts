// Traffic over time: counters of the shards summed in memory, added to rows per minute, quarter of an hour and day.

import { addApplicationTotals } from "../db/applications.ts";
import type { Database } from "../db/database.ts";
import { StoredOnce } from "../db/stored-once.ts";
import { addTraffic, allNames, oldestSlot, removeSlot, type Resolution, type TrafficRow } from "../db/traffic.ts";
import type { Logger } from "../lib/log.ts";
import type { TunnelCounters } from "../link/messages.ts";
import { lastFlush } from "./last-flush.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Length of a slot. Days are UTC days. */
export const slotMs: Record<Resolution, number> = { minute: minuteMs, quarter: 15 * minuteMs, day: dayMs };
const resolutions = Object.keys(slotMs) as Resolution[];

/** How long slots are kept beyond what the API shows; days by configuration. */
const minutesKeptMs = 2 * hourMs;
const quartersKeptMs = 26 * hourMs;

/** Small transactions, so that nothing else waits for long. */
const rowsPerTransaction = 300;
/** Names counted between two flushes; more than that are counted in the sums only. */
const mostNames = 100_000;

/** Whose traffic it is. */
export interface TunnelOwner {
  name: string;
  appId: string | null;
  orgId: string | null;
}

export interface Traffic {
  /** Adds what a shard counted. `ownerOf` says whose a tunnel is; unknown ones count for the server alone. */
  onCounters(counters: readonly TunnelCounters[]): void;
  /** Stores what was counted so far. Never throws: what could not be stored is tried again. */
  flush(): Promise<void>;
  /** Flushes and stops: what can't be stored is tried again for two seconds. */
  close(): Promise<void>;
}

type Counts = Omit<TrafficRow, "resolution" | "slot_at" | "name" | "app_id" | "org_id">;
interface Key {
  name: string;
  appId: string;
  orgId: string;
}
type Entry = Key & { counts: Counts };
/** Counts of one minute, by key. */
type Slot = Map<string, Entry>;

/**
 * Starts to flush every `flushMs` (10 s), at once when there was nothing for as long, and to prune every minute. The
 * caller closes it.
 */
export function createTraffic(options: {
  db: Database;
  log: Logger;
  ownerOf: (tunnelId: string) => TunnelOwner | null;
  /** Days that daily slots are kept; the sums of older ones stay. */
  retentionDays: number;
  flushMs?: number;
  nowMs?: () => number;
  /** Hears whose traffic was stored just now; "" is no organization. */
  onStored?: (orgIds: ReadonlySet<string>) => void;
}): Traffic {
  const { db, log, ownerOf } = options;
  const nowMs = options.nowMs ?? Date.now;
  const flushMs = options.flushMs ?? 10_000;
  const once = new StoredOnce(db);
  let waiting = new Map<number, Slot>();
  /** Taken from what waits, and not known to be stored. */
  let part: { minuteAt: number; entries: Entry[] } | null = null;
  let names = 0;
  let flushing: Promise<void> | null = null;
  let prunedAtMs = 0;
  let storedAtMs = 0;

  const add = (slot: Slot, key: Key, counters: TunnelCounters): void => {
    const id = `${key.name} ${key.appId} ${key.orgId}`;
    let entry = slot.get(id);
    if (entry === undefined) {
      if (names >= mostNames && key.name !== allNames) return;
      entry = { ...key, counts: noCounts() };
      slot.set(id, entry);
      names++;
    }
    const { counts } = entry;
    counts.requests += counters.requests;
    counts.connections += counters.connections;
    counts.bytes_in += counters.bytesIn;
    counts.bytes_out += counters.bytesOut;
    counts.status_2xx += counters.status2xx;
    counts.status_3xx += counters.status3xx;
    counts.status_4xx += counters.status4xx;
    counts.status_5xx += counters.status5xx;
  };

  async function store(minuteAt: number, slot: Slot): Promise<void> {
    while (slot.size > 0) {
      const taken = [...slot].slice(0, rowsPerTransaction);
      for (const [id] of taken) slot.delete(id);
      part = { minuteAt, entries: taken.map(([, entry]) => entry) };
      await storePart();
    }
  }

  async function storePart(): Promise<void> {
    if (part === null) return;
    const { minuteAt, entries } = part;
    await once.store(async (trx) => {
      for (const resolution of resolutions) {
        const slot_at = minuteAt - (minuteAt % slotMs[resolution]);
        const rows = entries.map(({ name, appId, orgId, counts }) => ({
          ...{ resolution, slot_at, name, app_id: appId, org_id: orgId },
          ...counts,
        }));
        await addTraffic(trx, rows);
      }
      for (const { appId, counts } of entries) {
        if (appId === "") continue;
        await addApplicationTotals(trx, appId, {
          requests: counts.requests,
          connections: counts.connections,
          bytesIn: counts.bytes_in,
          bytesOut: counts.bytes_out,
        });
      }
    });
    part = null;
  }

  async function storeAll(): Promise<void> {
    const slots = waiting;
    waiting = new Map();
    names = 0;
    const entries = [...(part?.entries ?? []), ...[...slots.values()].flatMap((slot) => [...slot.values()])];
    const orgIds = new Set(entries.map(({ orgId }) => orgId));
    if (orgIds.size > 0) storedAtMs = nowMs();
    orgIds.delete(allNames);
    try {
      await storePart();
      for (const [minuteAt, slot] of slots) await store(minuteAt, slot);
      if (orgIds.size > 0) options.onStored?.(orgIds);
      // Either way: the clock may have been put back.
      if (Math.abs(nowMs() - prunedAtMs) >= minuteMs) {
        prunedAtMs = nowMs();
        await prune();
      }
    } catch (error) {
      log.error("traffic could not be stored; it is tried again", { error: String(error) });
      for (const [minuteAt, slot] of slots) putBack(minuteAt, slot);
    }
  }

  function putBack(minuteAt: number, slot: Slot): void {
    const fresh = waiting.get(minuteAt);
    if (fresh === undefined) {
      waiting.set(minuteAt, slot);
      names += slot.size;
      return;
    }
    for (const [id, entry] of slot) {
      const known = fresh.get(id);
      if (known === undefined) {
        fresh.set(id, entry);
        names++;
      } else for (const key of Object.keys(entry.counts) as (keyof Counts)[]) known.counts[key] += entry.counts[key];
    }
  }

  async function prune(): Promise<void> {
    const now = nowMs();
    const keptMs = { minute: minutesKeptMs, quarter: quartersKeptMs, day: options.retentionDays * dayMs };
    for (const resolution of resolutions) {
      for (;;) {
        const slot = await oldestSlot(db.kysely, resolution, now - keptMs[resolution] - slotMs[resolution]);
        if (slot === null) break;
        await db.transaction((trx) => removeSlot(trx, resolution, slot));
      }
    }
  }

  async function flush(): Promise<void> {
    while (flushing !== null) await flushing;
    flushing = storeAll().finally(() => (flushing = null));
    await flushing;
  }

  const timer = setInterval(() => void flush(), flushMs);

  return {
    onCounters(counters) {
      const now = nowMs();
      const minuteAt = now - (now % minuteMs);
      let slot = waiting.get(minuteAt);
      if (slot === undefined) waiting.set(minuteAt, (slot = new Map()));
      for (const one of counters) {
        if (isNothing(one)) continue;
        const owner = ownerOf(one.tunnelId);
        const orgId = owner?.orgId ?? "";
        if (owner !== null) add(slot, { name: owner.name, appId: owner.appId ?? "", orgId }, one);
        add(slot, { name: allNames, appId: "", orgId }, one);
        add(slot, { name: allNames, appId: "", orgId: allNames }, one);
      }
      // The first request after a quiet time is not "no request in the last hour".
      if (slot.size > 0 && now - storedAtMs >= flushMs) void flush();
    },
    flush,
    async close() {
      clearInterval(timer);
      await lastFlush(flush, () => part === null && waiting.values().every(({ size }) => size === 0));
    },
  };
}

function isNothing(counters: TunnelCounters): boolean {
  const { requests, connections, bytesIn, bytesOut } = counters;
  return requests === 0 && connections === 0 && bytesIn === 0 && bytesOut === 0;
}

function noCounts(): Counts {
  return {
    requests: 0,
    connections: 0,
    bytes_in: 0,
    bytes_out: 0,
    status_2xx: 0,
    status_3xx: 0,
    status_4xx: 0,
    status_5xx: 0,
  };
}
