// Starts, drains and stops a server: the one composition root.

import { rmSync } from "node:fs";
import { type Config, ConfigError, dashboardUrl, publicUrl, withListenPort } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { parseServerFlags } from "./config/flags.ts";
import { startControlPlane } from "./control-plane.ts";
import { createLateLink, createSocketDir, startDataPlane } from "./data-plane.ts";
import { DatabaseUnusable } from "./db/engine.ts";
import { explainStorage } from "./db/unusable.ts";
import { closeDescriptor, portOf } from "./lib/descriptor.ts";
import { AppError } from "./lib/errors.ts";
import { createLogger, type Logger } from "./lib/log.ts";
import { within } from "./lib/within.ts";
import type { TunnelRegistry } from "./api/tunnels/registry.ts";
import type { ShardLink } from "./link/shard-link.ts";
import { takeAnyPort } from "./router/any-port.ts";
import { explainListen } from "./router/listen-refusal.ts";

export interface RunningServer {
  /** With the real port. */
  readonly config: Config;
  readonly port: number;
  readonly registry: TunnelRegistry;
  readonly link: ShardLink & { replace(shard: number, why: string): void };
  /** Where a fresh server is set up; null when somebody can log in already. */
  readonly setupUrl: string | null;
  /** Takes no new work and lets what runs finish (DRAIN_TIMEOUT_MS at most); true when all of it did. `stop` follows. */
  drain(): Promise<boolean>;
  /** Ends everything at once; nothing recorded is lost, unless the database does not answer. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  log: Logger;
  /** The server can't go on (a shard can't be started). */
  onFatal?: (error: Error) => void;
}

/** How long the end takes at most, whatever hangs, after what may finish has finished (docs/operations.md). */
const endMs = 7_000;
/** Of that, how long what is stored before the threads end waits for a database that may never answer. */
const flushWaitMs = 1_000;

/** Starts a server. Rejects with one sentence when it can't; nothing runs then. */
export async function startServer(given: Config, options: ServerOptions): Promise<RunningServer> {
  const { log } = options;
  const config = withRealPort(given);
  for (const warning of config.warnings) log.warn(warning);
  const socketDir = createSocketDir(config);
  const link = createLateLink(config.shards);
  const control = await startControlPlane({ config, log, socketDir, link }).catch((error: unknown) => {
    if (given.listenFd === null && config.listenFd !== null) closeDescriptor(config.listenFd);
    rmSync(socketDir, { recursive: true, force: true });
    throw explainStorage(error, config);
  });
  const onFatal = options.onFatal ?? ((error: Error) => log.error(error.message));
  const { listener, socketPath: controlSocket } = control;
  const data = await startDataPlane({ config, log, socketDir, controlSocket, link, listener, onFatal }).catch(
    async (error: unknown) => {
      await control.close();
      rmSync(socketDir, { recursive: true, force: true });
      throw error;
    },
  );
  let endsAt: number | null = null;
  return {
    config,
    port: config.port,
    registry: control.registry,
    link: data.link,
    setupUrl: control.setupUrl,
    async drain() {
      const draining = data.drain(config.drainTimeoutMs);
      control.leave();
      const finished = await draining;
      endsAt ??= performance.now() + endMs;
      await within(flushWaitMs, control.flush(), undefined);
      return finished;
    },
    async stop() {
      endsAt ??= performance.now() + endMs;
      await data.stop();
      const isClosed = control.close().then(() => true);
      if (!(await within(endsAt - performance.now(), isClosed, false)))
        log.warn("the database does not answer: what waits is not stored");
    },
  };
}

/** With PORT=0 or an inherited listener everybody is told the port that there is. */
function withRealPort(config: Config): Config {
  if (config.listenFd !== null) return withListenPort(config, portOf(config.listenFd) ?? config.port);
  if (config.port !== 0) return config;
  try {
    const { port, fd } = takeAnyPort(config.host);
    return withListenPort({ ...config, listenFd: fd }, port);
  } catch (error) {
    throw explainListen(error, config);
  }
}

/** `digit-link server`: runs until SIGTERM or SIGINT. Returns the exit code. */
export async function runServer(argv: string[]): Promise<number> {
  let config: Config;
  try {
    config = loadConfig({ env: process.env, ...parseServerFlags(argv) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`digit-link: ${error.message}\n`);
    return 2;
  }
  const isText = config.logFormat === "text" || (config.logFormat === "auto" && process.stderr.isTTY === true);
  const color = process.stderr.isTTY === true && !process.env["NO_COLOR"];
  const log = createLogger({ level: config.logLevel, format: isText ? "text" : "json", color });
  const { promise: fatal, resolve: onFatal } = Promise.withResolvers<Error>();
  // From here on: as process 1 of a container a signal that nobody listens to is lost. A second one ends a start that hangs.
  const signals = listenForSignals();
  let server: RunningServer;
  try {
    server = await startServer(config, { log, onFatal });
  } catch (error) {
    if (!(error instanceof AppError) && !(error instanceof DatabaseUnusable)) throw error;
    process.stderr.write(`digit-link: ${error.message}\n`);
    return 1;
  }
  signals.serverIsUp();
  announce(server, log);
  const ended = await Promise.race([signals.first, fatal]);
  if (ended instanceof Error) {
    log.error("the server can't go on", { error: ended.message });
    await server.stop();
    return 1;
  }
  log.info("stopping: requests in flight may finish; a second signal stops at once", {
    signal: ended,
    withinMs: config.drainTimeoutMs,
  });
  const finished = await Promise.race([server.drain(), signals.second.then(() => false)]);
  if (!finished) log.warn("stopped before every request had finished");
  await server.stop();
  log.info("stopped");
  return 0;
}

function announce(server: RunningServer, log: Logger): void {
  const { config, port, setupUrl } = server;
  log.info("digit-link is up", {
    url: publicUrl(server.config, null),
    tunnels: publicUrl(server.config, "<name>"),
    dashboard: dashboardUrl(server.config),
    listening: `${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    shards: config.shards,
    database: config.databaseUrl === null ? config.dbPath : "PostgreSQL",
  });
  if (setupUrl !== null) log.warn(`nobody can log in yet; set up the first administrator at ${setupUrl}`);
}

/** Once the server is up the second signal is listened for before the first has come: there is no moment without a listener. */
function listenForSignals(): { first: Promise<string>; second: Promise<string>; serverIsUp(): void } {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let heard = 0;
  let mostHeard = 1;
  const on = (signal: string): void => {
    (heard++ === 0 ? first : second).resolve(signal);
    // From here on a signal ends the process, whatever hangs.
    if (heard === mostHeard) for (const one of ["SIGTERM", "SIGINT"]) process.off(one, on);
  };
  const listen = (): void => {
    for (const one of ["SIGTERM", "SIGINT"]) process.on(one, on);
  };
  listen();
  return {
    ...{ first: first.promise, second: second.promise },
    serverIsUp() {
      mostHeard = 2;
      if (heard === 1) listen();
    },
  };
}
