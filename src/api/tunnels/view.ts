// A live tunnel as lists, pages and events show it.

import { publicUrl, type Config } from "../../config/config.ts";
import type { LocalStatus } from "../../link/messages.ts";
import { sessionsOf, type Lease } from "./lease.ts";

export interface LiveTunnel {
  id: string;
  name: string;
  url: string;
  kind: "http" | "tcp";
  /** `gone`: neither served nor leased any more. */
  state: Lease["state"] | "gone";
  accountId: string | null;
  keyId: string | null;
  orgId: string | null;
  appId: string | null;
  openedAtMs: number | null;
  awaySinceMs: number | null;
  agents: {
    agentId: string;
    version: string;
    address: string;
    target: string | null;
    actorName: string;
    sessions: number;
  }[];
  /** The agent that registered last, whether it is connected or not; null when nothing is known of it. */
  lastAgent: { version: string; address: string } | null;
  /** What the agent that registered last forwards to, as it says. */
  target: string | null;
  sessions: number;
  rttMs: number | null;
  streams: number;
  local: LocalStatus;
  totals: Lease["totals"];
}

export function toLiveTunnel(lease: Lease, config: Parameters<typeof tunnelUrl>[0]): LiveTunnel {
  const { tunnelId: id, name, kind, state, accountId, keyId, orgId, appId, openedAtMs, awaySinceMs } = lease;
  const { rttMs, streams, local, totals, target } = lease;
  const last = [...lease.agents.values()].at(-1);
  const agents = [...lease.agents.values()]
    .filter((agent) => agent.sessions > 0)
    .map(({ agentId, version, address, target, credential, sessions }) => {
      return { agentId, version, address, target, actorName: credential.actorName, sessions };
    });
  const url = tunnelUrl(config, lease);
  return {
    ...{ id, name, url, kind, state, accountId, keyId, orgId, appId, openedAtMs, awaySinceMs },
    ...{ agents, sessions: sessionsOf(lease), rttMs, streams, local, totals, target },
    lastAgent: last === undefined ? null : { version: last.version, address: last.address },
  };
}

/** Where visitors find it. */
export function tunnelUrl(
  config: Pick<Config, "scheme" | "domain" | "publicPort">,
  { name, port }: Pick<Lease, "name" | "port">,
): string {
  return port === null ? publicUrl(config, name) : `tcp://${config.domain}:${port}`;
}
