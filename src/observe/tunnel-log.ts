// Tunnels in the server's log, for an operator who follows it. The audit log keeps the same, and more.

import type { Logger } from "../lib/log.ts";
import type { AuditEntry } from "./audit.ts";
import { isRefusal, timesOf } from "./refusals.ts";

/** A name is shorter; a stranger may ask for what is none. */
const longestName = 64;

const messages: Readonly<Record<string, string>> = {
  "tunnel.opened": "a tunnel is open",
  "tunnel.closed": "a tunnel is closed",
  "tunnel.disconnected": "an agent was disconnected",
};

/** Writes a line about what became of a tunnel or of who asked for one (`onRecord` of createAudit); of anything else none. */
export function logTunnel(log: Logger, entry: AuditEntry): void {
  if (!entry.action.startsWith("tunnel.")) return;
  const message = isRefusal(entry) ? "an agent was refused" : messages[entry.action];
  if (message === undefined) return;
  const { identity, actorName, address, details } = entry;
  const reason = entry.reason ?? details?.["reason"];
  const requests = details?.["requests"];
  const times = timesOf(entry);
  log.info(message, {
    ...(identity && { name: identity.slice(0, longestName) }),
    ...(actorName && { by: actorName }),
    ...(address && { from: address }),
    ...(typeof reason === "string" && { reason }),
    ...(typeof requests === "number" && { requests }),
    ...(times > 1 && { times }),
  });
}
