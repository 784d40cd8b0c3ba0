// What every account must be, whoever makes it.

import { ForeignKeyViolation, isUniqueViolation } from "../../db/engine.ts";
import { AppError } from "../../lib/errors.ts";
import { canonicalUsername, isValidUsername } from "../../lib/usernames.ts";
import { changedMeanwhile } from "../changes.ts";

/** The name as it is shown and as it is looked up. Throws `validation`. */
export function checkUsername(input: string): { username: string; usernameKey: string } {
  const usernameKey = canonicalUsername(input);
  if (!isValidUsername(usernameKey)) {
    const rule = "username must have 2 to 64 letters, digits or . _ - @ + and start with a letter or digit.";
    throw new AppError("validation", rule, { field: "username" });
  }
  return { username: input.normalize("NFKC").trim(), usernameKey };
}

/** Does `work`, and throws `conflict` when a name or address in it belongs to another account, `validation` when its organization is gone. */
export async function possibleAccount<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ForeignKeyViolation) throw unknownOrganization();
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

/** The account is where it was when somebody decided about it; `basedOn` undefined: wherever. Throws `conflict`. */
export function checkPlace(orgId: string | null, basedOn: string | null | undefined): void {
  if (basedOn !== undefined && basedOn !== orgId) throw changedMeanwhile("The account's organization");
}

export function unknownOrganization(): AppError {
  return new AppError("validation", "orgId is no organization of this server.", { field: "orgId" });
}
