// Queries of dashboard sessions: a login is valid while its row is there, not revoked and not expired.

import { sql, type SqlBool } from "kysely";
import type { Queryable } from "./database.ts";
import type { Keyset } from "./keyset.ts";
import { differs, hasText, readPage, type Choice, type FoundPage } from "./list-page.ts";
import type { DashboardSessionsTable } from "./tables-login.ts";

export type SessionRow = DashboardSessionsTable;

const enrolmentTakesMs = 60_000;

export async function insertSession(db: Queryable, row: SessionRow): Promise<void> {
  await db.insertInto("dashboard_sessions").values(row).execute();
}

/** The live session with this hash, if it belongs to the account. */
export async function findLiveSession(
  db: Queryable,
  sessionHash: string,
  accountId: string,
  nowMs: number,
): Promise<SessionRow | null> {
  const row = await db
    .selectFrom("dashboard_sessions")
    .selectAll()
    .where("session_hash", "=", sessionHash)
    .where("account_id", "=", accountId)
    .where("revoked_at", "is", null)
    .where("expires_at", ">", nowMs)
    .executeTakeFirst();
  return row ?? null;
}

/** Whether the session with this public id has neither ended nor expired. */
export async function isLiveSession(db: Queryable, id: string, nowMs: number): Promise<boolean> {
  const row = await db
    .selectFrom("dashboard_sessions")
    .select("id")
    .where("id", "=", id)
    .where("revoked_at", "is", null)
    .where("expires_at", ">", nowMs)
    .executeTakeFirst();
  return row !== undefined;
}

/** Public names of the columns that sessions may be sorted by. */
export const sessionSorts = { createdAt: "s.created_at", lastSeen: "s.last_seen_at", expiresAt: "s.expires_at" };

export interface SessionFilter {
  isLive: boolean | null;
  /** One session, or all others. */
  id: Choice | null;
  /** Words of address and browser, in lower case. */
  wanted: readonly string[];
  unwanted: readonly string[];
}

/** One page of an account's sessions, those that ended lately among them. */
export function listSessions(
  db: Queryable,
  accountId: string,
  { isLive, id, wanted, unwanted }: SessionFilter,
  { column, page, nowMs }: { column: string; page: Keyset; nowMs: number },
): Promise<FoundPage<SessionRow>> {
  const text = ["s.address", "s.user_agent"];
  // Only checked, and spelled so that no index is chosen for it.
  const live = sql<SqlBool>`(s.revoked_at is null and s.expires_at + 0 > ${nowMs})`;
  const checked = [
    ...(isLive === null ? [] : [isLive ? live : sql<SqlBool>`not ${live}`]),
    ...(id === null ? [] : [id.not ? differs("s.id", id.value) : sql<SqlBool>`s.id = ${id.value}`]),
    ...wanted.map((word) => hasText(text, word)),
    ...unwanted.map((word) => sql<SqlBool>`not ${hasText(text, word)}`),
  ];
  const query = db.selectFrom("dashboard_sessions as s").selectAll().where("s.account_id", "=", accountId);
  return readPage(query, { column, idColumn: "s.id" }, page, checked);
}

/**
 * Addresses from which the account logged in since `sinceMs`, with its second factor where it has one; ended sessions
 * included. At most 1,000, the latest.
 */
export async function listSessionAddresses(db: Queryable, accountId: string, sinceMs: number): Promise<string[]> {
  const rows = await db
    .selectFrom("dashboard_sessions as session")
    .innerJoin("accounts as account", "account.id", "session.account_id")
    .select(["session.address", sql<number | string>`max(session.created_at)`.as("latest")])
    .where("session.account_id", "=", accountId)
    .where("session.created_at", ">", sinceMs)
    // The session that an enrolment opens is made a moment before the enrolment is stored.
    .where(sql<boolean>`session.created_at >= coalesce(account.totp_enrolled_at, 0) - ${enrolmentTakesMs}`)
    .groupBy("session.address")
    .orderBy("latest", "desc")
    .limit(1_000)
    .execute();
  return rows.map(({ address }) => address);
}

/** Ends one session of the account; false when there is no such live session. */
export async function revokeSession(db: Queryable, accountId: string, id: string, nowMs: number): Promise<boolean> {
  const result = await db
    .updateTable("dashboard_sessions")
    .set({ revoked_at: nowMs })
    .where("id", "=", id)
    .where("account_id", "=", accountId)
    .where("revoked_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Ends every session of the account, except one when given. */
export async function revokeSessions(
  db: Queryable,
  accountId: string,
  nowMs: number,
  exceptId: string | null = null,
): Promise<void> {
  const query = db
    .updateTable("dashboard_sessions")
    .set({ revoked_at: nowMs })
    .where("account_id", "=", accountId)
    .where("revoked_at", "is", null);
  await (exceptId === null ? query : query.where("id", "!=", exceptId)).execute();
}

export async function touchSession(db: Queryable, id: string, nowMs: number): Promise<void> {
  await db.updateTable("dashboard_sessions").set({ last_seen_at: nowMs }).where("id", "=", id).execute();
}

/** Removes what ended long ago. */
export async function pruneSessions(db: Queryable, beforeMs: number): Promise<void> {
  await db.deleteFrom("dashboard_sessions").where("expires_at", "<", beforeMs).execute();
}
