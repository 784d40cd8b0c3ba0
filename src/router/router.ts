// Where a request that reaches the main thread belongs: to a shard, to the control plane, or nowhere.

import { dashboardUrl } from "../config/config.ts";
import type { ControlPool } from "../ingress/control-pool.ts";
import type { Head } from "../http1/head.ts";
import type { AccessLog } from "../ingress/access-log.ts";
import type { VisitorConnection } from "../ingress/connection.ts";
import type { Connections } from "../ingress/connections.ts";
import type { IngressHost, IngressSettings } from "../ingress/exchange.ts";
import { carriesForwarding, resolveVisitor } from "../ingress/forwarded.ts";
import { type HostVerdict, judgeHost, sessionShard } from "../ingress/gate.ts";
import { relay } from "../ingress/relay.ts";
import type { CidrList } from "../lib/cidr.ts";
import type { ErrorCode } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { ShardLink } from "../link/shard-link.ts";
import { shardOf } from "../link/shard-of.ts";

export interface RouterOptions {
  settings: IngressSettings & { domain: string; dashboardDomain: string; publicPort: number; holdMs: number };
  link: ShardLink;
  control: ControlPool;
  trusted: CidrList;
  log: Logger;
  accessLog: AccessLog | null;
}

/** Paths that answer under an IP address or localhost, for probes. */
const probes = new Set(["/health", "/ready", "/live", "/metrics"]);
/** What the base domain serves when the dashboard lives elsewhere. */
const sharedPaths = new Set(["/auth/visitor/callback", "/api/plans", ...probes]);

/** The main thread's `IngressHost`. */
export class Router implements IngressHost {
  readonly settings: IngressSettings;
  readonly accessLog: AccessLog | null;
  /** Set once, by whoever composes the two. */
  connections: Connections | null = null;
  private readonly waiting = new Map<number, Set<VisitorConnection>>();
  private warnedOfProxy = false;
  private warnedOfSilence = false;

  constructor(private readonly options: RouterOptions) {
    // The control plane has its own, much smaller limit for bodies; tunnels' bodies are counted where they are read.
    this.settings = options.settings;
    this.accessLog = options.accessLog;
  }

  judgeHost(value: string): HostVerdict {
    return judgeHost(value, this.options.settings);
  }

  route(
    connection: VisitorConnection,
    head: Head,
    host: Extract<HostVerdict, { kind: "base" | "tunnel" | "probe" }>,
  ): void {
    const { options } = this;
    this.warnOfProxy(connection, head);
    if (host.kind === "tunnel") return this.toShard(connection, shardOf(host.name, options.link.shards));
    const { target } = head;
    const session = host.kind === "base" ? sessionShard(target) : -1;
    // One that is no shard's any more finds its answer at another one's door.
    if (session >= 0) return this.toShard(connection, session % options.link.shards);
    if (!this.isServed(host, target.split("?", 1)[0]!))
      return host.kind === "base" ? this.leadToDashboard(connection) : connection.answer("misdirected");
    const { address, secure } = connection.meta;
    const visitor = resolveVisitor(head, address, secure ? "https" : options.settings.scheme, options.trusted);
    if (visitor.network === null) this.warnOfSilence(address, target);
    relay(connection, head, options.control, visitor);
  }

  refused(code: ErrorCode, detail: string, address: string, requestId: string): void {
    this.options.log.debug("refused a request", { code, detail, address, requestId });
  }

  released(connection: VisitorConnection): void {
    for (const set of this.waiting.values()) set.delete(connection);
    this.connections?.released(connection);
  }

  /** A shard is ready (again): whoever waited for it goes on. */
  shardReady(shard: number): void {
    const waiting = this.waiting.get(shard);
    this.waiting.delete(shard);
    for (const connection of waiting ?? []) connection.retry();
  }

  private toShard(connection: VisitorConnection, shard: number): void {
    const { link, settings } = this.options;
    const moved = connection.move(
      (socket, meta) => this.connections?.give(socket, meta, (one) => link.sendConnection(shard, one)) ?? false,
    );
    if (moved) return;
    const waiting = this.waiting.get(shard) ?? new Set();
    this.waiting.set(shard, waiting.add(connection));
    connection.postpone(settings.holdMs);
  }

  private isServed(host: Extract<HostVerdict, { kind: "base" | "probe" | "tunnel" }>, path: string): boolean {
    const { domain, dashboardDomain } = this.options.settings;
    if (host.kind === "probe") return probes.has(path);
    if (domain === dashboardDomain) return true;
    const isAgents = path.startsWith("/_tunnel/");
    return host.host === dashboardDomain ? !isAgents : isAgents || sharedPaths.has(path);
  }

  private leadToDashboard(connection: VisitorConnection): void {
    connection.answer("not_found", {
      leadsTo: { href: dashboardUrl(this.options.settings), text: "Go to the dashboard" },
    });
  }

  /** A trusted proxy named no visitor: once, and not for what it asks for itself to see whether we live. */
  private warnOfSilence(address: string, target: string): void {
    if (this.warnedOfSilence || sharedPaths.has(target)) return;
    this.warnedOfSilence = true;
    this.options.log.warn(
      `the trusted proxy ${address} names no visitor in X-Forwarded-For or Forwarded: failures are not counted per address; let it send one of them`,
    );
  }

  private warnOfProxy(connection: VisitorConnection, head: Head): void {
    if (this.warnedOfProxy || !carriesForwarding(head) || this.options.trusted.matches(connection.meta.address)) return;
    this.warnedOfProxy = true;
    const { address } = connection.meta;
    this.options.log.warn(
      `requests from ${address} carry X-Forwarded-For, which is ignored; if that is your proxy, set TRUSTED_PROXIES=${address}`,
    );
  }
}
