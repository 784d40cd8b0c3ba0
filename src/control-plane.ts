// The control plane put together: database, secrets, API, registry of tunnels; what the shards tell and ask.

import { join } from "node:path";
import { createApi, type Feature } from "./api/app.ts";
import { findDashboard, readDashboard } from "./api/dashboard/files.ts";
import { createDashboardRoutes } from "./api/dashboard/routes.ts";
import { createMetricsRoutes } from "./api/health/metrics.ts";
import type { ApiDeps } from "./api/deps.ts";
import { prune } from "./api/housekeeping.ts";
import { createIdentity, type Identity } from "./api/identity.ts";
import { createResealing } from "./api/sealed-values.ts";
import { serveApi } from "./api/serve.ts";
import { apiSettingsOf, failuresKeptMs } from "./api/settings.ts";
import { createSetupCode } from "./api/setup/service.ts";
import { createTenants, type Tenants } from "./api/tenants.ts";
import { TunnelRegistry } from "./api/tunnels/registry.ts";
import { createTunnelRoutes } from "./api/tunnels/routes.ts";
import { createLimiter } from "./auth/limiter.ts";
import { createHashThread } from "./auth/hash-thread.ts";
import { createPasswords } from "./auth/passwords.ts";
import { createSealer } from "./auth/sealing.ts";
import { createSessionTokens } from "./auth/jwt.ts";
import { dashboardUrl, type Config } from "./config/config.ts";
import { loadSecrets } from "./config/secrets.ts";
import { createDatabase } from "./db/database.ts";
import { checkDatabasePath } from "./db/database-path.ts";
import { pruneTunnels } from "./db/leases.ts";
import { createLimiterStore } from "./db/limiter.ts";
import type { Logger } from "./lib/log.ts";
import { within } from "./lib/within.ts";
import type { ShardLink, ShardListener } from "./link/shard-link.ts";
import { shardOf } from "./link/shard-of.ts";
import { hashWorkerUrl } from "./link/worker-url.ts";
import { createAudit, type AuditEntry } from "./observe/audit.ts";
import { pruneAudit } from "./observe/audit-retention.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import { Outage } from "./observe/outage.ts";
import { logTunnel } from "./observe/tunnel-log.ts";
import { bootstrapAdminToken } from "./operator/admin-token.ts";

export interface ControlPlaneOptions {
  config: Config;
  log: Logger;
  socketDir: string;
  link: ShardLink;
}

