// The tables of what happens (leases, tunnels, audit, changes, traffic), typed, with their less obvious columns.

import type { Generated } from "kysely";
import type { Flag } from "./tables.ts";

/** Who holds a name (`myapp`) or a TCP port (`tcp:20000`), beyond the life of its sessions. */
export interface LeasesTable {
  name: string;
  kind: "http" | "tcp";
  /** The account or API key that took it; for an application's name too. */
  holder_id: string;
  account_id: string | null;
  key_id: string | null;
  org_id: string | null;
  app_id: string | null;
  agent_id: string;
  generation: number;
  tunnel_id: string;
  /** The server chose the name: kept for its holder for 24 h after release. */
  random: Flag;
  taken_at: number;
  /** What its agent forwards to, as the agent says. */
  target: string | null;
  /** From here on anybody may take it; null while a session lives. */
  free_at: number | null;
}

/** One served name, from its first registration to its release: the history that lists and totals are made of. */
export interface TunnelsTable {
  id: string;
  name: string;
  kind: "http" | "tcp";
  account_id: string | null;
  key_id: string | null;
  org_id: string | null;
  app_id: string | null;
  agent_id: string;
  agent_version: string;
  address: string;
  /** What its agent forwarded to, as the agent said. */
  target: string | null;
  opened_at: number;
  /** When the last session went; null while it is live or in its grace period. */
  closed_at: number | null;
  close_reason: string | null;
  requests: number;
  connections: number;
  /** Visitor -> local service. */
  bytes_in: number;
  /** Local service -> visitor. */
  bytes_out: number;
}

/** The audit log; rows are only ever added at the end and pruned at the start. */
export interface AuditLogTable {
  /** Position in the chain, without gaps: the paging key. */
  seq: number;
  id: string;
  /** When it happened, at most a flush interval before its position suggests. */
  at: number;
  org_id: string | null;
  app_id: string | null;
  actor_id: string | null;
  actor_name: string | null;
  action: string;
  auth_type: string | null;
  success: Flag;
  reason: string | null;
  address: string | null;
  /** Who the visitor or agent said to be. */
  identity: string | null;
  key_id: string | null;
  request_id: string | null;
  /** Before and after, without secrets, and what else the action has. */
  details_json: string | null;
  prev_hash: string;
  /** SHA-256 over `prev_hash` and the row; see observe/audit-chain. */
  hash: string;
}

/** One row (`id` 1): where the chain ends, and where pruning has cut it. Locked by whoever appends. */
export interface AuditChainTable {
  id: number;
  head_seq: number;
  head_hash: string;
  /** The last pruned row: the oldest kept one continues it. */
  anchor_seq: number;
  anchor_hash: string;
}

/** What changed, for whoever keeps compiled state in memory; written in the transaction of the change. Kept for a day. */
export interface ChangesTable {
  id: Generated<number>;
  kind: string;
  /** The changed thing's id. */
  ref_id: string;
  org_id: string | null;
  action: "created" | "updated" | "deleted";
  at: number;
}

/** Traffic per name and slot of time. */
export interface TrafficTable {
  resolution: "minute" | "quarter" | "day";
  /** Start of the slot. */
  slot_at: number;
  name: string;
  /** Empty text = none (part of the key). */
  app_id: string;
  org_id: string;
  requests: number;
  connections: number;
  bytes_in: number;
  bytes_out: number;
  status_2xx: number;
  status_3xx: number;
  status_4xx: number;
  status_5xx: number;
}

/** Single values the server keeps: the hash of the setup code, when something last ran. */
export interface SettingsTable {
  key: string;
  value: string;
  updated_at: number;
}
