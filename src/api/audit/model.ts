// Audit entries as the API shows and exports them.

import { t } from "elysia";
import type { AuditRow } from "../../db/audit-log.ts";
import { idFilter, wordFilter, wordsFilter } from "../filters.ts";
import { closed, dateTime, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";

export const eventSchema = closed({
  id: idSchema,
  seq: t.Integer({ description: "Position in the hash chain." }),
  time: timeSchema,
  orgId: t.Nullable(t.String()),
  orgName: t.Nullable(t.String()),
  appId: t.Nullable(t.String()),
  appName: t.Nullable(t.String()),
  actor: t.Nullable(t.String({ description: "Who did it, by the name of then." })),
  actorId: t.Nullable(t.String()),
  action: t.String(),
  authType: t.Nullable(t.String()),
  success: t.Boolean(),
  reason: t.Nullable(t.String()),
  address: t.Nullable(t.String()),
  identity: t.Nullable(t.String({ description: "Who somebody said to be." })),
  keyId: t.Nullable(t.String()),
  requestId: t.Nullable(t.String()),
  details: t.Nullable(t.Unknown({ description: "Before and after, without secrets, and what else the action has." })),
});
export const eventsAnswer = listOf("events", eventSchema);

const filters = {
  app: idFilter,
  actor: t.Optional(
    text(200, {
      minLength: 1,
      description: "Id, or username of an account; with `!` in front: everybody else, and nobody.",
    }),
  ),
  action: wordsFilter("An action, or its beginning up to a dot."),
  outcome: wordFilter(["success", "failure"]),
  from: t.Optional(dateTime("Not before this time.")),
  to: t.Optional(dateTime("Not after this time.")),
};
const list = {
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`time`; `-time` (the default) has the newest first." })),
};
const format = t.Optional(t.Union([t.Literal("csv"), t.Literal("jsonl")], { description: "`jsonl` unless given." }));
export const orgListQuery = closed({ ...list, ...filters });
export const adminListQuery = closed({ ...list, ...filters, org: idFilter });
export const orgExportQuery = closed({ ...filters, format });
export const adminExportQuery = closed({ ...filters, org: idFilter, format });

const range = t.Optional(t.Union([t.Literal("hour"), t.Literal("day"), t.Literal("week")]));
export const orgStatsQuery = closed({ range });
export const adminStatsQuery = closed({ range, org: t.Optional(idSchema) });
export const statsAnswer = closed({
  since: timeSchema,
  total: t.Integer(),
  succeeded: t.Integer(),
  failed: t.Integer(),
  byAction: t.Array(closed({ action: t.String(), succeeded: t.Integer(), failed: t.Integer() })),
  complete: t.Boolean({ description: "False: there were too many entries; only the newest ones are counted." }),
});

/** Names of what entries belong to, by id. */
export interface EntryNames {
  organizations: Map<string, string>;
  applications: Map<string, { name: string }>;
}

export function toEventAnswer(row: AuditRow, names: EntryNames) {
  return {
    id: row.id,
    seq: row.seq,
    time: new Date(row.at).toISOString(),
    orgId: row.org_id,
    orgName: row.org_id === null ? null : (names.organizations.get(row.org_id) ?? null),
    appId: row.app_id,
    appName: row.app_id === null ? null : (names.applications.get(row.app_id)?.name ?? null),
    actor: row.actor_name,
    actorId: row.actor_id,
    action: row.action,
    authType: row.auth_type,
    success: row.success === 1,
    reason: row.reason,
    address: row.address,
    identity: row.identity,
    keyId: row.key_id,
    requestId: row.request_id,
    details: row.details_json === null ? null : (JSON.parse(row.details_json) as unknown),
  };
}
