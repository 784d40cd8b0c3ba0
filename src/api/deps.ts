// What the API needs from the rest of the program; server.ts passes it, tests pass fakes for the parts they watch.

import type { Limiter } from "../auth/limiter.ts";
import type { Passwords } from "../auth/passwords.ts";
import type { Sealer } from "../auth/sealing.ts";
import type { SessionTokens } from "../auth/jwt.ts";
import type { Database, Trx } from "../db/database.ts";
import type { Logger } from "../lib/log.ts";
import type { DisconnectReason } from "../link/messages.ts";

/** One line of the audit log. What is left out is null. */
export interface AuditEntry {
  /** `login`, `totp`, `account.created`, … */
  action: string;
  success: boolean;
  /** Why not, or what else is worth knowing, in a few words; no secrets. */
  reason?: string | null;
  authType?: string | null;
  orgId?: string | null;
  appId?: string | null;
  actorId?: string | null;
  actorName?: string | null;
  address?: string | null;
  /** Who the caller said to be. */
  identity?: string | null;
  keyId?: string | null;
  requestId?: string | null;
  /** Before and after, without secrets. */
  details?: Record<string, unknown> | null;
}

export interface Audit {
  /** Queues an outcome; written within a second, off the request's path. */
  record(entry: AuditEntry): void;
  /** Writes the row in the transaction of the change it belongs to. Throws `audit_unavailable` when it cannot. */
  within(trx: Trx, entry: AuditEntry): Promise<void>;
}

/** Whose tunnels must close. All given fields must match. */
export interface TunnelSelector {
  accountId?: string;
  orgId?: string;
  appId?: string;
  keyId?: string;
  tunnelId?: string;
}

/** The registry of live tunnels, as far as the API acts on it. */
export interface LiveTunnels {
  /** Closes the sessions of matching tunnels; resolves when the shards have been told. */
  disconnect(what: TunnelSelector, reason: DisconnectReason): Promise<void>;
  count(): number;
}

/** The part of the configuration that the API reads. */
export interface ApiSettings {
  domain: string;
  scheme: "http" | "https";
  sessionTtlMs: number;
  /** How long a half-done login may take. */
  pendingLoginTtlMs: number;
  /** Whether admin routes accept `X-Admin-Token`. */
  adminApiTokens: boolean;
  loginLimit: { maxAttempts: number; windowMs: number; blockMs: number };
  totpLimit: { maxAttempts: number; windowMs: number; blockMs: number };
}

export interface ApiDeps {
  db: Database;
  settings: ApiSettings;
  passwords: Passwords;
  sealer: Sealer;
  sessionTokens: SessionTokens;
  limiter: Limiter;
  audit: Audit;
  tunnels: LiveTunnels;
  log: Logger;
  nowMs: () => number;
  /** Waits before an attempt on a name under attack is judged; tests count instead of waiting. */
  delay: (ms: number) => Promise<void>;
}
