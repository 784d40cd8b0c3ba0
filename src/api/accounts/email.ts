// The address of an account, by which sign-in providers find it: one spelling, one account, and what ends with it.

import { parseEmail } from "../../auth/oidc-claims.ts";
import type { Account } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import { deleteSignInLinks } from "../../db/sign-ins.ts";
import { AppError } from "../../lib/errors.ts";

/** The address as it is stored and compared. Throws `validation`. */
export function checkEmail(input: string): string {
  const parsed = parseEmail(input);
  if (parsed !== null) return parsed.email;
  throw new AppError("validation", "email must be one plain address, like name@example.com.", { field: "email" });
}

/** The column that changes. Whoever had the address before is out: what was linked by it is no link any more. */
export async function changeEmail(trx: Trx, before: Account, email: string | null): Promise<{ email: string | null }> {
  if (before.email !== null && before.email !== email) await deleteSignInLinks(trx, before.id, before.email);
  return { email };
}
