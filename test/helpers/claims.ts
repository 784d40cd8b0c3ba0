// Claims without database or clock.

import type { ApplicationName, TunnelCredential } from "../../src/db/credentials.ts";
import { AppError } from "../../src/lib/errors.ts";
import { Claims, type Claim, type ClaimLimits, type Granted } from "../../src/api/tunnels/claims.ts";
import { LeaseTable } from "../../src/api/tunnels/lease-table.ts";
import type { Lease, LeaseState } from "../../src/api/tunnels/lease.ts";

export const nowMs = 1_000_000;
export const ticketMs = 60_000;
export const shop: ApplicationName = { id: "app_shop", orgId: "org_1", subdomain: "shop", isActive: true };

function credential(holderId: string, orgId: string | null = "org_1"): TunnelCredential {
  return {
    ...{ kind: "token", tokenHash: holderId, holderId, accountId: holderId, keyId: null, orgId, appId: null },
    ...{ actorName: holderId, active: true, mayOpenTunnels: true, expiresAtMs: null, lastUsedAtMs: 0 },
  };
}

/** What `by` asks for. */
export const claimOf = (change: Partial<Claim> & { by?: string; orgId?: string | null }): Claim => {
  const { by = "ada", orgId = "org_1", ...rest } = change;
  return {
    ...{ credential: credential(by, orgId), kind: "http", name: "mine", application: null, agentId: "agent-one" },
    ...{
      generation: 1,
      version: "1.0.0",
      address: "127.0.0.1",
      target: null,
      ...{ pool: false, exactPort: false, without: new Set<string>() },
      ticketsUntilMs: nowMs + ticketMs,
    },
    ...rest,
  };
};

/** Claims on an empty table: of two ports, and of `names` in turn where the server chooses. */
export function setUp(limits: Partial<ClaimLimits> = {}, names: string[] = []) {
  const leases = new LeaseTable();
  const ended: string[] = [];
  const claims = new Claims(
    leases,
    {
      maxTunnelsPerAccount: 10,
      maxTunnelsPerOrganization: 10,
      maxAgentsPerTunnel: 2,
      tcpPorts: [7001, 7002],
      ...limits,
    },
    (name) => name === shop.subdomain,
    (lease) => {
      ended.push(lease.name);
      leases.remove(lease);
    },
    { random: () => 0, name: () => names.shift() ?? "brisk-owl-1234" },
  );
  const grant = (change: Parameters<typeof claimOf>[0], atMs = nowMs): Granted => {
    const result = claims.claim(claimOf(change), atMs);
    if (result instanceof AppError) throw result;
    return result;
  };
  const code = (change: Parameters<typeof claimOf>[0], atMs = nowMs) => {
    const result = claims.claim(claimOf(change), atMs);
    return result instanceof AppError ? result.code : null;
  };
  /** Grants, and brings the lease into a state as the registry would. */
  const be = (state: LeaseState, change: Parameters<typeof claimOf>[0]): Lease => {
    const { lease, agent } = grant(change);
    if (state === "opening") return lease;
    agent.tickets = 0;
    agent.sessions = state === "live" ? 1 : 0;
    const isOver = state === "away" || state === "kept";
    leases.setState(lease, state, { awaySinceMs: isOver ? nowMs : null, freeAtMs: isOver ? nowMs + 1_000 : null });
    return lease;
  };
  return { leases, claims, ended, grant, code, be };
}
