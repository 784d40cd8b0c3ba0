// A password takes a while to judge or to hash: whoever changed the account meanwhile has the last word.

import { type Account, findAccount, updateAccount } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";

/**
 * Throws `bad_credentials` when the account is no longer active, its password no longer the one it was in `seen`, or it got or lost a second
 * factor since: a change ended what was open, so nothing may be opened or set by what was proven before. Writes first, and so waits for a change that is about to commit.
 */
export async function mustBeUnchanged(
  { passwords, nowMs }: Pick<ApiDeps, "passwords" | "nowMs">,
  trx: Trx,
  seen: Account,
): Promise<void> {
  await updateAccount(trx, seen.id, { last_used_at: nowMs() });
  const now = await findAccount(trx, seen.id);
  const isUnchanged =
    now?.active === true &&
    hasPasswordOf(passwords, now, seen) &&
    // Not the sealed text, which a new key changes.
    (now.totpSecret === null) === (seen.totpSecret === null);
  if (!isUnchanged) throw new AppError("bad_credentials");
}

/** Whether the password is still what it was in `seen`, be it with the newer hash that a login gives it. */
export function hasPasswordOf(passwords: ApiDeps["passwords"], now: Account, seen: Account): boolean {
  if (now.passwordHash === seen.passwordHash) return true;
  if (now.passwordHash === null || seen.passwordHash === null) return false;
  // Nothing but a login leaves the time, and no login replaces a hash that isn't dated.
  return passwords.isDated(seen.passwordHash) && now.passwordChangedAtMs === seen.passwordChangedAtMs;
}
