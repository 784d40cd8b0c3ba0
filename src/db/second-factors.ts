// Queries of half-done logins, used TOTP steps and recovery codes. What may happen once is a row that one statement wins.

import { sql } from "kysely";
import { newId } from "../lib/ids.ts";
import type { Queryable, Trx } from "./database.ts";
import type { PendingLoginsTable } from "./tables-login.ts";

export type PendingLoginRow = PendingLoginsTable;

export async function insertPendingLogin(db: Queryable, row: PendingLoginRow): Promise<void> {
  await db
    .insertInto("pending_logins")
    .values(row)
    .onConflict((conflict) => conflict.column("token_hash").doUpdateSet(row))
    .execute();
}

/** The half-done login of this kind, unless it has expired. */
export async function findPendingLogin(
  db: Queryable,
  tokenHash: string,
  kind: PendingLoginRow["kind"],
  nowMs: number,
): Promise<PendingLoginRow | null> {
  const row = await db
    .selectFrom("pending_logins")
    .selectAll()
    .where("token_hash", "=", tokenHash)
    .where("kind", "=", kind)
    .where("expires_at", ">", nowMs)
    .executeTakeFirst();
  return row ?? null;
}

/** Takes the row away; true for the one caller that it was still there for. */
export async function consumePendingLogin(trx: Trx, tokenHash: string): Promise<boolean> {
  const result = await trx.deleteFrom("pending_logins").where("token_hash", "=", tokenHash).executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** Ends every half-done login of an account: what it was allowed has changed. */
export async function deletePendingLogins(db: Queryable, accountId: string): Promise<void> {
  await db.deleteFrom("pending_logins").where("account_id", "=", accountId).execute();
}

/**
 * Marks a TOTP step as used; true for the first, and only when no later one was used. No time is compared, so that a clock
 * that is set back brings no code back.
 */
export async function useTotpStep(trx: Trx, accountId: string, step: number, nowMs: number): Promise<boolean> {
  const later = await trx
    .selectFrom("totp_used_steps")
    .select("step")
    .where("account_id", "=", accountId)
    .where("step", ">", step)
    .limit(1)
    .executeTakeFirst();
  if (later !== undefined) return false;
  const result = await trx
    .insertInto("totp_used_steps")
    .values({ account_id: accountId, step, used_at: nowMs })
    .onConflict((conflict) => conflict.columns(["account_id", "step"]).doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Steps of a seed that is gone say nothing about its successor. */
export async function forgetTotpSteps(trx: Trx, accountId: string): Promise<void> {
  await trx.deleteFrom("totp_used_steps").where("account_id", "=", accountId).execute();
}

/** Marks a recovery code as used; true when it was there and unused. */
export async function useRecoveryCode(trx: Trx, accountId: string, codeHash: string, nowMs: number): Promise<boolean> {
  const result = await trx
    .updateTable("recovery_codes")
    .set({ used_at: nowMs })
    .where("account_id", "=", accountId)
    .where("code_hash", "=", codeHash)
    .where("used_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Replaces all recovery codes of an account, the used ones too. */
export async function replaceRecoveryCodes(
  trx: Trx,
  accountId: string,
  codeHashes: readonly string[],
  nowMs: number,
): Promise<void> {
  await trx.deleteFrom("recovery_codes").where("account_id", "=", accountId).execute();
  if (codeHashes.length === 0) return;
  await trx
    .insertInto("recovery_codes")
    .values(
      codeHashes.map((codeHash) => ({
        id: newId("rec", nowMs),
        account_id: accountId,
        code_hash: codeHash,
        created_at: nowMs,
        used_at: null,
      })),
    )
    .execute();
}

export async function countRecoveryCodes(db: Queryable, accountId: string): Promise<number> {
  const row = await db
    .selectFrom("recovery_codes")
    .select(sql<number | string>`count(*)`.as("count"))
    .where("account_id", "=", accountId)
    .where("used_at", "is", null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Removes half-done logins that are over, and of each account's used steps all but the last, which stands for those before it. */
export async function pruneSecondFactors(db: Queryable, nowMs: number): Promise<void> {
  await db.deleteFrom("pending_logins").where("expires_at", "<", nowMs).execute();
  await sql`
    delete from totp_used_steps where exists (
      select 1 from totp_used_steps as later
      where later.account_id = totp_used_steps.account_id and later.step > totp_used_steps.step
    )`.execute(db);
}
