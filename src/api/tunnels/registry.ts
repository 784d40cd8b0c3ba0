// The registry of live tunnels on main: registrations, giving up, and what lists and pages ask; composes what hears of changes.

import type { Config } from "../../config/config.ts";
import type { Database } from "../../db/database.ts";
import { closeOrphanedTunnels, listLeases } from "../../db/leases.ts";
import { AppError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { createTurns } from "../../lib/turns.ts";
import type { DisconnectReason, LocalStatus, ShardEvent, TunnelCounters } from "../../link/messages.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import type { Audit, LiveTunnels, TunnelSelector } from "../deps.ts";
import { Claims } from "./claims.ts";
import { NameDirectory, type PolicyCompiler } from "./directory.ts";
import { GoneTunnels } from "./gone.ts";
import { LeaseLife } from "./lease-life.ts";
import { LeaseTable } from "./lease-table.ts";
import { isActive, restoreLease, type Lease } from "./lease.ts";
import { TunnelRecords } from "./records.ts";
import type { RegisterRequest } from "./permit.ts";
import { register, type Registered } from "./register.ts";
import { DatabaseNews } from "./told-by-database.ts";
import { hearShards, type ShardNews } from "./told-by-shards.ts";
import { toLiveTunnel, type LiveTunnel } from "./view.ts";

export type { LiveTunnel } from "./view.ts";

export interface RegistryDeps {
  db: Database;
  audit: Pick<Audit, "record" | "refused">;
  config: Config;
  link: ShardLink;
  policies: PolicyCompiler;
  log: Logger;
  nowMs: () => number;
  /** How often is looked for what is over; 1,000 unless given. */
  sweepMs?: number;
}

/** No tunnel has this id. */
const noTunnel = "none";
const caughtUpMs = 1_000;

export class TunnelRegistry implements LiveTunnels, ShardNews {
  private readonly turn = createTurns();
  private readonly leases = new LeaseTable();
  private readonly directory: NameDirectory;
  private readonly records: TunnelRecords;
  private readonly life: LeaseLife;
  private readonly goneTunnels: GoneTunnels;
  private readonly claims: Claims;
  private readonly shards: ShardNews;
  private readonly news: DatabaseNews;
  private timer: ReturnType<typeof setInterval> | null = null;
  private unsubscribe: (() => void) | null = null;

  constructor(private readonly deps: RegistryDeps) {
    const { db, audit, link, policies, config, log, nowMs } = deps;
    const { leases } = this;
    const directory = new NameDirectory({ db: db.kysely, link, policies });
    const records = new TunnelRecords({ db, audit, log });
    const gone = new GoneTunnels(config);
    const life = new LeaseLife({ config, leases, directory, records, gone, link, log, nowMs });
    const { agentWhitelist } = config;
    this.claims = new Claims(
      leases,
      config,
      (name) => directory.isApplication(name),
      (lease) => life.free(lease),
    );
    this.shards = hearShards(leases, life, directory, this.claims);
    this.news = new DatabaseNews({ db: db.kysely, leases, life, directory, agentWhitelist, log, nowMs });
    this.directory = directory;
    this.records = records;
    this.life = life;
    this.goneTunnels = gone;
  }

  /** Reads applications and the leases of an earlier life, whose agents get the grace period to come back. */
  async start(): Promise<void> {
    this.unsubscribe = this.deps.db.changes.subscribe((changes) => this.news.hear(changes));
    await this.news.inTurn(() => this.restore());
    this.timer = setInterval(() => this.life.sweep(), this.deps.sweepMs ?? 1_000);
  }

  /** Resolves when everything noted is stored. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.unsubscribe?.();
    await this.news.stop();
    await this.records.flush();
  }

  /** Registers an agent; refusals are audited and returned as errors. `isCounted`: a limiter counts the wrong credential that this may be. */
  async register(request: RegisterRequest & { requestId: string; isCounted: boolean }): Promise<Registered | AppError> {
    // After a restart all agents come back at once: visitors' connections are accepted in between.
    await this.turn();
    const { db, config, link, nowMs } = this.deps;
    const { leases, directory, claims, records } = this;
    const changesHeard = () => this.news.heard;
    const end = (lease: Lease) => this.life.end(lease, "released");
    const away = (lease: Lease) => this.life.away(lease, "its registration failed");
    const deps = { db, config, link, leases, directory, claims, records, end, away, changesHeard, nowMs };
    const { credential, result } = await register(deps, request);
    if (result instanceof AppError) this.records.refused(result, credential, { ...request, name: nameOf(request) });
    return result;
  }

  async caughtUp(): Promise<void> {
    const { db, link } = this.deps;
    const tell = async (): Promise<void> => {
      await db.changes.caughtUp();
      await this.news.inTurn(() => Promise.resolve());
      // Asked about no tunnel: whoever answers has read what was sent before.
      await Promise.all(Array.from({ length: link.shards }, (_, shard) => link.check(shard, noTunnel)));
    };
    await Promise.race([tell(), Bun.sleep(caughtUpMs)]);
  }

  /** Gives a tunnel up for its holder: DELETE /_tunnel/{id}. False: it isn't theirs, or there is none. */
  release(tunnelId: string, holderId: string): boolean {
    const lease = this.leases.byTunnelId(tunnelId);
    if (lease === undefined || lease.state === "kept" || lease.holderId !== holderId) return false;
    this.life.free(lease);
    return true;
  }

  live(): LiveTunnel[] {
    const { config } = this.deps;
    return [...this.leases.all()].filter(({ state }) => state !== "kept").map((lease) => toLiveTunnel(lease, config));
  }

  /** Tunnels of the last day that are neither served nor leased any more. */
  gone(): LiveTunnel[] {
    const isListed = ({ name }: LiveTunnel) => (this.leases.get(name)?.state ?? "kept") !== "kept";
    return this.goneTunnels.all(this.deps.nowMs()).filter((tunnel) => !isListed(tunnel));
  }

  find(tunnelId: string): LiveTunnel | null {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined || lease.state === "kept" ? null : toLiveTunnel(lease, this.deps.config);
  }

  /** Takes an offline tunnel out of the lists; the name of one that is away is given up. False: an agent serves it. */
  clear(tunnelId: string): boolean {
    const lease = this.leases.byTunnelId(tunnelId);
    if (lease !== undefined && isActive(lease)) return false;
    if (lease?.state === "away") this.life.free(lease);
    this.goneTunnels.forget(tunnelId);
    this.records.cleared(tunnelId);
    return true;
  }

  count(): number {
    let count = 0;
    for (const lease of this.leases.all()) if (lease.state === "live") count++;
    return count;
  }

  async disconnect(what: TunnelSelector, reason: DisconnectReason): Promise<void> {
    this.life.disconnect(what, reason);
  }

  /** Whether the local service behind a tunnel answers now; null when the tunnel has no session. */
  async check(tunnelId: string): Promise<LocalStatus | null> {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined ? null : this.deps.link.check(this.life.shardOf(lease), tunnelId);
  }

  /** What the shards of tunnels are asked for, by tunnel: see ShardLink.requests. */
  shardOfTunnel(tunnelId: string): number | null {
    const lease = this.leases.byTunnelId(tunnelId);
    return lease === undefined ? null : this.life.shardOf(lease);
  }

  onReady(shard: number): void {
    this.shards.onReady(shard);
  }

  onReplaced(shard: number): void {
    this.shards.onReplaced(shard);
  }

  onEvents(shard: number, events: ShardEvent[]): void {
    this.shards.onEvents(shard, events);
  }

  onCounters(shard: number, counters: TunnelCounters[]): void {
    this.shards.onCounters(shard, counters);
  }

  private async restore(): Promise<void> {
    const { db, config, nowMs } = this.deps;
    await this.directory.load();
    for (const row of await listLeases(db.kysely)) {
      const lease = restoreLease(row, nowMs(), config);
      // While the server was down the name may have become an application's, or stopped being one.
      if (lease === null || this.directory.ownerOf(row.name) !== row.app_id) {
        this.records.leaseGone({ name: row.name, tunnelId: row.tunnel_id });
        continue;
      }
      // Registered again while this was read: that is newer.
      if (this.leases.get(row.name) !== undefined) continue;
      this.leases.add(lease);
      if (lease.state !== "away") continue;
      await this.directory.lease(lease);
      this.directory.hold(lease.name, lease.freeAtMs ?? 0);
    }
    await this.records.flush();
    await closeOrphanedTunnels(db.kysely, nowMs());
    await this.goneTunnels.load(db.kysely, nowMs());
  }
}

function nameOf({ body }: RegisterRequest): string | null {
  return body.subdomain ?? (body.port === undefined ? null : `tcp:${body.port}`);
}
