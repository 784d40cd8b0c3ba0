// Traffic rollups: added to per slot of time, read as series, pruned slot by slot.

import { sql } from "kysely";
import type { Queryable, Trx } from "./database.ts";
import type { TrafficTable } from "./tables-record.ts";

export type Resolution = TrafficTable["resolution"];
export type TrafficRow = TrafficTable;

/**
 * Name of the rows that hold sums: of one organization (`org_id` its id, empty text for accounts without one), and, with
 * this in `org_id` too, of the whole server. No name can be this.
 */
export const allNames = "*";

/** Slot that holds the sums of days that were pruned. */
export const olderSlot = 0;

const counters = [
  "requests",
  "connections",
  "bytes_in",
  "bytes_out",
  "status_2xx",
  "status_3xx",
  "status_4xx",
  "status_5xx",
] as const satisfies (keyof TrafficTable)[];

export type TrafficSums = Pick<TrafficTable, (typeof counters)[number]>;

/** Adds to rows, creating those that are missing. At most a few hundred rows a call; no two of the same slot and key. */
export async function addTraffic(db: Queryable, rows: readonly TrafficRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db
    .insertInto("traffic")
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(["resolution", "slot_at", "name", "app_id", "org_id"])
        .doUpdateSet((eb) =>
          Object.fromEntries(
            counters.map((column) => [column, eb(eb.ref(`traffic.${column}`), "+", eb.ref(`excluded.${column}`))]),
          ),
        ),
    )
    .execute();
}

/** What a series is about. */
export type TrafficOf =
  { kind: "server" } | { kind: "organization"; orgId: string } | { kind: "application"; appId: string };

/** Sums per slot, for those of `slots` that have any. */
export async function readTraffic(
  db: Queryable,
  of: TrafficOf,
  resolution: Resolution,
  slots: readonly number[],
): Promise<(TrafficSums & { slot_at: number })[]> {
  const query = db
    .selectFrom("traffic")
    .select("slot_at")
    .select(counters.map((column) => sql<number | string>`sum(${sql.ref(column)})`.as(column)))
    .where("resolution", "=", resolution)
    .where("slot_at", "in", slots)
    .groupBy("slot_at");
  const scoped =
    of.kind === "application"
      ? query.where("app_id", "=", of.appId)
      : query
          .where("name", "=", allNames)
          .where("app_id", "=", "")
          .where("org_id", "=", of.kind === "server" ? allNames : of.orgId);
  const rows = await scoped.execute();
  return rows.map((row) => ({ slot_at: row.slot_at, ...numbersOf(row) }));
}

/** The oldest slot of a resolution before `beforeMs`, the one of older sums apart; null when there is none. */
export async function oldestSlot(db: Queryable, resolution: Resolution, beforeMs: number): Promise<number | null> {
  const row = await db
    .selectFrom("traffic")
    .select("slot_at")
    .where("resolution", "=", resolution)
    .where("slot_at", ">", olderSlot)
    .where("slot_at", "<", beforeMs)
    .orderBy("slot_at")
    .limit(1)
    .executeTakeFirst();
  return row?.slot_at ?? null;
}

/** Removes a slot; of days, the sums are added to the slot of older ones first. */
export async function removeSlot(trx: Trx, resolution: Resolution, slotAt: number): Promise<void> {
  if (resolution === "day") {
    const sums = await trx
      .selectFrom("traffic")
      .selectAll()
      .where("resolution", "=", resolution)
      .where("slot_at", "=", slotAt)
      .where("name", "=", allNames)
      .execute();
    for (let i = 0; i < sums.length; i += 500) {
      await addTraffic(
        trx,
        sums.slice(i, i + 500).map((row) => ({ ...row, slot_at: olderSlot })),
      );
    }
  }
  await trx.deleteFrom("traffic").where("resolution", "=", resolution).where("slot_at", "=", slotAt).execute();
}

/** PostgreSQL's sums are texts. */
function numbersOf(row: Record<(typeof counters)[number], number | string>): TrafficSums {
  return Object.fromEntries(counters.map((column) => [column, Number(row[column])])) as TrafficSums;
}
