// Bodies and answers of logging in, of sessions and of the second factor.

import { t } from "elysia";
import type { SessionRow } from "../../db/sessions.ts";
import { accountSchema, passwordSchema } from "../accounts/model.ts";
import { flagFilter, wordsFilter } from "../filters.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";

export const codeSchema = text(40, { minLength: 6, description: "6 digits, or a recovery code." });
const pendingTokenSchema = text(128, { minLength: 1, description: "What the login step before answered." });

/** Anything may be tried as a name; nothing is told about it. */
export const loginBody = closed({ username: text(128, { minLength: 1 }), password: passwordSchema });
export const checkAccountBody = closed({ username: text(128, { minLength: 1 }) });
export const pendingCodeBody = closed({ pendingToken: pendingTokenSchema, code: codeSchema });
export const codeBody = closed({ code: codeSchema });

export const loginAnswer = closed({
  success: t.Literal(true),
  needsTotp: t.Optional(t.Literal(true)),
  needsSetup: t.Optional(t.Literal(true)),
  pendingToken: t.Optional(t.String()),
});
export const checkAccountAnswer = closed({ success: t.Literal(true), next: t.Literal("password") });
export const enrolmentAnswer = closed({
  secret: t.String({ description: "Base32, for typing." }),
  uri: t.String({ description: "otpauth://…" }),
  qrSvg: t.String({ description: "A standalone SVG." }),
});
export const recoveryCodesAnswer = closed({
  success: t.Literal(true),
  recoveryCodes: t.Array(t.String(), { description: "Shown once." }),
});

export const meAnswer = closed({
  account: accountSchema,
  organization: t.Nullable(closed({ id: idSchema, name: t.String(), requireTotp: t.Boolean() })),
  mustEnrolTotp: t.Boolean({ description: "Everything but enrolment is refused until it is done." }),
  recoveryCodesLeft: t.Integer(),
  serverUrl: t.String({ description: "What agents are given as their server." }),
  visitorRedirectUri: t.String({ description: "What to register at the identity provider of a visitor policy." }),
});

const sessionSchema = closed({
  id: idSchema,
  current: t.Boolean(),
  address: t.String(),
  userAgent: t.String(),
  createdAt: timeSchema,
  lastSeen: timeSchema,
  expiresAt: timeSchema,
  endedAt: t.Nullable(timeSchema),
});
export const sessionsAnswer = listOf("sessions", sessionSchema);
export const sessionsQuery = closed({
  ...pageQuery,
  sort: t.Optional(
    text(32, { description: "`createdAt`, `lastSeen` or `expiresAt`; `-` in front turns it round (`-createdAt`)." }),
  ),
  q: wordsFilter("Words that all stand in the address or the name of the browser."),
  state: t.Optional(
    text(6, { pattern: "^(any|!?(live|ended))$", description: "`live` (the default), `ended`, `any`." }),
  ),
  current: flagFilter,
});

/** A session without its secret. */
export function toSessionAnswer(row: SessionRow, currentId: string | null, nowMs: number) {
  const endedAtMs = row.revoked_at ?? (row.expires_at <= nowMs ? row.expires_at : null);
  return {
    id: row.id,
    current: row.id === currentId,
    address: row.address,
    userAgent: row.user_agent,
    createdAt: new Date(row.created_at).toISOString(),
    lastSeen: new Date(row.last_seen_at).toISOString(),
    expiresAt: new Date(row.expires_at).toISOString(),
    endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
  };
}
