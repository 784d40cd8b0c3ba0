// Accounts as the API shows them, and the bodies that change them.

import { t } from "elysia";
import type { Account } from "../../db/accounts.ts";
import { beginningFilter, flagFilter, idFilter } from "../filters.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";

export const usernameSchema = text(64, {
  minLength: 1,
  description: "2 to 64 letters, digits and . _ - @ +; upper and lower case are the same.",
});
export const passwordSchema = text(256, { minLength: 1, description: "At least 10 characters, at most 72 bytes." });

const emailSchema = text(254, {
  minLength: 1,
  description:
    "One plain address, in lower case. Who proves it at a sign-in provider is this account, unless it is a system admin.",
});

export const accountSchema = closed({
  id: idSchema,
  username: t.String(),
  email: t.Nullable(t.String()),
  isAdmin: t.Boolean(),
  isOrgAdmin: t.Boolean(),
  totpEnabled: t.Boolean(),
  createdAt: timeSchema,
  lastUsed: t.Nullable(timeSchema),
  active: t.Boolean(),
  orgId: t.Nullable(t.String()),
  orgName: t.Nullable(t.String()),
  hasPassword: t.Boolean(),
});

/** An account without anything secret. */
export function toAccountAnswer(account: Account) {
  return {
    id: account.id,
    username: account.username,
    email: account.email,
    isAdmin: account.isAdmin,
    isOrgAdmin: account.isOrgAdmin,
    totpEnabled: account.totpSecret !== null,
    createdAt: new Date(account.createdAtMs).toISOString(),
    lastUsed: account.lastUsedAtMs === 0 ? null : new Date(account.lastUsedAtMs).toISOString(),
    active: account.active,
    orgId: account.orgId,
    orgName: account.orgName,
    hasPassword: account.passwordHash !== null,
  };
}

export const accountAnswer = closed({ account: accountSchema });

export const accountsAnswer = listOf("accounts", accountSchema);
export const createdAnswer = closed({
  success: t.Literal(true),
  account: accountSchema,
  token: t.String({ description: "The API token; shown once." }),
});
export const changedAnswer = closed({ success: t.Literal(true), account: accountSchema });

export const listQuery = closed({
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`username`, `createdAt` or `lastUsed`; `-` in front turns it round." })),
  q: beginningFilter(70, "Beginning of the username; sorts by username."),
  active: flagFilter,
});
export const adminListQuery = closed({
  ...listQuery.properties,
  org: idFilter,
  admin: flagFilter,
});

export const orgCreateBody = closed({
  username: usernameSchema,
  password: t.Optional(passwordSchema),
  isOrgAdmin: t.Optional(t.Boolean()),
});
export const adminCreateBody = closed({
  ...orgCreateBody.properties,
  email: t.Optional(emailSchema),
  isAdmin: t.Optional(t.Boolean()),
  orgId: t.Optional(t.Nullable(idSchema)),
});
export const renameBody = closed({ username: usernameSchema });
export const setEmailBody = closed({ email: t.Nullable(emailSchema) });
export const setPasswordBody = closed({ password: passwordSchema });
const basedOn = t.Optional(
  t.Nullable(
    text(64, {
      minLength: 1,
      description:
        "The `orgId` that was read before; null: it was in none. Refused with 409 when it is another by now.",
    }),
  ),
);
export const setOrganizationBody = closed({ orgId: t.Nullable(idSchema), basedOn });
export const setOrgAdminBody = closed({ isOrgAdmin: t.Boolean(), basedOn });
