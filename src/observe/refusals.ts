// Refusals: which audit entries they are, how they are shown, and how those of the shards get into the audit log.

import { networkOf } from "../lib/cidr.ts";
import type { ShardEvent } from "../link/messages.ts";
import type { Audit, AuditEntry } from "./audit.ts";

/** Visitors and agents that were turned away; failed logins of people are found in the audit log only. */
const refusedActions = /^(visitor|tunnel)\./;

/** One refusal as the dashboard shows it. */
export interface RefusalView {
  time: string;
  /** The tunnel that was asked for; empty when none was named. */
  name: string;
  appId: string | null;
  rule: string;
  address: string;
  identity: string | null;
  requestId: string | null;
}

export function isRefusal(entry: Pick<AuditEntry, "action" | "success">): boolean {
  return entry.success === false && refusedActions.test(entry.action);
}

export function toRefusal(entry: AuditEntry & { atMs: number }): RefusalView {
  const named = entry.details?.["name"];
  const isAgent = entry.action.startsWith("tunnel.");
  return {
    time: new Date(entry.atMs).toISOString(),
    // An agent's claimed identity is the name that it asked for.
    name: typeof named === "string" ? named : isAgent ? (entry.identity ?? "") : "",
    appId: entry.appId ?? null,
    rule: entry.reason ?? entry.action,
    address: entry.address ?? "",
    identity: isAgent ? (entry.actorName ?? null) : (entry.identity ?? null),
    requestId: entry.requestId ?? null,
  };
}

/**
 * Refusals with the same key are the same to the log: what was refused, why, by whom and from where (an IPv6 network is one
 * customer). Nothing that a stranger makes up is part of it: no name, no username.
 */
export function repeatKeyOf(entry: AuditEntry): string {
  const { action, reason, authType, orgId, appId, actorId, keyId, address, details } = entry;
  const subject = networkOf(address ?? "");
  return JSON.stringify([action, reason, authType, orgId, appId, actorId, keyId, subject, details?.["name"]]);
}

/** An entry that stands for `times` of its kind; this one was the last of them. */
export function repeated(entry: AuditEntry, times: number): AuditEntry {
  return times === 1 ? entry : { ...entry, details: { ...entry.details, times } };
}

/** How many an entry stands for. */
export function timesOf({ details }: AuditEntry): number {
  const times = details?.["times"];
  return typeof times === "number" ? times : 1;
}

/** The entry of what a shard refused. It tells of repeats as `Audit.refused` does. */
function toEntry(event: Extract<ShardEvent, { type: "refusal" | "session.refused" }>): AuditEntry {
  const { rule: reason, orgId, appId, address, requestId, atMs } = event;
  const common = { success: false, reason, orgId, appId, address, requestId, atMs };
  if (event.type === "session.refused") {
    const { accountId: actorId, keyId, name: identity, tunnelId } = event;
    const details = tunnelId === null ? null : { tunnelId };
    return { ...common, action: "tunnel.session_refused", authType: "ticket", actorId, keyId, identity, details };
  }
  const { authType, identity, name } = event;
  // With a credential it is the outcome of a login, as on main.
  const action = authType === null ? "visitor.refused" : "visitor.auth";
  return { ...common, action, authType, identity, details: { name } };
}

/** Records what the shards refused. Hand its `onEvents` what ShardListener is told. */
export function createShardAudit(audit: Pick<Audit, "record">) {
  return {
    onEvents(_shard: number, events: readonly ShardEvent[]): void {
      for (const event of events) {
        if (event.type !== "refusal" && event.type !== "session.refused") continue;
        audit.record(repeated(toEntry(event), event.times));
      }
    },
  };
}
