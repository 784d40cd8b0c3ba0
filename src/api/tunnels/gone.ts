// Tunnels that are neither served nor leased any more, remembered for a day so that lists can say since when and of what.

import { listClosedTunnels } from "../../db/leases.ts";
import type { Queryable } from "../../db/database.ts";
import type { TunnelsTable } from "../../db/tables-record.ts";
import { portOf } from "../../link/shard-of.ts";
import { noTotals, type Lease } from "./lease.ts";
import { toLiveTunnel, tunnelUrl, type LiveTunnel } from "./view.ts";

const rememberedMs = 24 * 60 * 60 * 1_000;
const mostRemembered = 1_000;

/** The last tunnel of each name, the oldest first. At most 1,000: the oldest fall out. */
export class GoneTunnels {
  readonly #byName = new Map<string, LiveTunnel>();

  constructor(private readonly config: Parameters<typeof tunnelUrl>[0]) {}

  /** Reads what an earlier life of the server closed. */
  async load(db: Queryable, nowMs: number): Promise<void> {
    const rows = await listClosedTunnels(db, nowMs - rememberedMs, mostRemembered);
    for (const row of rows.reverse()) this.#enter(fromRow(row, this.config));
  }

  /** A lease ends, or is kept for its holder only. Call it while the lease still has its agents. */
  add(lease: Lease, nowMs: number): void {
    if (lease.openedAtMs === null && lease.formerAgentId === null) return;
    const sessionless = { agents: [], sessions: 0, streams: 0, rttMs: null };
    const awaySinceMs = lease.awaySinceMs ?? nowMs;
    this.#enter({ ...toLiveTunnel(lease, this.config), ...sessionless, state: "gone", awaySinceMs });
  }

  /** The name is served again. */
  forgetName(name: string): void {
    this.#byName.delete(name);
  }

  /** Nobody wants to see it any more. */
  forget(tunnelId: string): void {
    for (const { id, name } of this.#byName.values()) if (id === tunnelId) this.#byName.delete(name);
  }

  /** Those of the last day. */
  all(nowMs: number): LiveTunnel[] {
    for (const tunnel of this.#byName.values()) {
      // A time that is still to come tells no age: the clock was ahead.
      tunnel.awaySinceMs = Math.min(tunnel.awaySinceMs ?? 0, nowMs);
      if (tunnel.awaySinceMs <= nowMs - rememberedMs) this.#byName.delete(tunnel.name);
    }
    return [...this.#byName.values()];
  }

  #enter(tunnel: LiveTunnel): void {
    this.#byName.delete(tunnel.name);
    this.#byName.set(tunnel.name, tunnel);
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > mostRemembered && oldest !== undefined) this.#byName.delete(oldest);
  }
}

function fromRow(row: TunnelsTable, config: Parameters<typeof tunnelUrl>[0]): LiveTunnel {
  const { requests, connections, bytes_in: bytesIn, bytes_out: bytesOut } = row;
  return {
    ...{ id: row.id, name: row.name, kind: row.kind, state: "gone" },
    url: tunnelUrl(config, { name: row.name, port: portOf(row.name) }),
    ...{ accountId: row.account_id, keyId: row.key_id, orgId: row.org_id, appId: row.app_id },
    ...{ openedAtMs: row.opened_at, awaySinceMs: row.closed_at, agents: [], sessions: 0, rttMs: null, streams: 0 },
    ...{ lastAgent: { version: row.agent_version, address: row.address }, target: row.target },
    ...{ local: { state: "unknown" }, totals: { ...noTotals, requests, connections, bytesIn, bytesOut } },
  };
}
