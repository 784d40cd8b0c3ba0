// Queries of leases and of the history of tunnels.

import type { Queryable } from "./database.ts";
import type { LeasesTable, TunnelsTable } from "./tables-record.ts";

export async function listLeases(db: Queryable): Promise<LeasesTable[]> {
  return db.selectFrom("leases").selectAll().orderBy("taken_at").execute();
}

/**
 * Stores a lease; false when the name is somebody else's. One statement, so that two servers of one database can't both
 * take a name: a row gives way only to its own holder, to its own application, or once it is free.
 */
export async function takeLease(db: Queryable, lease: LeasesTable, nowMs: number): Promise<boolean> {
  const { name: _name, ...changes } = lease;
  const result = await db
    .insertInto("leases")
    .values(lease)
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet(changes)
        .where((eb) =>
          eb.or([
            eb("leases.holder_id", "=", lease.holder_id),
            eb("leases.app_id", "=", lease.app_id ?? ""),
            eb("leases.free_at", "<=", nowMs),
            // An application's name is its organization's, whoever leased it before.
            eb(eb.val(lease.app_id === null ? 0 : 1), "=", 1),
          ]),
        ),
    )
    .returning("name")
    .execute();
  return result.length > 0;
}

/** Sets when a lease ends (null: a session lives); only while it is still that tunnel's. */
export async function setLeaseEnd(
  db: Queryable,
  lease: { name: string; tunnelId: string; freeAtMs: number | null },
): Promise<void> {
  await db
    .updateTable("leases")
    .set({ free_at: lease.freeAtMs })
    .where("name", "=", lease.name)
    .where("tunnel_id", "=", lease.tunnelId)
    .execute();
}

export async function removeLease(db: Queryable, lease: { name: string; tunnelId: string }): Promise<void> {
  await db.deleteFrom("leases").where("name", "=", lease.name).where("tunnel_id", "=", lease.tunnelId).execute();
}

/** Notes that a tunnel has its first session; a second call changes nothing. */
export async function insertTunnel(db: Queryable, tunnel: TunnelsTable): Promise<void> {
  await db
    .insertInto("tunnels")
    .values(tunnel)
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

/** Closes the history of a tunnel with its totals. */
export async function closeTunnel(
  db: Queryable,
  id: string,
  end: Pick<TunnelsTable, "closed_at" | "close_reason" | "requests" | "connections" | "bytes_in" | "bytes_out">,
): Promise<void> {
  await db.updateTable("tunnels").set(end).where("id", "=", id).execute();
}

/** Small statements, so that others get their turn in between. */
const prunedRows = 1_000;

/** Removes the history of tunnels that were closed before a moment. */
export async function pruneTunnels(db: Queryable, beforeMs: number): Promise<void> {
  for (let removed = prunedRows; removed === prunedRows;) {
    const old = db
      .selectFrom("tunnels")
      .select("id")
      .where("opened_at", "<", beforeMs)
      .where("closed_at", "<", beforeMs)
      .orderBy("opened_at")
      .limit(prunedRows);
    const result = await db.deleteFrom("tunnels").where("id", "in", old).executeTakeFirst();
    removed = Number(result.numDeletedRows);
  }
}

/** What a tunnel that somebody cleared was closed for. */
const cleared = "cleared";

/** Takes a closed tunnel out of the lists of those that went offline; its history stays. */
export async function clearTunnel(db: Queryable, id: string): Promise<void> {
  await db.updateTable("tunnels").set({ close_reason: cleared }).where("id", "=", id).execute();
}

/** The tunnels that closed since a moment and that nobody cleared, the latest first. */
export async function listClosedTunnels(db: Queryable, sinceMs: number, limit: number): Promise<TunnelsTable[]> {
  return db
    .selectFrom("tunnels")
    .selectAll()
    .where("closed_at", ">=", sinceMs)
    .where("close_reason", "!=", cleared)
    .orderBy("closed_at", "desc")
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

/** Closes the history of tunnels whose lease is gone: the server ended before it could. */
export async function closeOrphanedTunnels(db: Queryable, nowMs: number): Promise<void> {
  await db
    .updateTable("tunnels")
    .set({ closed_at: nowMs, close_reason: "server_stopped" })
    .where("closed_at", "is", null)
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom("leases").select("leases.name").whereRef("leases.tunnel_id", "=", "tunnels.id"))),
    )
    .execute();
}
