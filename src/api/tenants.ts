// Everything of organizations, applications, keys, lists, live views and audit, put together for control-plane.ts.

import { Elysia, type AnyElysia } from "elysia";
import { publicUrl, type Config } from "../config/config.ts";
import { findNewestAudit } from "../db/audit-log.ts";
import type { ShardLink, ShardListener } from "../link/shard-link.ts";
import type { Audit, AuditEntry } from "../observe/audit.ts";
import { createEventHub } from "../observe/events.ts";
import { createShardAudit } from "../observe/refusals.ts";
import { createTraffic } from "../observe/traffic.ts";
import type { Feature } from "./app.ts";
import { createAdminApplicationsRoutes, createOrgApplicationsRoutes } from "./applications/routes.ts";
import { createApplications } from "./applications/service.ts";
import { createAuditRoutes } from "./audit/routes.ts";
import { createAuditReader } from "./audit/service.ts";
import type { ApiDeps } from "./deps.ts";
import { createAdminKeysRoutes, createOrgKeysRoutes } from "./keys/routes.ts";
import { createKeys } from "./keys/service.ts";
import { createTunnelDirectory, isConnected, type TunnelSource } from "./live/directory.ts";
import { createEventRoute } from "./live/event-stream.ts";
import { createNumbers } from "./live/numbers.ts";
import { createRequests } from "./live/requests.ts";
import { createNumberRoutes, createTunnelListRoutes } from "./live/routes.ts";
import { toTunnelNow } from "./live/tunnel-model.ts";
import { createLiveTunnels } from "./live/tunnels.ts";
import type { LimitsConfig } from "./organizations/limits.ts";
import { createAdminOrganizationsRoutes, createOwnOrganizationRoutes } from "./organizations/routes.ts";
import { createOrganizations } from "./organizations/service.ts";
import { createProviderTestRoute } from "./policies/routes.ts";
import type { Policies } from "./policies/service.ts";
import { createRateLimits } from "./rate-limits/service.ts";
import { createPortals } from "./scopes.ts";
import { createWhitelistEntries } from "./whitelists/entries.ts";
import { createLevelRoutes, createPortalWhitelistRoutes } from "./whitelists/routes.ts";

export interface TenantsOptions {
  config: Pick<
    Config,
    | "scheme"
    | "domain"
    | "publicPort"
    | "agentWhitelist"
    | "reservedNames"
    | "historyRetentionDays"
    | "captureRequests"
    | "limiterMaxFailures"
    | "limiterWindowMs"
    | "limiterBlockMs"
  > &
    LimitsConfig;
  db: ApiDeps["db"];
  audit: Pick<Audit, "record">;
  log: ApiDeps["log"];
  policies: Policies;
  /** The registry of tunnels. */
  tunnels: TunnelSource;
  link: Pick<ShardLink, "shards" | "send" | "requests">;
}

export interface Tenants {
  /** Hand them to createApi. */
  features: Feature[];
  /** Forward these callbacks of the shards, after the registry has had them. */
  listener: Pick<ShardListener, "onReady" | "onReplaced" | "onEvents" | "onCounters" | "onRequests">;
  /** Hand it to createAudit as `onRecord`. */
  onAudit(entry: AuditEntry): void;
  /** The server leaves: event streams end. */
  leave(): void;
  /** Stores the traffic counted so far. */
  flush(): Promise<void>;
  /** Flushes and stops. Before the database closes. */
  close(): Promise<void>;
}

export function createTenants(options: TenantsOptions): Tenants {
  const { config, db, log, tunnels: source, link, policies } = options;
  const directory = createTunnelDirectory(source);
  const ownerOf = (tunnelId: string) => directory.find(null, tunnelId);
  const events = createEventHub({
    link,
    ownerOf,
    viewOf(tunnelId) {
      const tunnel = ownerOf(tunnelId);
      return tunnel === null ? null : toTunnelNow(tunnel);
    },
    tunnelIds: () => source.live().map(({ id }) => id),
    countConnected: () => directory.countConnected("orgId"),
    count: () => source.live().filter(isConnected).length,
    newestAudit: (orgId) => findNewestAudit(db.kysely, orgId),
  });
  const traffic = createTraffic({
    ...{ db, log, retentionDays: config.historyRetentionDays },
    ownerOf: (tunnelId) => source.find(tunnelId),
    onStored: (orgIds) => events.onTrafficStored(orgIds),
  });
  const shardAudit = createShardAudit(options.audit);

  const feature: Feature = (deps, guards) => {
    const { admin, org } = createPortals(guards);
    const urlOf = (name: string) => publicUrl(config, name);
    const entries = createWhitelistEntries(deps);
    const organizations = createOrganizations(deps, directory);
    const applications = createApplications(deps, { directory, reservedNames: config.reservedNames, urlOf });
    const rateLimits = createRateLimits(deps, {
      maxAttempts: config.limiterMaxFailures,
      windowMs: config.limiterWindowMs,
      blockMs: config.limiterBlockMs,
    });
    const keys = createKeys(deps);
    const reader = createAuditReader(deps);
    const tunnels = createLiveTunnels(deps, directory, {
      check: (id) => source.check(id),
      clear(id) {
        const owner = ownerOf(id);
        const isDone = source.clear(id);
        if (isDone && owner !== null) events.onCleared(id, owner);
        return isDone;
      },
    });
    const numbers = createNumbers(deps, directory, { retentionDays: config.historyRetentionDays });
    const requests = createRequests(directory, source, link, { keptPerTunnel: config.captureRequests });
    const open = new Map<string, number>();
    const parts = {
      ...{ deps, entries, policies, organizations, applications, rateLimits, tunnels, numbers, requests, events, open },
      agentWhitelist: config.agentWhitelist,
      limits: { config, source },
    };
    const portals = [admin, org].flatMap((portal): AnyElysia[] => [
      createPortalWhitelistRoutes(portal, parts),
      createTunnelListRoutes(portal, parts),
      createNumberRoutes(portal, parts),
      createEventRoute(portal, parts),
      createAuditRoutes(portal, reader),
      createProviderTestRoute(portal, policies),
    ]);
    const all: AnyElysia = new Elysia({ normalize: false });
    const routes: AnyElysia[] = [
      createAdminOrganizationsRoutes(admin, parts),
      createOwnOrganizationRoutes(org, parts),
      createAdminApplicationsRoutes(admin, parts),
      createOrgApplicationsRoutes(org, parts),
      createAdminKeysRoutes(admin, keys),
      createOrgKeysRoutes(org, keys),
      createLevelRoutes(admin, "/org-whitelists", parts),
      createLevelRoutes(admin, "/app-whitelists", parts),
      createLevelRoutes(admin, "/account-whitelists", parts),
      createLevelRoutes(org, "/app-whitelist", parts),
      createLevelRoutes(org, "/account-whitelist", parts),
      ...portals,
    ];
    for (const one of routes) all.use(one);
    return all;
  };

  return {
    features: [feature],
    listener: {
      onReady: (shard) => events.onReady(shard),
      onReplaced: (shard) => events.onReplaced(shard),
      onEvents(shard, list) {
        shardAudit.onEvents(shard, list);
        events.onEvents(shard, list);
      },
      onCounters(shard, counters) {
        traffic.onCounters(counters);
        events.onCounters(shard, counters);
      },
      onRequests: (shard, list) => events.onRequests(shard, list),
    },
    onAudit: (entry) => events.onAudit(entry),
    leave: () => events.leave(),
    flush: () => traffic.flush(),
    async close() {
      events.close();
      await traffic.close();
    },
  };
}
