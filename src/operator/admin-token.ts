// ADMIN_TOKEN: the account `admin` whose API token the operator chose, made or brought up to date at every start.

import { hashToken } from "../auth/tokens.ts";
import { findAccountByUsername, insertAccount, updateAccount } from "../db/accounts.ts";
import type { Database, Trx } from "../db/database.ts";
import { isUniqueViolation } from "../db/engine.ts";
import { AppError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { Audit } from "../observe/audit.ts";

const username = "admin";
const minLength = 32;
const byToken = { actorName: "ADMIN_TOKEN", authType: "token" } as const;

/** What a start found and did. `inactive`: the account is deactivated, so that its token opens nothing. */
export type AdminTokenOutcome = "created" | "changed" | "unchanged" | "inactive";

/**
 * Makes sure that the system admin `admin` has this API token; the same value again changes nothing. Called once per
 * start, by several servers of one database at a time, too. Throws AppError with one sentence when the account can't be
 * that admin; the start must end then.
 */
export async function bootstrapAdminToken(
  db: Database,
  audit: Pick<Audit, "within">,
  token: string,
  nowMs: number,
): Promise<AdminTokenOutcome> {
  if (token.length < minLength)
    throw new AppError("validation", `ADMIN_TOKEN must have at least ${minLength} characters.`);
  const tokenHash = hashToken(token);
  const work = () => db.transaction((trx) => ensure(db, audit, trx, tokenHash, nowMs));
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error, "token_hash")) {
      throw new AppError("conflict", "ADMIN_TOKEN is the token of another account: choose a new one.", {
        cause: error,
      });
    }
    if (!isUniqueViolation(error, "username_key")) throw error;
    // Another server of this database made the account between our look and our insert.
    return await work();
  }
}

async function ensure(
  db: Database,
  audit: Pick<Audit, "within">,
  trx: Trx,
  tokenHash: string,
  nowMs: number,
): Promise<AdminTokenOutcome> {
  const existing = await findAccountByUsername(trx, username);
  if (existing === null) {
    const id = newId("acc", nowMs);
    await insertAccount(trx, {
      ...{ id, username, usernameKey: username, passwordHash: null, tokenHash },
      ...{ isAdmin: true, isOrgAdmin: false, orgId: null, createdAtMs: nowMs },
    });
    await db.changes.record(trx, { kind: "account", refId: id, action: "created" });
    const details = { account: id, username, isAdmin: true, isOrgAdmin: false };
    await audit.within(trx, { ...byToken, action: "account.created", details });
    return "created";
  }
  // Raising an ordinary account would hand the system to whoever knows its password.
  if (!existing.isAdmin) {
    throw new AppError(
      "conflict",
      "ADMIN_TOKEN can't be used: the account admin is no system administrator. Rename it, or remove ADMIN_TOKEN.",
    );
  }
  const { id, active } = existing;
  const { token_hash: before } = await trx
    .selectFrom("accounts")
    .select("token_hash")
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  if (before === tokenHash) return active ? "unchanged" : "inactive";
  await updateAccount(trx, id, { token_hash: tokenHash });
  await db.changes.record(trx, { kind: "account", refId: id, action: "updated" });
  await audit.within(trx, { ...byToken, action: "account.token_changed", details: { account: id, username } });
  return active ? "changed" : "inactive";
}
