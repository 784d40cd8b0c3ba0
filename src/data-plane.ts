// The data path put together: shared memory, shards, router and public listener.

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, type Config } from "./config/config.ts";
import { shardSettings } from "./config/shard-settings.ts";
import { ConnectionCounts, createCountsMemory } from "./handover/counts.ts";
import { descriptorLimit } from "./lib/descriptor.ts";
import { createLedgerMemory, Ledger } from "./handover/ledger.ts";
import { AccessLog } from "./ingress/access-log.ts";
import { Connections } from "./ingress/connections.ts";
import { createControlPool } from "./ingress/control-pool.ts";
import { createCidrList } from "./lib/cidr.ts";
import { LineFile } from "./lib/line-file.ts";
import type { Logger } from "./lib/log.ts";
import { within } from "./lib/within.ts";
import type { ShardLink, ShardListener } from "./link/shard-link.ts";
import { startShards, type Supervisor } from "./link/supervisor.ts";
import { shardWorkerUrl } from "./link/worker-url.ts";
import { readTls, watchTls } from "./router/certificate.ts";
import { explainListen } from "./router/listen-refusal.ts";
import { listenPublic, type PublicListener } from "./router/listener.ts";
import { Router } from "./router/router.ts";
import { RefusedConnections } from "./router/refused-connections.ts";

/** How long the end waits for the disk. */
const accessLogMs = 1_000;

export interface DataPlaneOptions {
  config: Config;
  log: Logger;
  /** Internal sockets live here; see `createSocketDir`. */
  socketDir: string;
  controlSocket: string;
  /** Reaches the shards from now on; the control plane was made with it. */
  link: LateLink;
  /** Hears from the shards, apart from connections. */
  listener: Omit<ShardListener, "onConnection" | "onAccess">;
  onFatal(error: Error): void;
}

export interface DataPlane {
  readonly link: Supervisor;
  /** No new connections; what runs may finish within so many ms. True when everything did. */
  drain(inAllMs: number): Promise<boolean>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}

/** A fresh folder that only this user can enter. The caller removes it. Throws ConfigError. */
export function createSocketDir(config: Pick<Config, "socketDir">): string {
  const parent = config.socketDir ?? tmpdir();
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const dir = mkdtempSync(join(parent, "digit-link-"));
    chmodSync(dir, 0o700);
    return dir;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError("SOCKET_DIR", `Internal sockets cannot be kept in ${parent}: ${why}. Set SOCKET_DIR.`);
  }
}

/** Starts shards, then the public port. Rejects with one sentence when the port is taken; nothing runs then. */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, log, controlSocket, socketDir } = options;
  const ledgerMemory = createLedgerMemory(descriptorLimit());
  const countsMemory = createCountsMemory(config.shards);
  const ledger = new Ledger(ledgerMemory, 0);
  const counts = new ConnectionCounts(countsMemory, 0);
  const trusted = createCidrList(config.trustedProxies);
  const control = createControlPool(controlSocket, "main");
  const settings = { ...config, maxBodyBytes: config.maxBodyBytes === 0 ? Infinity : config.maxBodyBytes };
  const lines = config.accessLog === null ? null : openAccessLog(config.accessLog, log);
  const send = (text: string, count: number): void => lines?.add(text, count);
  const accessLog = lines === null ? null : new AccessLog({ trusted, logQuery: config.logQuery, send });
  const router = new Router({ settings, link: options.link, control, trusted, log, accessLog });
  const connections = new Connections({ ledger, counts, host: router, tickMs: tickOf(config) });
  router.connections = connections;

  const supervisor = await startShards({
    url: shardWorkerUrl(),
    shards: config.shards,
    settingsFor: (shard) => shardSettings(config, { shard, controlSocket }),
    ...{ ledger, ledgerMemory, counts, countsMemory, log },
    listener: {
      ...options.listener,
      onReady(shard) {
        options.listener.onReady(shard);
        router.shardReady(shard);
      },
      onConnection: (_shard, connection) => connections.adopt(connection),
      onAccess: send,
    },
    onFatal: options.onFatal,
  });

  options.link.bind(supervisor);
  // What was said to them while they came up reached nobody.
  for (let shard = 0; shard < config.shards; shard++) options.listener.onReady(shard);

  let listener: PublicListener;
  try {
    listener = listenPublic({
      hostname: config.host,
      port: config.port,
      fd: config.listenFd,
      tls: readTls(config),
      pump: config.handover === "pipe",
      maxConnections: config.maxConnections,
      maxConnectionsPerAddress: config.maxConnectionsPerAddress,
      handshakeTimeoutMs: config.headTimeoutMs,
      ...{ trusted, counts, ledger, connections, refused: new RefusedConnections(log) },
    });
  } catch (error) {
    await supervisor.stop();
    connections.close();
    throw explainListen(error, config);
  }
  const stopWatching = watchTls(config, listener, log);
  return {
    link: supervisor,
    async drain(inAllMs) {
      const endsAt = performance.now() + inAllMs;
      stopWatching();
      listener.stop();
      connections.closeIdle();
      const finished = await supervisor.drain(inAllMs);
      // What shards have written last is pumped in the next turn, where connections are piped.
      do await Bun.sleep(10);
      while (connections.isBusy && performance.now() < endsAt);
      return finished && !connections.isBusy;
    },
    async stop() {
      stopWatching();
      listener.stop();
      await supervisor.stop();
      connections.close();
      control.close();
      accessLog?.flush();
      if (lines !== null) await within(accessLogMs, lines.close(), undefined);
      rmSync(socketDir, { recursive: true, force: true });
    },
  };
}

/** A link that reaches nobody until the shards are there: they and their listeners need each other. */
export type LateLink = ShardLink & { bind(link: ShardLink): void };

export function createLateLink(shards: number): LateLink {
  let link: ShardLink | null = null;
  return {
    shards,
    bind: (bound) => (link = bound),
    isServing: () => link?.isServing() ?? false,
    send: (shard, message) => link?.send(shard, message),
    sendConnection: (shard, connection) => link?.sendConnection(shard, connection) ?? false,
    check: async (shard, tunnelId) => (await link?.check(shard, tunnelId)) ?? null,
    openPort: async (shard, name) => (await link?.openPort(shard, name)) ?? null,
    requests: async (shard, query) => (await link?.requests(shard, query)) ?? null,
  };
}

/** Throws ConfigError when it can't be written. */
function openAccessLog(path: string, log: Logger): LineFile {
  const gap = (left: number): string => `${JSON.stringify({ time: new Date().toISOString(), leftOut: left })}\n`;
  const failed = (why: string): void =>
    log.error("the access log can't be written: its lines are left out and counted", { path, why });
  try {
    return new LineFile({ path, gap, failed });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError("ACCESS_LOG", `The access log ${path} cannot be written: ${why}. Set ACCESS_LOG.`);
  }
}

function tickOf(config: Config): number {
  const shortest = Math.min(config.headTimeoutMs, config.idleTimeoutMs, Math.max(100, config.holdMs));
  return Math.max(10, Math.min(1_000, Math.floor(shortest / 4)));
}
