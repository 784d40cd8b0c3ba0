// The API with everything of tenants, on a fake registry of tunnels and fake shards that tests fill and look at.

import { createOidcClient } from "../../src/auth/oidc.ts";
import { createOutboundFetch } from "../../src/auth/outbound.ts";
import { createPolicies } from "../../src/api/policies/service.ts";
import { createTenants, type Tenants } from "../../src/api/tenants.ts";
import type { TunnelSource } from "../../src/api/live/directory.ts";
import type { LiveTunnel } from "../../src/api/tunnels/registry.ts";
import type { CapturedRequest, LocalStatus, ToShard } from "../../src/link/messages.ts";
import { newId } from "../../src/lib/ids.ts";
import { meets } from "../../workers/capture-search.ts";
import { createTestApi, type TestApi } from "./api.ts";
import type { ApiSettings } from "../../src/api/deps.ts";
import type { TestDatabase } from "./databases.ts";

export interface TenantApi extends TestApi {
  tenants: Tenants;
  /** What the registry shows; push to it. */
  tunnels: LiveTunnel[];
  /** What the shards remember. */
  requests: CapturedRequest[];
  /** Whether the shards say anything at all. */
  shards: { areSilent: boolean };
  /** What the shards were told. */
  sent: { shard: number; message: ToShard }[];
  /** What a check of any tunnel answers. */
  checked: { status: LocalStatus | null };
}

const usualLimiter = { maxAttempts: 10, windowMs: 15 * 60_000, blockMs: 30 * 60_000 };

/** The caller closes `tenants` and disposes of the database. */
export function createTenantApi(
  database: TestDatabase,
  options: {
    auditFails?: () => boolean;
    agentWhitelist?: string[];
    shards?: number;
    settings?: Partial<ApiSettings>;
  } = {},
): TenantApi {
  const tunnels: LiveTunnel[] = [];
  const requests: CapturedRequest[] = [];
  const shards = { areSilent: false };
  const sent: TenantApi["sent"] = [];
  const checked: TenantApi["checked"] = { status: null };
  const source: TunnelSource = {
    live: () => tunnels.filter(({ state }) => state !== "gone"),
    gone: () => tunnels.filter(({ state }) => state === "gone"),
    clear(id) {
      const index = tunnels.findIndex((tunnel) => tunnel.id === id && tunnel.state !== "live");
      if (index !== -1) tunnels.splice(index, 1);
      return index !== -1;
    },
    find: (id) => tunnels.find((tunnel) => tunnel.id === id) ?? null,
    check: async () => checked.status,
    shardOfTunnel: (id) => (tunnels.some((tunnel) => tunnel.id === id) ? 0 : null),
  };
  let tenants: Tenants | undefined;
  const api = createTestApi(database, {
    ...(options.auditFails === undefined ? {} : { auditFails: options.auditFails }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    features(deps) {
      const { db, passwords, sealer, audit, log, nowMs } = deps;
      const fetch = createOutboundFetch({ allowPrivate: [], allowLoopback: false });
      const oidc = createOidcClient({ fetch, allowHttp: false });
      const redirectUri = "https://tunnel.test/auth/visitor/callback";
      tenants = createTenants({
        ...{ db, audit, log, tunnels: source },
        policies: createPolicies({
          ...{ db, passwords, sealer, oidc, audit, nowMs, redirectUri, usualLimiter },
          allowHttp: false,
        }),
        config: {
          scheme: "https",
          domain: "tunnel.test",
          publicPort: 443,
          agentWhitelist: options.agentWhitelist ?? [],
          reservedNames: ["ours"],
          historyRetentionDays: 90,
          captureRequests: 500,
          limiterMaxFailures: usualLimiter.maxAttempts,
          limiterWindowMs: usualLimiter.windowMs,
          limiterBlockMs: usualLimiter.blockMs,
          maxTunnelsPerOrganization: 20,
          maxTunnelsPerAccount: 10,
          maxAgentsPerTunnel: 8,
          maxSessionsPerAgent: 4,
          maxConnectionsPerOrganization: 2_000,
          maxConnectionsPerTunnel: 1_000,
          maxStreamsPerSession: 500,
        },
        link: {
          shards: options.shards ?? 2,
          send: (shard, message) => void sent.push({ shard, message }),
          // A shard that answers for every tunnel, and more than a page: what it is asked for is the API's own business to enforce.
          requests: async (_shard, { requestId, terms }) =>
            shards.areSilent
              ? null
              : requests.filter(
                  (request) => (requestId === null || request.id === requestId) && meets(terms, request, () => request),
                ),
        },
      });
      return tenants.features;
    },
  });
  return { ...api, tenants: tenants!, tunnels, requests, shards, sent, checked };
}

/** A connected tunnel; `change` sets what matters. */
export function liveTunnel(change: Partial<LiveTunnel> & { name: string }): LiveTunnel {
  return {
    id: newId("tun"),
    url: `https://${change.name}.tunnel.test`,
    kind: "http",
    state: "live",
    accountId: null,
    keyId: null,
    orgId: null,
    appId: null,
    openedAtMs: Date.UTC(2030, 0, 1),
    awaySinceMs: null,
    agents: [
      {
        ...{ agentId: "agt_one", version: "1.0.0", address: "198.51.100.9", target: "http://localhost:3000" },
        ...{ actorName: "somebody", sessions: 2 },
      },
    ],
    lastAgent: { version: "1.0.0", address: "198.51.100.9" },
    target: "http://localhost:3000",
    sessions: 2,
    rttMs: 12.5,
    streams: 0,
    local: { state: "unknown" },
    totals: {
      requests: 0,
      connections: 0,
      bytesIn: 0,
      bytesOut: 0,
      status2xx: 0,
      status3xx: 0,
      status4xx: 0,
      status5xx: 0,
    },
    ...change,
  };
}

/** A request through `tunnel`. */
export function capturedRequest(tunnel: LiveTunnel, change: Partial<CapturedRequest> = {}): CapturedRequest {
  return {
    id: newId("req"),
    tunnelId: tunnel.id,
    name: tunnel.name,
    appId: tunnel.appId,
    orgId: tunnel.orgId,
    startedAtMs: Date.UTC(2030, 0, 1),
    running: false,
    method: "GET",
    path: "/hello",
    status: 200,
    bytesIn: 0,
    bytesOut: 5,
    address: "203.0.113.50",
    principal: null,
    totalMs: 3,
    policyMs: 0,
    queueMs: 0,
    tunnelMs: 1,
    localMs: 2,
    requestHeaders: [["host", `${tunnel.name}.tunnel.test`]],
    responseHeaders: [["content-type", "text/plain"]],
    error: null,
    ...change,
  };
}
