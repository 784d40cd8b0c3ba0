// What is written down of tunnels: ends of leases, the history of tunnels, audit rows. Nothing here is waited for.

import type { TunnelCredential } from "../../db/credentials.ts";
import type { Database } from "../../db/database.ts";
import { clearTunnel, closeTunnel, insertTunnel, removeLease, setLeaseEnd } from "../../db/leases.ts";
import type { AppError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { DisconnectReason } from "../../link/messages.ts";
import type { Audit, AuditEntry } from "../deps.ts";
import { noteFailure } from "../limited.ts";
import type { AgentBinding, Lease } from "./lease.ts";

export interface RecordsDeps {
  db: Database;
  audit: Pick<Audit, "record" | "refused">;
  log: Logger;
}

const mostNotGone = 10_000;

export class TunnelRecords {
  /** One write after the other: on PostgreSQL two could otherwise overtake each other. */
  private writing: Promise<void> = Promise.resolve();
  /** Ends of leases that could not be stored, by name: their rows would keep the names from everybody else. */
  private readonly notGone = new Map<string, Pick<Lease, "name" | "tunnelId">>();

  constructor(private readonly deps: RecordsDeps) {}

  /** Resolves when everything noted so far is stored, or could not be. */
  flush(): Promise<void> {
    return this.writing;
  }

  /** As `flush`, for whoever takes the name: what could not be stored of its lease before is tried once more. */
  flushFor(name: string): Promise<void> {
    const lease = this.notGone.get(name);
    if (lease !== undefined) this.leaseGone(lease);
    return this.writing;
  }

  /** The first session of a tunnel. */
  opened(lease: Lease, agent: AgentBinding, address: string, atMs: number): void {
    const { tunnelId: id, name, kind, accountId, keyId, orgId, appId } = lease;
    this.audit("tunnel.opened", lease, agent, { address, atMs });
    const row = {
      ...{ id, name, kind, account_id: accountId, key_id: keyId, org_id: orgId, app_id: appId },
      ...{ agent_id: agent.agentId, agent_version: agent.version, address, target: agent.target, opened_at: atMs },
      ...{ closed_at: null, close_reason: null, requests: 0, connections: 0, bytes_in: 0, bytes_out: 0 },
    };
    this.later(() => insertTunnel(this.deps.db.kysely, row));
  }

  /** The end of a tunnel, whether this server saw its beginning or not. */
  closed(lease: Lease, reason: string, atMs: number): void {
    const { tunnelId, totals } = lease;
    const { requests, connections, bytesIn, bytesOut } = totals;
    if (lease.openedAtMs !== null)
      this.audit("tunnel.closed", lease, [...lease.agents.values()].at(-1) ?? null, { details: { reason, requests } });
    const end = { closed_at: atMs, close_reason: reason, requests, connections };
    this.later(() => closeTunnel(this.deps.db.kysely, tunnelId, { ...end, bytes_in: bytesIn, bytes_out: bytesOut }));
  }

  /** Somebody does not want to see it any more. */
  cleared(tunnelId: string): void {
    this.later(() => clearTunnel(this.deps.db.kysely, tunnelId));
  }

  /** An agent was told to close. */
  disconnected(lease: Lease, agent: AgentBinding, reason: DisconnectReason): void {
    this.audit("tunnel.disconnected", lease, agent, { reason });
  }

  /** A registration was refused; of wrong credentials that a limiter counts each has its entry. */
  refused(
    refusal: AppError,
    credential: TunnelCredential | null,
    from: { address: string; requestId: string; name: string | null; isCounted: boolean },
  ): void {
    noteFailure(this.deps.audit, from.isCounted && refusal.code === "bad_token", {
      ...{ action: "tunnel.refused", reason: refusal.code, authType: credential?.kind ?? null },
      ...{ orgId: credential?.orgId ?? null, appId: credential?.appId ?? null, keyId: credential?.keyId ?? null },
      ...{ actorId: credential?.accountId ?? null, actorName: credential?.actorName ?? null },
      ...{ address: from.address, requestId: from.requestId, identity: from.name },
    });
  }

  /** When the lease ends: null while it is served. A random name's end includes the time for which it is kept. */
  leaseEnd({ name, tunnelId }: Lease, freeAtMs: number | null): void {
    this.later(() => setLeaseEnd(this.deps.db.kysely, { name, tunnelId, freeAtMs }));
  }

  leaseGone({ name, tunnelId }: Pick<Lease, "name" | "tunnelId">): void {
    this.later(async () => {
      this.notGone.delete(name);
      // Until it is done: the oldest of too many waits for a restart.
      this.notGone.set(name, { name, tunnelId });
      if (this.notGone.size > mostNotGone) this.notGone.delete(this.notGone.keys().next().value ?? "");
      await removeLease(this.deps.db.kysely, { name, tunnelId });
      this.notGone.delete(name);
    });
  }

  private audit(action: string, lease: Lease, agent: AgentBinding | null, more: Partial<AuditEntry>): void {
    const { orgId, appId, name, tunnelId, accountId, keyId } = lease;
    const credential = agent?.credential ?? null;
    this.deps.audit.record({
      ...{ action, orgId, appId, identity: name, actorId: credential?.accountId ?? accountId },
      ...{ actorName: credential?.actorName ?? null, keyId: credential?.keyId ?? keyId },
      ...{ authType: credential?.kind ?? null, address: agent?.address ?? null },
      ...more,
      details: { tunnelId, ...more.details },
    });
  }

  private later(write: () => Promise<unknown>): void {
    this.writing = this.writing.then(write).then(
      () => {},
      // The next write about the same lease tells the database anyway, and a restart clears up.
      (error: unknown) => this.deps.log.error("a tunnel's record could not be stored", { error: String(error) }),
    );
  }
}
