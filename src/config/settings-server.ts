// Settings of the process: listening, threads, storage, secrets, logs.

import * as kind from "./kinds.ts";
import { minute, optional, path, port, second, setting, timer } from "./setting.ts";

/** Where the server listens and what its public addresses look like. */
export const listening = {
  port: setting("PORT", port, 8080, "Port to listen on; 0 takes any free one."),
  host: setting("HOST", kind.listenAddress, "0.0.0.0", "Address to listen on."),
  domain: setting(
    "DOMAIN",
    kind.hostName,
    "tunnel.digit.zone",
    "Base domain: tunnels are one label below it, everything else is on it.",
  ),
  scheme: setting("SCHEME", kind.choice("https", "http"), "https", "Scheme of public URLs, as visitors see it."),
  publicPort: optional(
    "PUBLIC_PORT",
    kind.integer({ min: 1, max: 65_535 }),
    "Port in public URLs.",
    "PORT when SCHEME is http, else 443",
  ),
  dashboardDomain: optional(
    "DASHBOARD_DOMAIN",
    kind.hostName,
    "Host of the dashboard and its API; a domain apart from DOMAIN keeps tenants' pages away from its cookies.",
    "DOMAIN",
  ),
  tlsCert: optional(
    "TLS_CERT",
    path,
    "Certificate file (PEM), when the server itself speaks TLS; reloaded when it changes.",
  ),
  tlsKey: optional("TLS_KEY", path, "Private key file (PEM) of TLS_CERT."),
  listenFd: optional(
    "LISTEN_FD",
    kind.integer({ min: 3, max: 65_535 }),
    "Descriptor of a listening socket to take over instead of opening PORT.",
  ),
  trustedProxies: setting(
    "TRUSTED_PROXIES",
    kind.proxies,
    [],
    "Reverse proxies whose X-Forwarded-For, -Proto and Forwarded headers are believed.",
  ),
  tcpPorts: setting("TCP_PORTS", kind.ports, [], "Public ports that TCP tunnels may get."),
  tcpHost: optional(
    "TCP_HOST",
    kind.listenAddress,
    "Address that TCP_PORTS are bound to; no proxy stands before them, so it may have to be another one than HOST.",
    "HOST",
  ),
};

/** Threads. */
export const threads = {
  shards: optional(
    "SHARDS",
    kind.integer({ min: 1, max: 8 }),
    "Worker threads that serve tunnels.",
    "cores - 1, at least 1, at most 8",
  ),
  shardPorts: setting(
    "SHARD_PORTS",
    kind.ports,
    [],
    "One port per shard on which agents may reach it directly through a reverse proxy; bind them to a private address.",
  ),
  shardHost: setting(
    "SHARD_HOST",
    kind.listenAddress,
    "127.0.0.1",
    "Address that SHARD_PORTS are bound to; must not be reachable from the internet.",
  ),
  handover: setting(
    "HANDOVER",
    kind.choice("move", "pipe"),
    "move",
    "How connections reach their shard; pipe is slower and needs no duplicated descriptors.",
  ),
  lendAfterMoves: setting(
    "LEND_AFTER_MOVES",
    kind.integer({ min: 1, max: 1_000_000 }),
    3,
    "How often a connection moves from shard to shard (proxies pool theirs) before it stays and its requests are passed on instead.",
  ),
  socketDir: optional(
    "SOCKET_DIR",
    path,
    "Folder (mode 0700) of internal unix sockets.",
    "a fresh folder below the system's temporary one",
  ),
  drainTimeoutMs: setting(
    "DRAIN_TIMEOUT_MS",
    timer,
    30 * second,
    "How long requests in flight may go on after SIGTERM.",
  ),
};

/** Storage, secrets, logs. */
export const storage = {
  dbPath: setting("DB_PATH", path, "data/digit-link.db", "SQLite file."),
  databaseUrl: optional("DATABASE_URL", kind.databaseUrl, "PostgreSQL instead of SQLite."),
  databaseConnections: setting(
    "DATABASE_CONNECTIONS",
    kind.integer({ min: 2, max: 1_000 }),
    10,
    "Most connections to PostgreSQL; the feed of changes has one more.",
  ),
  databaseTimeoutMs: setting(
    "DATABASE_TIMEOUT_MS",
    kind.duration({ minMs: 100, maxMs: 60 * minute }),
    15 * second,
    "How long PostgreSQL may take for one statement, or to give a connection; what waited is refused (503), and migrations have no limit.",
  ),
  databasePollMs: setting(
    "DATABASE_POLL_MS",
    // What another process revokes ends within five seconds.
    kind.duration({ minMs: 1, maxMs: 2 * second }),
    250,
    "How often the database is asked whether another process has written.",
  ),
  jwtSecret: optional(
    "JWT_SECRET",
    kind.secret(32),
    "Signs dashboard sessions.",
    "generated once beside the SQLite file; required with DATABASE_URL",
  ),
  encryptionKeys: optional(
    "ENCRYPTION_KEY",
    kind.secrets(32),
    "Seals TOTP seeds and client secrets in the database; `new,old` while rotating: the log says when the old one can be dropped.",
    "generated once beside the SQLite file; required with DATABASE_URL",
  ),
  adminToken: optional(
    "ADMIN_TOKEN",
    kind.headerSecret,
    "Makes sure that an account `admin` with this API token exists.",
  ),
  logLevel: setting(
    "LOG_LEVEL",
    kind.choice("debug", "info", "warn", "error"),
    "info",
    "Least important log lines to write.",
  ),
  logFormat: setting(
    "LOG_FORMAT",
    kind.choice("auto", "json", "text"),
    "auto",
    "JSON lines, or text for people; auto is text on a terminal.",
  ),
  logQuery: setting(
    "LOG_QUERY",
    kind.onOff,
    false,
    "Keep query strings in captured requests and logs (they often hold secrets).",
  ),
  accessLog: optional(
    "ACCESS_LOG",
    path,
    "File that gets a line of JSON for each request and TCP connection when it is over; `-` is standard output.",
  ),
  auditRetentionDays: setting(
    "AUDIT_RETENTION_DAYS",
    kind.integer({ min: 1, max: 36_500 }),
    90,
    "Days that audit entries are kept.",
  ),
  auditFlushMs: setting(
    "AUDIT_FLUSH_MS",
    // With what a shard holds for up to 100 ms, and the writing itself, a crash loses less than a second.
    kind.duration({ minMs: 1, maxMs: 500 }),
    250,
    "Longest time that an audit event waits in memory.",
  ),
  historyRetentionDays: setting(
    "HISTORY_RETENTION_DAYS",
    kind.integer({ min: 1, max: 36_500 }),
    90,
    "Days that closed tunnels and daily traffic are kept.",
  ),
};
