// API keys as the API shows them, and the bodies that make them.

import { t } from "elysia";
import type { ApiKeyListed } from "../../db/api-keys.ts";
import { idFilter, wordFilter, wordsFilter } from "../filters.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema, whole } from "../schemas.ts";

const scope = t.Union([t.Literal("tunnel"), t.Literal("visitor"), t.Literal("both")], {
  description: "`tunnel`: an agent may register with it; `visitor`: it passes an api_key policy.",
});

export const keySchema = closed({
  id: idSchema,
  prefix: t.String({ description: "The first characters, to recognise it by." }),
  description: t.String(),
  scope,
  orgId: idSchema,
  orgName: t.Nullable(t.String()),
  appId: t.Nullable(t.String({ description: "Null: it opens everything of the organization." })),
  appName: t.Nullable(t.String()),
  createdAt: timeSchema,
  expiresAt: t.Nullable(timeSchema),
  lastUsed: t.Nullable(timeSchema),
});

export function toKeyAnswer(row: ApiKeyListed) {
  return {
    id: row.id,
    prefix: row.prefix,
    description: row.description,
    scope: row.scope,
    orgId: row.org_id,
    orgName: row.org_name,
    appId: row.app_id,
    appName: row.app_name,
    createdAt: new Date(row.created_at).toISOString(),
    expiresAt: row.expires_at === null ? null : new Date(row.expires_at).toISOString(),
    lastUsed: row.last_used_at === 0 ? null : new Date(row.last_used_at).toISOString(),
  };
}

export const keysAnswer = listOf("keys", keySchema);
export const keyCreatedAnswer = closed({
  success: t.Literal(true),
  key: keySchema,
  rawKey: t.String({ description: "The key itself; shown once." }),
});

export const orgListQuery = closed({
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`createdAt` or `lastUsed`; `-` in front turns it round." })),
  app: idFilter,
  q: wordsFilter("Words that all stand in description or prefix."),
  state: wordFilter(["active", "expired"], "A revoked key is in no list: the audit log knows when it was."),
});
export const adminListQuery = closed({ ...orgListQuery.properties, org: idFilter });

export const orgCreateBody = closed({
  appId: t.Optional(t.Nullable(idSchema)),
  description: text(200),
  scope: t.Optional(scope),
  expiresIn: t.Optional(t.Nullable(whole({ minimum: 1, maximum: 3_650, description: "Days; left out: never." }))),
});
export const adminCreateBody = closed({ ...orgCreateBody.properties, orgId: idSchema });
