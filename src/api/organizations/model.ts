// Organizations as the API shows them, and the bodies that change them.

import { t, type Static } from "elysia";
import type { OrganizationListed, OrganizationRow } from "../../db/organizations.ts";
import { beginningFilter } from "../filters.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";

const nameSchema = text(200, { minLength: 1, description: "1 to 100 characters; upper and lower case are the same." });

export const organizationSchema = closed({
  id: idSchema,
  name: t.String(),
  requireTotp: t.Boolean({ description: "Every member needs a second factor." }),
  createdAt: timeSchema,
  hasPolicy: t.Boolean(),
  authType: t.Nullable(t.String({ description: "Kind of its visitor policy; null: none, its applications are open." })),
  accountCount: t.Integer(),
  applicationCount: t.Integer(),
  activeTunnelCount: t.Integer(),
});

/** What is counted beside the row. */
export interface OrganizationCounts {
  accounts: number;
  applications: number;
  activeTunnels: number;
}

export function toOrganizationAnswer(row: OrganizationListed, counts: OrganizationCounts) {
  return {
    id: row.id,
    name: row.name,
    requireTotp: row.require_totp === 1,
    createdAt: new Date(row.created_at).toISOString(),
    hasPolicy: row.auth_type !== null,
    authType: row.auth_type,
    accountCount: counts.accounts,
    applicationCount: counts.applications,
    activeTunnelCount: counts.activeTunnels,
  };
}

export const organizationsAnswer = listOf("organizations", organizationSchema);
export const organizationAnswer = closed({ organization: organizationSchema });
export const organizationChangedAnswer = closed({ success: t.Literal(true), organization: organizationSchema });

export const organizationsQuery = closed({
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`name` or `createdAt`; `-` in front turns it round." })),
  q: beginningFilter(110, "Beginning of the name; sorts by name."),
});
export const createBody = closed({ name: nameSchema, requireTotp: t.Optional(t.Boolean()) });
export const updateBody = closed({ name: t.Optional(nameSchema), requireTotp: t.Optional(t.Boolean()) });

const settings = closed({ name: t.String(), requireTotp: t.Boolean() });
export const settingsAnswer = closed({ settings });
export const settingsChangedAnswer = closed({ success: t.Literal(true), settings });

export function toSettings(row: OrganizationRow) {
  return { name: row.name, requireTotp: row.require_totp === 1 };
}

/** What bounds an organization; `requests…` are those in flight, upgraded and TCP connections included. */
const limitName = t.Union(
  [
    t.Literal("tunnels"),
    t.Literal("tunnelsPerCredential"),
    t.Literal("agentsPerTunnel"),
    t.Literal("sessionsPerAgent"),
    t.Literal("requests"),
    t.Literal("requestsPerTunnel"),
    t.Literal("requestsPerSession"),
  ],
  { description: "`requests`: of all the organization's tunnels. Requests are those in flight, and TCP connections." },
);
export type LimitName = Static<typeof limitName>;
export const limitSchema = closed({
  name: limitName,
  allowed: t.Integer(),
  used: t.Nullable(
    t.Integer({ description: "Now; of several holders, tunnels or agents the fullest. null: not counted." }),
  ),
  setting: t.String({ description: "The server's setting that it comes from." }),
});
export const limitsAnswer = closed({ limits: t.Array(limitSchema) });
