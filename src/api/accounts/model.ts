// Accounts as the API shows them, and the bodies that change them.

import { t } from "elysia";
import type { Account } from "../../db/accounts.ts";
import { closed, idSchema, text, timeSchema } from "../schemas.ts";

export const usernameSchema = text(64, {
  minLength: 1,
  description: "2 to 64 letters, digits and . _ - @ +; upper and lower case are the same.",
});
export const passwordSchema = text(256, { minLength: 1, description: "At least 10 characters, at most 72 bytes." });

export const accountSchema = closed({
  id: idSchema,
  username: t.String(),
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
