// Queries of visitors' logins under way (states) and of their sessions; the two never stand for each other.

import type { Queryable } from "./database.ts";
import type { VisitorSessionsTable, VisitorStatesTable } from "./tables-login.ts";

export type VisitorState = VisitorStatesTable;
export type VisitorSession = VisitorSessionsTable;

export async function insertVisitorState(db: Queryable, row: VisitorState): Promise<void> {
  await db.insertInto("visitor_states").values(row).execute();
}

/**
 * Takes the state that the provider's answer names, once: whoever comes second gets null. `claim` fills the place of
 * the code meanwhile, so that nothing can finish the login before `completeVisitorState`.
 */
export async function claimVisitorState(
  db: Queryable,
  stateHash: string,
  claim: string,
  nowMs: number,
): Promise<VisitorState | null> {
  const row = await db
    .updateTable("visitor_states")
    .set({ code_hash: claim })
    .where("state_hash", "=", stateHash)
    .where("code_hash", "is", null)
    .where("expires_at", ">", nowMs)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** Stores who logged in, and the one-time code that finishes the login at the tunnel's host. */
export async function completeVisitorState(
  db: Queryable,
  stateHash: string,
  done: { codeHash: string; codeExpiresAt: number; subject: string; email: string | null; idToken: string | null },
): Promise<void> {
  await db
    .updateTable("visitor_states")
    .set({
      code_hash: done.codeHash,
      code_expires_at: done.codeExpiresAt,
      subject: done.subject,
      email: done.email,
      id_token: done.idToken,
    })
    .where("state_hash", "=", stateHash)
    .execute();
}

/** Takes a completed state by its code, once: the row is gone whatever the caller then decides. */
export async function takeVisitorState(db: Queryable, codeHash: string, nowMs: number): Promise<VisitorState | null> {
  const row = await db
    .deleteFrom("visitor_states")
    .where("code_hash", "=", codeHash)
    .where("code_expires_at", ">", nowMs)
    .where("expires_at", ">", nowMs)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

export async function removeVisitorState(db: Queryable, stateHash: string): Promise<void> {
  await db.deleteFrom("visitor_states").where("state_hash", "=", stateHash).execute();
}

export async function insertVisitorSession(db: Queryable, row: VisitorSession): Promise<void> {
  await db.insertInto("visitor_sessions").values(row).execute();
}

/** The session with this hash, unless it is expired. */
export async function findVisitorSession(
  db: Queryable,
  sessionHash: string,
  nowMs: number,
): Promise<VisitorSession | null> {
  const row = await db
    .selectFrom("visitor_sessions")
    .selectAll()
    .where("session_hash", "=", sessionHash)
    .where("expires_at", ">", nowMs)
    .executeTakeFirst();
  return row ?? null;
}

/** Ends a session of one name and returns it; null when there is none. */
export async function takeVisitorSession(
  db: Queryable,
  sessionHash: string,
  name: string,
): Promise<VisitorSession | null> {
  const row = await db
    .deleteFrom("visitor_sessions")
    .where("session_hash", "=", sessionHash)
    .where("name", "=", name)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** Ends the sessions and logins under way of one version of a policy. */
export async function removeVisitorSessions(db: Queryable, policyVersion: string): Promise<void> {
  await db.deleteFrom("visitor_sessions").where("policy_version", "=", policyVersion).execute();
  await db.deleteFrom("visitor_states").where("policy_version", "=", policyVersion).execute();
}

/** Removes what has expired; for the regular clean-up. */
export async function pruneVisitorLogins(db: Queryable, nowMs: number): Promise<void> {
  await db.deleteFrom("visitor_states").where("expires_at", "<=", nowMs).execute();
  await db.deleteFrom("visitor_sessions").where("expires_at", "<=", nowMs).execute();
}
