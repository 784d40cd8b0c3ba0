// Applications as the API shows them, and the bodies that change them.

import { t } from "elysia";
import type { ApplicationListed } from "../../db/applications.ts";
import { beginningFilter, idFilter } from "../filters.ts";
import { basedOnTime, closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";

const subdomain = text(80, { minLength: 1, description: "1 to 63 of a-z, 0-9 and -; not reserved." });
const name = text(200, { minLength: 1, description: "1 to 100 characters, for people." });
const authModes = [t.Literal("inherit"), t.Literal("disabled"), t.Literal("custom")] as const;
const authMode = t.Union([...authModes], {
  description: "`inherit`: the organization's policy; `disabled`: open to everybody; `custom`: its own policy.",
});

const totals = {
  totalConnections: t.Integer(),
  bytesSent: t.Integer({ description: "To visitors." }),
  bytesReceived: t.Integer({ description: "From visitors." }),
  requestCount: t.Integer(),
};

export const applicationSchema = closed({
  id: idSchema,
  orgId: idSchema,
  orgName: t.String(),
  subdomain: t.String(),
  name: t.String(),
  url: t.String(),
  authMode,
  authType: t.Nullable(
    t.String({ description: "Kind of the policy that visitors meet; null: none, open; `deny`: nobody passes." }),
  ),
  createdAt: timeSchema,
  hasPolicy: t.Boolean({ description: "Whether it has a policy of its own, in force or not." }),
  isActive: t.Boolean(),
  activeTunnelCount: t.Integer(),
  stats: closed(totals),
});

/** Kind of the policy in force as far as its row tells; an own policy that is missing denies. */
function authTypeOf(row: ApplicationListed): string | null {
  if (!row.is_active) return "deny";
  if (row.auth_mode === "disabled") return null;
  return row.auth_mode === "custom" ? (row.own_auth_type ?? "deny") : row.org_auth_type;
}

export function toApplicationAnswer(row: ApplicationListed, activeTunnelCount: number, url: string) {
  return {
    id: row.id,
    orgId: row.org_id,
    orgName: row.org_name ?? "",
    subdomain: row.subdomain,
    name: row.name,
    url,
    authMode: row.auth_mode,
    authType: authTypeOf(row),
    createdAt: new Date(row.created_at).toISOString(),
    hasPolicy: row.own_auth_type !== null,
    isActive: row.is_active === 1,
    activeTunnelCount,
    stats: toStats(row),
  };
}

export function toStats(row: ApplicationListed) {
  return {
    totalConnections: row.total_connections,
    bytesSent: row.bytes_sent,
    bytesReceived: row.bytes_received,
    requestCount: row.request_count,
  };
}

export const applicationsAnswer = listOf("applications", applicationSchema);
export const applicationAnswer = closed({ application: applicationSchema });
export const applicationChangedAnswer = closed({ success: t.Literal(true), application: applicationSchema });
export const statsAnswer = closed({
  stats: closed({ ...totals, activeTunnelCount: t.Integer() }),
});

export const orgListQuery = closed({
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`subdomain`, `name` or `createdAt`; `-` in front turns it round." })),
  q: beginningFilter(110, "Beginning of the subdomain; of the name (case counts) with `sort=name`."),
});
export const adminListQuery = closed({ ...orgListQuery.properties, org: idFilter });

export const orgCreateBody = closed({ subdomain, name, authMode: t.Optional(authMode) });
export const adminCreateBody = closed({ ...orgCreateBody.properties, orgId: idSchema });
export const updateBody = closed({
  name: t.Optional(name),
  subdomain: t.Optional(subdomain),
  authMode: t.Optional(authMode),
  basedOn: t.Optional(
    t.Union([...authModes], {
      description: "The `authMode` that was read before. Refused with 409 when it is another by now.",
    }),
  ),
  basedOnPolicy: basedOnTime("the organization's policy"),
});
