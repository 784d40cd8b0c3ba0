// What the API needs from the rest of the program; server.ts passes it, tests pass fakes for the parts they watch.

import type { Limiter, LimiterRule } from "../auth/limiter-types.ts";
import type { Passwords } from "../auth/passwords.ts";
import type { Sealer } from "../auth/sealing.ts";
import type { SessionTokens } from "../auth/jwt.ts";
import type { Database } from "../db/database.ts";
import type { Logger } from "../lib/log.ts";
import type { DisconnectReason } from "../link/messages.ts";
import type { Audit } from "../observe/audit.ts";
import type { Room } from "./organizations/room.ts";

export type { Audit, AuditEntry } from "../observe/audit.ts";

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
  /** Resolves when every shard has heard what was committed so far; a second later in any case. */
  caughtUp(): Promise<void>;
}

/** The part of the configuration that the API reads. */
export interface ApiSettings {
  domain: string;
  /** Host of the dashboard and of everything it calls; `domain` unless it has one of its own. */
  dashboardDomain: string;
  scheme: "http" | "https";
  /** What agents are given as their server: the base domain's URL, wherever the dashboard is. */
  serverUrl: string;
  /** What operators register at identity providers of visitor policies. */
  visitorRedirectUri: string;
  sessionTtlMs: number;
  /** How long a half-done login may take. */
  pendingLoginTtlMs: number;
  /** Whether admin routes accept `X-Admin-Token`. */
  adminApiTokens: boolean;
  /** What one organization has room for. */
  room: Room;
  loginLimit: LimiterRule;
  /** Wrong codes of an account at one of its places, or of all strangers together: in a moment, and in a day. */
  totpLimit: LimiterRule;
  totpDayLimit: LimiterRule;
}

export interface ApiDeps {
  db: Database;
  settings: ApiSettings;
  passwords: Passwords;
  sealer: Sealer;
  sessionTokens: SessionTokens;
  limiter: Limiter;
  audit: Pick<Audit, "record" | "refused" | "within">;
  tunnels: LiveTunnels;
  /** Whether there is a shard for any tunnel. */
  isServing: () => boolean;
  log: Logger;
  nowMs: () => number;
  /** Waits before an attempt on a name under attack is judged; tests count instead of waiting. */
  delay: (ms: number) => Promise<void>;
}
