// The live tunnels as the API reads them: found within a scope, counted by what they belong to.

import type { LocalStatus } from "../../link/messages.ts";
import type { LiveTunnel } from "../tunnels/registry.ts";

/** What the registry of tunnels shows. */
export interface TunnelSource {
  /** Every leased name, whether an agent is connected or away for a moment. */
  live(): LiveTunnel[];
  /** What went offline for longer within the last day. */
  gone(): LiveTunnel[];
  find(tunnelId: string): LiveTunnel | null;
  /** Takes an offline one out of the lists; false when an agent serves it. */
  clear(tunnelId: string): boolean;
  /** Whether the local service answers now; null when the tunnel has no session. */
  check(tunnelId: string): Promise<LocalStatus | null>;
  shardOfTunnel(tunnelId: string): number | null;
}

export interface TunnelDirectory {
  /** Tunnels of an organization (null: of all), whatever their state, those that are gone included. */
  within(orgId: string | null): LiveTunnel[];
  /** One of them; null when it is another's or none. */
  find(orgId: string | null, tunnelId: string): LiveTunnel | null;
  /** How many are connected, by organization or application. */
  countConnected(by: "orgId" | "appId"): Map<string, number>;
}

export function createTunnelDirectory(source: Pick<TunnelSource, "live" | "gone" | "find">): TunnelDirectory {
  return {
    within: (orgId) =>
      [...source.live(), ...source.gone()].filter((tunnel) => orgId === null || tunnel.orgId === orgId),
    find(orgId, tunnelId) {
      const tunnel = source.find(tunnelId) ?? source.gone().find(({ id }) => id === tunnelId) ?? null;
      return tunnel === null || (orgId !== null && tunnel.orgId !== orgId) ? null : tunnel;
    },
    countConnected(by) {
      const counts = new Map<string, number>();
      for (const tunnel of source.live()) {
        const key = tunnel[by];
        if (key !== null && isConnected(tunnel)) counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    },
  };
}

/** Whether an agent has a session now. */
export function isConnected(tunnel: LiveTunnel): boolean {
  return tunnel.state === "live";
}
