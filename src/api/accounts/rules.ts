// What every account must be, whoever makes it.

import { isUniqueViolation } from "../../db/engine.ts";
import { AppError } from "../../lib/errors.ts";
import { canonicalUsername, isValidUsername } from "../../lib/usernames.ts";

/** The name as it is shown and as it is looked up. Throws `validation`. */
export function checkUsername(input: string): { username: string; usernameKey: string } {
  const usernameKey = canonicalUsername(input);
  if (!isValidUsername(usernameKey)) {
    const rule = "username must have 2 to 64 letters, digits or . _ - @ + and start with a letter or digit.";
    throw new AppError("validation", rule, { field: "username" });
  }
  return { username: input.normalize("NFKC").trim(), usernameKey };
}

/** Does `work`, and throws `conflict` when a name or address in it belongs to another account. */
export async function uniqueAccount<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error, "username_key"))
      throw new AppError("conflict", "This username is taken.", { field: "username", cause: error });
    if (isUniqueViolation(error, "email"))
      throw new AppError("conflict", "This e-mail is another account's.", { field: "email", cause: error });
    throw error;
  }
}

/** System admins are in no organization; organization admins are in one. Throws `validation`. */
export function checkRoles(isAdmin: boolean, isOrgAdmin: boolean, orgId: string | null): void {
  if (isAdmin && (orgId !== null || isOrgAdmin)) {
    throw new AppError("validation", "A system admin is in no organization.", { field: "orgId" });
  }
  if (isOrgAdmin && orgId === null) {
    throw new AppError("validation", "isOrgAdmin needs an organization.", { field: "isOrgAdmin" });
  }
}
