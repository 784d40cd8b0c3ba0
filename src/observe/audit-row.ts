// An audit entry as the row that is stored: bounded, and with nothing in it that could forge a line.

import type { AuditLogTable } from "../db/tables-record.ts";
import { newId } from "../lib/ids.ts";
import { escapeControls } from "../lib/log.ts";
import type { AuditEntry } from "./audit.ts";

const longestText = 512;
const longestDetails = 16_384;

/** The entry at position `seq`, as yet without its place in the chain. */
export function rowOf(seq: number, entry: AuditEntry, nowMs: number): Omit<AuditLogTable, "hash" | "prev_hash"> {
  const at = entry.atMs ?? nowMs;
  return {
    seq,
    id: newId("aud", at),
    at,
    org_id: entry.orgId ?? null,
    app_id: entry.appId ?? null,
    actor_id: entry.actorId ?? null,
    actor_name: safeText(entry.actorName),
    action: entry.action,
    auth_type: safeText(entry.authType),
    success: entry.success === false ? 0 : 1,
    reason: safeText(entry.reason),
    address: safeText(entry.address),
    identity: safeText(entry.identity),
    key_id: safeText(entry.keyId),
    request_id: safeText(entry.requestId),
    details_json: safeDetails(entry.details),
  };
}

/** Escapes what could forge a line or break an engine (NUL, lone surrogates), and bounds the length. */
function safeText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return escapeControls(text.slice(0, longestText)).toWellFormed();
}

function safeDetails(details: Record<string, unknown> | null | undefined): string | null {
  if (details === null || details === undefined) return null;
  const json = JSON.stringify(details);
  return json.length <= longestDetails ? json : JSON.stringify({ cut: true, begin: json.slice(0, longestDetails / 2) });
}
