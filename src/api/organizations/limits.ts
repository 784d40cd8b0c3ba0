// GET …/limits: what the server's settings allow an organization, and how much of it is in use.

import type { Config } from "../../config/config.ts";
import type { TunnelSource } from "../live/directory.ts";
import { newRoutes } from "../routes.ts";
import { answers, type idParams } from "../schemas.ts";
import { readErrors, type Portal, type Scope } from "../scopes.ts";
import type { LiveTunnel } from "../tunnels/view.ts";
import { limitsAnswer, type LimitName } from "./model.ts";

interface LimitRow {
  name: LimitName;
  setting: string;
  allowed: (config: LimitsConfig) => number;
  /** How much one organization uses; null where nobody counts that. */
  used: (now: { open: LiveTunnel[] }) => number | null;
}

const limits: readonly LimitRow[] = [
  {
    name: "tunnels",
    setting: "MAX_TUNNELS_PER_ORGANIZATION",
    allowed: (config) => config.maxTunnelsPerOrganization,
    used: ({ open }) => open.length,
  },
  {
    name: "tunnelsPerCredential",
    setting: "MAX_TUNNELS_PER_ACCOUNT",
    allowed: (config) => config.maxTunnelsPerAccount,
    used: ({ open }) => most(open, ({ accountId, keyId }) => keyId ?? accountId ?? ""),
  },
  {
    name: "agentsPerTunnel",
    setting: "MAX_AGENTS_PER_TUNNEL",
    allowed: (config) => config.maxAgentsPerTunnel,
    used: ({ open }) => Math.max(0, ...open.map(({ agents }) => agents.length)),
  },
  {
    name: "sessionsPerAgent",
    setting: "MAX_SESSIONS_PER_AGENT",
    allowed: (config) => config.maxSessionsPerAgent,
    used: ({ open }) => Math.max(0, ...open.flatMap(({ agents }) => agents.map(({ sessions }) => sessions))),
  },
  {
    name: "requests",
    setting: "MAX_CONNECTIONS_PER_ORGANIZATION",
    allowed: (config) => config.maxConnectionsPerOrganization,
    used: ({ open }) => open.reduce((sum, { streams }) => sum + streams, 0),
  },
  {
    name: "requestsPerTunnel",
    setting: "MAX_CONNECTIONS_PER_TUNNEL",
    allowed: (config) => config.maxConnectionsPerTunnel,
    used: ({ open }) => Math.max(0, ...open.map(({ streams }) => streams)),
  },
  {
    name: "requestsPerSession",
    setting: "MAX_STREAMS_PER_SESSION",
    allowed: (config) => config.maxStreamsPerSession,
    used: () => null,
  },
];

/** The settings that bound one organization. */
export type LimitsConfig = Pick<
  Config,
  | "maxTunnelsPerOrganization"
  | "maxTunnelsPerAccount"
  | "maxAgentsPerTunnel"
  | "maxSessionsPerAgent"
  | "maxConnectionsPerOrganization"
  | "maxConnectionsPerTunnel"
  | "maxStreamsPerSession"
>;

export interface LimitsParts {
  config: LimitsConfig;
  source: Pick<TunnelSource, "live">;
}

/** `ownerOf` finds the organization within the caller's scope, or throws `not_found`. */
export function createLimitsRoute(
  portal: Portal,
  tag: string,
  { config, source }: LimitsParts,
  ownerOf: (scope: Scope, id: string) => Promise<{ orgId: string }>,
  params: typeof idParams | undefined,
) {
  return newRoutes("", tag, portal.security)
    .use(portal.read)
    .get(
      "/limits",
      async ({ scope, params: values }) => {
        const { orgId } = await ownerOf(scope, (values as { id?: string } | undefined)?.id ?? "");
        const open = source.live().filter((one) => one.orgId === orgId && countsAgainstLimits(one));
        return {
          limits: limits.map(({ name, setting, allowed, used }) => {
            return { name, setting, allowed: allowed(config), used: used({ open }) };
          }),
        };
      },
      {
        ...(params === undefined ? {} : { params }),
        response: answers({ 200: limitsAnswer }, ...readErrors, "not_found"),
        detail: { summary: "What the server allows the organization, and how much of it is in use" },
      },
    );
}

/** As the registry counts: who is away for a moment makes room. */
function countsAgainstLimits({ state }: LiveTunnel): boolean {
  return state === "live" || state === "opening";
}

/** How many the largest group has. */
function most(tunnels: LiveTunnel[], groupOf: (tunnel: LiveTunnel) => string): number {
  return Math.max(
    0,
    ...Map.groupBy(tunnels, groupOf)
      .values()
      .map(({ length }) => length),
  );
}
