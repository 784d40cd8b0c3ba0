// The numbers of the overview: counts, traffic over time, the busiest tunnels, the last refusals.

import { anyAudit, readAudit } from "../../db/audit-log.ts";
import { countTotals, type Totals } from "../../db/totals.ts";
import { olderSlot, oldestSlot, readTraffic, type Resolution, type TrafficOf } from "../../db/traffic.ts";
import { isRefusal, toRefusal } from "../../observe/refusals.ts";
import { slotMs } from "../../observe/traffic.ts";
import type { ApiDeps } from "../deps.ts";
import { choiceOf } from "../filters.ts";
import { isConnected, type TunnelDirectory } from "./directory.ts";

/** Slots of a range, the current one included. */
const ranges = {
  hour: { resolution: "minute", slots: 60 },
  day: { resolution: "quarter", slots: 96 },
  month: { resolution: "day", slots: 30 },
} as const satisfies Record<string, { resolution: Resolution; slots: number }>;
export type TrafficRange = keyof typeof ranges;

const totalsKeptMs = 5_000;
const mostTop = 10;
const mostRefusals = 20;
/** Failures looked through for refusals. */
const mostFailures = 200;

export type Numbers = ReturnType<typeof createNumbers>;

export function createNumbers(deps: ApiDeps, directory: TunnelDirectory, options: { retentionDays: number }) {
  const { db, nowMs } = deps;
  /** Counting takes milliseconds, and every open dashboard asks. */
  const known = new Map<string, { atMs: number; totals: Promise<Totals> }>();

  function totalsOf(orgId: string | null): Promise<Totals> {
    const key = orgId ?? "";
    const cached = known.get(key);
    if (cached !== undefined && Math.abs(nowMs() - cached.atMs) < totalsKeptMs) return cached.totals;
    if (known.size > 1_000) known.clear();
    const totals = countTotals(db.kysely, orgId);
    known.set(key, { atMs: nowMs(), totals });
    totals.catch(() => known.delete(key));
    return totals;
  }

  const ofScope = (orgId: string | null): TrafficOf =>
    orgId === null ? { kind: "server" } : { kind: "organization", orgId };

  /** Starts of the last slots, oldest first. */
  function slotsOf(resolution: Resolution, count: number): number[] {
    const length = slotMs[resolution];
    const current = Math.floor(nowMs() / length) * length;
    return Array.from({ length: count }, (_, i) => current - (count - 1 - i) * length);
  }

  /** Those that there may be traffic of: each that is asked for costs, and a hundred years may be kept. */
  async function daysKept(): Promise<number[]> {
    const oldest = await oldestSlot(db.kysely, "day", nowMs());
    if (oldest === null) return [];
    return slotsOf("day", Math.min(Math.floor((nowMs() - oldest) / slotMs.day) + 1, options.retentionDays + 2));
  }

  return {
    async stats(orgId: string | null) {
      const totals = await totalsOf(orgId);
      const rows = await readTraffic(db.kysely, ofScope(orgId), "day", [olderSlot, ...(await daysKept())]);
      return {
        activeTunnels: directory.within(orgId).filter(isConnected).length,
        totalAccounts: totals.accounts,
        activeAccounts: totals.activeAccounts,
        whitelistEntries: totals.whitelistEntries,
        totalTunnels: totals.tunnels,
        totalBytesSent: rows.reduce((sum, row) => sum + row.bytes_out, 0),
        totalBytesReceived: rows.reduce((sum, row) => sum + row.bytes_in, 0),
      };
    },
    /** A point for every slot of the range, empty ones included. */
    async traffic(of: TrafficOf, range: TrafficRange) {
      const { resolution, slots: count } = ranges[range];
      const slots = slotsOf(resolution, count);
      const rows = new Map((await readTraffic(db.kysely, of, resolution, slots)).map((row) => [row.slot_at, row]));
      const points = slots.map((slot) => {
        const row = rows.get(slot);
        return {
          time: new Date(slot).toISOString(),
          requests: row?.requests ?? 0,
          connections: row?.connections ?? 0,
          errors: row?.status_5xx ?? 0,
          bytesIn: row?.bytes_in ?? 0,
          bytesOut: row?.bytes_out ?? 0,
          status2xx: row?.status_2xx ?? 0,
          status3xx: row?.status_3xx ?? 0,
          status4xx: row?.status_4xx ?? 0,
          status5xx: row?.status_5xx ?? 0,
        };
      });
      return { range, stepSeconds: slotMs[resolution] / 1_000, points };
    },
    ofScope,
    async overview(orgId: string | null) {
      const topTunnels = directory
        .within(orgId)
        .filter(isConnected)
        .sort((a, b) => b.totals.requests - a.totals.requests)
        .slice(0, mostTop)
        .map(({ id, name, appId, totals }) => ({
          ...{ id, subdomain: name, appId },
          requests: totals.requests,
          bytesIn: totals.bytesIn,
          bytesOut: totals.bytesOut,
        }));
      const filter = { ...anyAudit, org: choiceOf(orgId ?? undefined), success: false };
      const { rows } = await readAudit(db.kysely, filter, { limit: mostFailures, descending: true, after: null });
      const recentRefusals = rows
        .filter((row) => isRefusal({ action: row.action, success: row.success === 1 }))
        .slice(0, mostRefusals)
        .map((row) => ({
          id: row.id,
          ...toRefusal({
            action: row.action,
            atMs: row.at,
            actorName: row.actor_name,
            appId: row.app_id,
            reason: row.reason,
            address: row.address,
            identity: row.identity,
            requestId: row.request_id,
            details: row.details_json === null ? null : (JSON.parse(row.details_json) as Record<string, unknown>),
          }),
        }));
      return { topTunnels, recentRefusals };
    },
  };
}
