// Live tunnels as the API shows them.

import { t } from "elysia";
import type { LocalStatus } from "../../link/messages.ts";
import { idFilter, wordFilter, wordsFilter } from "../filters.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";
import type { LiveTunnel } from "../tunnels/registry.ts";
import { isConnected } from "./directory.ts";

const localSchema = closed(
  {
    state: t.Union([t.Literal("unknown"), t.Literal("up"), t.Literal("down")]),
    provenAt: t.Nullable(timeSchema),
    since: t.Nullable(timeSchema),
    connectMs: t.Nullable(t.Number()),
    why: t.Nullable(t.String()),
  },
  { description: "Whether the local service behind the agent answered, and when that was last proven." },
);

const targetSchema = t.String({
  description: "What the agent forwards to, as it says: shown to people, checked by nobody.",
});

export const tunnelSchema = closed({
  id: idSchema,
  subdomain: t.String({ description: "The name; `tcp:PORT` of a TCP tunnel." }),
  url: t.String(),
  protocol: t.Union([t.Literal("http"), t.Literal("tcp")]),
  connected: t.Boolean({ description: "An agent has a session now." }),
  sessions: t.Integer(),
  agents: t.Array(
    closed({
      agentId: t.String(),
      address: t.String(),
      version: t.String(),
      target: t.Nullable(targetSchema),
      actor: t.String(),
      sessions: t.Integer(),
    }),
  ),
  appId: t.Nullable(t.String()),
  appName: t.Nullable(t.String()),
  orgId: t.Nullable(t.String()),
  orgName: t.Nullable(t.String()),
  accountId: t.Nullable(t.String()),
  username: t.Nullable(t.String()),
  keyId: t.Nullable(t.String()),
  address: t.Nullable(t.String({ description: "Of the agent; the last known one while there is none." })),
  agentVersion: t.Nullable(t.String()),
  target: t.Nullable(targetSchema),
  openedAt: t.Nullable(timeSchema),
  lastSeenAt: t.Nullable(timeSchema),
  rttMs: t.Nullable(t.Number()),
  streams: t.Integer(),
  requests: t.Integer(),
  connections: t.Integer(),
  bytesIn: t.Integer({ description: "From visitors." }),
  bytesOut: t.Integer({ description: "To visitors." }),
  local: localSchema,
});
export const tunnelsAnswer = listOf("tunnels", tunnelSchema);
export const checkAnswer = closed({ success: t.Literal(true), local: localSchema });

export const orgListQuery = closed({
  ...pageQuery,
  sort: t.Optional(text(32, { description: "`openedAt`, `subdomain` or `requests`; `-` in front turns it round." })),
  q: wordsFilter("Words that all stand in name, target or agents' addresses."),
  state: wordFilter(["connected", "offline"]),
  app: idFilter,
  from: t.Optional(
    text(64, { minLength: 1, description: "An address or range (CIDR) that an agent is connected from." }),
  ),
});
export const adminListQuery = closed({ ...orgListQuery.properties, org: idFilter });

/** Names of what tunnels belong to, by id. */
export interface OwnerNames {
  organizations: Map<string, string>;
  applications: Map<string, { name: string }>;
  accounts: Map<string, string>;
}

/** What of a tunnel changes by itself: in lists, and each second in the event stream. */
export function toTunnelNow(tunnel: LiveTunnel) {
  const connected = isConnected(tunnel);
  const agent = tunnel.agents[0] ?? tunnel.lastAgent;
  return {
    id: tunnel.id,
    subdomain: tunnel.name,
    appId: tunnel.appId,
    connected,
    sessions: tunnel.sessions,
    agents: tunnel.agents.map(({ agentId, address, version, target, actorName, sessions }) => ({
      ...{ agentId, address, version, target, sessions },
      actor: actorName,
    })),
    address: agent?.address ?? null,
    agentVersion: agent?.version ?? null,
    target: tunnel.target,
    openedAt: isoOf(tunnel.openedAtMs),
    lastSeenAt: connected ? null : isoOf(tunnel.awaySinceMs),
    rttMs: tunnel.rttMs,
    streams: tunnel.streams,
    requests: tunnel.totals.requests,
    connections: tunnel.totals.connections,
    bytesIn: tunnel.totals.bytesIn,
    bytesOut: tunnel.totals.bytesOut,
    local: toLocalAnswer(tunnel.local),
  };
}

/** As the event stream tells it. */
export type TunnelStats = ReturnType<typeof toTunnelNow> & { requestsPerSecond: number; bytesPerSecond: number };

export function toTunnelAnswer(tunnel: LiveTunnel, names: OwnerNames) {
  const named = <T>(id: string | null, map: Map<string, T>): T | null => (id === null ? null : (map.get(id) ?? null));
  return {
    ...toTunnelNow(tunnel),
    url: tunnel.url,
    protocol: tunnel.kind,
    appName: named(tunnel.appId, names.applications)?.name ?? null,
    orgId: tunnel.orgId,
    orgName: named(tunnel.orgId, names.organizations),
    accountId: tunnel.accountId,
    username: named(tunnel.accountId, names.accounts),
    keyId: tunnel.keyId,
  };
}

export function toLocalAnswer(local: LocalStatus) {
  return {
    state: local.state,
    provenAt: local.state === "unknown" ? null : isoOf(local.provenAtMs),
    since: local.state === "down" ? isoOf(local.sinceMs) : null,
    connectMs: local.state === "up" ? local.connectMs : null,
    why: local.state === "down" ? local.why : null,
  };
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
