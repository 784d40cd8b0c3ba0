// Refusals: which audit entries they are, how they are shown, and how those of the shards get into the audit log.

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

const repeatAfterMs = 60_000;
const mostRemembered = 10_000;

/**
 * Records what the shards refused and admitted. The same visitor at the same rule is recorded once a minute: whoever is
 * refused can knock thousands of times a second. Hand its `onEvents` what ShardListener is told.
 */
export function createShardAudit(audit: Pick<Audit, "record">) {
  const recent = new Map<string, number>();

  function isRepeat(event: Extract<ShardEvent, { type: "refusal" | "admitted" }>): boolean {
    const key = `${event.type} ${event.name} ${event.rule} ${event.address} ${event.identity ?? ""}`;
    const lastMs = recent.get(key) ?? 0;
    if (event.atMs - lastMs < repeatAfterMs) return true;
    // Re-entered, so that the first of the map is the one that was recorded longest ago.
    recent.delete(key);
    recent.set(key, event.atMs);
    if (recent.size > mostRemembered) recent.delete(recent.keys().next().value ?? "");
    return false;
  }

  return {
    onEvents(_shard: number, events: readonly ShardEvent[]): void {
      for (const event of events) {
        if (event.type !== "refusal" && event.type !== "admitted") continue;
        if (isRepeat(event)) continue;
        const admitted = event.type === "admitted";
        audit.record({
          // A session that was refused has no name yet: its ticket was what failed.
          action: event.name === "" ? "tunnel.session_refused" : admitted ? "visitor.admitted" : "visitor.refused",
          success: admitted,
          reason: event.rule,
          orgId: event.orgId,
          appId: event.appId,
          address: event.address,
          identity: event.identity,
          requestId: event.requestId,
          details: event.name === "" ? null : { name: event.name },
          atMs: event.atMs,
        });
      }
    },
  };
}
