// A password takes a while to judge or to hash: whoever changed the account meanwhile has the last word.

import { type Account, findAccount, updateAccount } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import { AppError } from "../../lib/errors.ts";

/**
 * Throws `bad_credentials` when the account is no longer active, or its password no longer the one it was in `seen`: a change ended what
 * was open, so nothing may be opened or set by the old one. Writes first, and so waits for a change that is about to commit.
 */
export async function mustBeUnchanged(trx: Trx, seen: Account, nowMs: number): Promise<void> {
  await updateAccount(trx, seen.id, { last_used_at: nowMs });
  const now = await findAccount(trx, seen.id);
  if (now === null || !now.active || now.passwordHash !== seen.passwordHash) throw new AppError("bad_credentials");
}
