// Numbers, traffic and requests as the API shows them.

import { t } from "elysia";
import { idFilter } from "../filters.ts";
import { closed, dateTime, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";
import { searchNote, statusPattern } from "./request-filter.ts";

export const statsAnswer = closed({
  activeTunnels: t.Integer(),
  totalAccounts: t.Integer(),
  activeAccounts: t.Integer(),
  whitelistEntries: t.Integer(),
  totalTunnels: t.Integer({ description: "As far back as the history is kept." }),
  totalBytesSent: t.Integer({ description: "To visitors." }),
  totalBytesReceived: t.Integer({ description: "From visitors." }),
});

const range = t.Optional(
  t.Union([t.Literal("hour"), t.Literal("day"), t.Literal("month")], {
    description: "`hour` (the default) per minute, `day` per quarter of an hour, `month` per day.",
  }),
);
export const orgTrafficQuery = closed({ range, app: t.Optional(idSchema) });
export const adminTrafficQuery = closed({ range, app: t.Optional(idSchema), org: t.Optional(idSchema) });
export const trafficAnswer = closed({
  range: t.Union([t.Literal("hour"), t.Literal("day"), t.Literal("month")]),
  stepSeconds: t.Integer({ description: "Seconds from one point to the next." }),
  points: t.Array(
    closed({
      time: timeSchema,
      requests: t.Integer(),
      connections: t.Integer(),
      errors: t.Integer({ description: "Answers with 5xx." }),
      bytesIn: t.Integer(),
      bytesOut: t.Integer(),
      status2xx: t.Integer(),
      status3xx: t.Integer(),
      status4xx: t.Integer(),
      status5xx: t.Integer(),
    }),
  ),
});

export const overviewAnswer = closed({
  topTunnels: t.Array(
    closed({
      id: idSchema,
      subdomain: t.String(),
      appId: t.Nullable(t.String()),
      requests: t.Integer(),
      bytesIn: t.Integer(),
      bytesOut: t.Integer(),
    }),
  ),
  recentRefusals: t.Array(
    closed({
      id: idSchema,
      time: timeSchema,
      name: t.String({ description: "The tunnel that was asked for; empty when none was named." }),
      appId: t.Nullable(t.String()),
      rule: t.String({ description: "What refused." }),
      address: t.String(),
      identity: t.Nullable(t.String()),
      requestId: t.Nullable(t.String()),
    }),
  ),
});

const header = t.Array(t.String(), { minItems: 2, maxItems: 2 });
const requestSchema = closed({
  id: t.String(),
  tunnelId: idSchema,
  name: t.String(),
  appId: t.Nullable(t.String()),
  time: timeSchema,
  method: t.String(),
  path: t.String({ description: "Without the query unless LOG_QUERY is on." }),
  status: t.Integer({ description: "0: the visitor got no answer, or none yet." }),
  running: t.Boolean({ description: "It has not ended: sizes and times are what is known so far." }),
  bytesIn: t.Integer(),
  bytesOut: t.Integer(),
  address: t.String(),
  principal: t.Nullable(t.String()),
  totalMs: t.Number(),
  policyMs: t.Number(),
  queueMs: t.Number(),
  tunnelMs: t.Number(),
  localMs: t.Number(),
  requestHeaders: t.Array(header, { description: "Name and value; secrets are masked." }),
  responseHeaders: t.Array(header),
  error: t.Nullable(t.String()),
});
export const requestsAnswer = closed({
  ...listOf("requests", requestSchema).properties,
  keptPerTunnel: t.Integer({ description: "So many of the last requests of each tunnel are kept, memory permitting." }),
});
export const requestAnswer = closed({ request: requestSchema });
export const orgRequestsQuery = closed({
  ...pageQuery,
  sort: t.Optional(
    text(32, { description: "`time`, `status`, `duration` or `size` (to the visitor); `-` in front turns it round." }),
  ),
  q: t.Optional(text(200, { minLength: 1, description: searchNote })),
  status: t.Optional(
    text(8, {
      pattern: `^!?(${statusPattern})$`,
      description: "`2xx`, `404`, `running` or `cut` (ended early); with `!` in front: everything but that.",
    }),
  ),
  method: t.Optional(
    text(33, { pattern: "^!?[A-Za-z-]+$", description: "A method; with `!` in front: everything but that." }),
  ),
  app: idFilter,
  tunnel: idFilter,
  to: t.Optional(dateTime("Only what began at this time or before.")),
});
export const adminRequestsQuery = closed({ ...orgRequestsQuery.properties, org: idFilter });