export interface ControlPlane {
  /** Where the API listens for the ingress. */
  readonly socketPath: string;
  /** What the shards tell; hand it to the data plane. */
  readonly listener: Omit<ShardListener, "onConnection" | "onAccess">;
  readonly registry: TunnelRegistry;
  /** Where a fresh server is set up, when nobody can log in yet. */
  readonly setupUrl: string | null;
  /** The server leaves: what has no end of its own ends. */
  leave(): void;
  /** Stores what waits in memory. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const hourMs = 3_600_000;
/** How long the end waits for the clean-up under way. */
const cleaningWaitMs = 1_000;

/** Opens the database and starts everything of the control plane but the shards it talks to. Rejects with one sentence. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, log, link } = options;
  // Before keys are made beside what is no database.
  if (config.databaseUrl === null) checkDatabasePath(config.dbPath);
  const secrets = loadSecrets(config);
  for (const warning of secrets.warnings) log.warn(warning);
  const reading = new Outage(log, {
    failing:
      "the database can't be read: what other processes change isn't heard of; tunnels go on, and it is tried again",
    works: "the database can be read again",
  });
  const db = await createDatabase({
    url: config.databaseUrl,
    path: config.dbPath,
    maxConnections: config.databaseConnections,
    timeoutMs: config.databaseTimeoutMs,
    pollMs: config.databasePollMs,
    onError: (error) => reading.failed(error),
    onRead: () => reading.worked(),
  });
  const nowMs = Date.now;
  // The audit log is needed to make what listens to it.
  let tenants: Tenants | null = null;
  const metrics = createMetrics({ tunnels: () => registry.live(), shards: link.shards });
  const onRecord = (entry: AuditEntry): void => {
    tenants?.onAudit(entry);
    metrics.onAudit(entry);
    logTunnel(log, entry);
  };
  const audit = createAudit({ db, log, flushMs: config.auditFlushMs, onRecord });
  const sealer = createSealer(secrets.encryptionKeys);
  const settings = apiSettingsOf(config);
  const limiter = createLimiter({ store: createLimiterStore(db.kysely, failuresKeptMs(settings)), nowMs });
  const hasher = createHashThread(hashWorkerUrl(), (why) =>
    log.error("the thread that hashes passwords died", { why }),
  );
  const passwords = createPasswords({ cost: config.bcryptCost, queueLimit: config.passwordQueue, hasher });
  const issuer = dashboardUrl(config);
  const base = { db, passwords, sealer, limiter, audit, log, nowMs };
  const identity = createIdentity(config, base, ({ name, scope, network, untilMs }) =>
    link.send(shardOf(name, link.shards), { type: "block", appId: scope, network, untilMs }),
  );
  await limiter.restore();
  const registry = new TunnelRegistry({ db, audit, config, link, policies: identity.inForce, log, nowMs });
  const deps: ApiDeps = {
    ...base,
    settings,
    sessionTokens: createSessionTokens({ secret: secrets.jwtSecret, issuer, nowMs }),
    tunnels: registry,
    isServing: () => link.isServing(),
    delay: (ms) => Bun.sleep(ms),
  };
  if (config.adminToken !== null && (await bootstrapAdminToken(db, audit, config.adminToken, nowMs())) === "inactive")
    log.warn("the account admin is deactivated: ADMIN_TOKEN opens nothing");
  const code = await createSetupCode(deps);
  await db.changes.start();
  await registry.start();
  const socketPath = join(options.socketDir, "control.sock");
  tenants = createTenants({ config, db, audit, log, policies: identity.policies, tunnels: registry, link });
  const extra = [...features(registry, identity, tenants), createMetricsRoutes(metrics)];
  const server = serveApi(createApi(deps, extra), socketPath, {
    https: config.scheme === "https",
    log,
  });

  const reseal = createResealing(deps);
  const leaving = new AbortController();
  let cleaning: Promise<void> | null = null;
  const clean = async (): Promise<void> => {
    await prune(deps);
    await reseal();
    await pruneAudit({ db, audit, days: config.auditRetentionDays, nowMs: nowMs(), signal: leaving.signal });
    await pruneTunnels(db.kysely, nowMs() - config.historyRetentionDays * 24 * hourMs);
  };
  const cleanQuietly = (): void => {
    cleaning ??= clean()
      .catch((error: unknown) => log.error("clean-up failed", { error: String(error) }))
      .finally(() => (cleaning = null));
  };
  cleanQuietly();
  const timer = setInterval(cleanQuietly, hourMs);
  return {
    socketPath,
    registry,
    setupUrl: code === null ? null : `${issuer}/setup#code=${code}`,
    listener: listen({ registry, identity, tenants, metrics }),
    leave: () => tenants?.leave(),
    async flush() {
      await tenants?.flush();
      await audit.flush();
    },
    async close() {
      clearInterval(timer);
      metrics.close();
      await registry.stop();
      await server.stop(true);
      await hasher.close();
      await tenants?.close();
      leaving.abort();
      if (cleaning !== null) await within(cleaningWaitMs, cleaning, undefined);
      await audit.close();
      await db.close();
    },
  };
}

function features(registry: TunnelRegistry, identity: Identity, tenants: Tenants): Feature[] {
  const folder = findDashboard();
  const files = folder === null ? null : readDashboard(folder);
  const agents: Feature = (deps) => createTunnelRoutes(deps, registry);
  return [agents, ...tenants.features, ...identity.features, createDashboardRoutes(files)];
}

/** The registry hears everything first: what the others show comes from it. */
function listen(parts: {
  registry: TunnelRegistry;
  identity: Identity;
  tenants: Tenants;
  metrics: Metrics;
}): ControlPlane["listener"] {
  const { registry, identity, metrics } = parts;
  const watchers = parts.tenants.listener;
  return {
    onReady(shard) {
      registry.onReady(shard);
      watchers.onReady(shard);
    },
    onReplaced(shard) {
      registry.onReplaced(shard);
      watchers.onReplaced(shard);
      metrics.onReplaced(shard);
    },
    onEvents(shard, events) {
      registry.onEvents(shard, events);
      watchers.onEvents(shard, events);
    },
    onCounters(shard, counters) {
      registry.onCounters(shard, counters);
      watchers.onCounters(shard, counters);
      metrics.onCounters(shard, counters);
    },
    onRequests: (shard, requests) => watchers.onRequests(shard, requests),
    onAsk: (ask, answer) => void identity.visitors.answer(ask).then(answer),
  };
}
