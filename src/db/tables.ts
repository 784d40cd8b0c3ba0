// Every table, typed: what a row is, and what its less obvious columns mean. Migrations create them.

import type {
  DashboardSessionsTable,
  LimiterBlocksTable,
  LimiterFailuresTable,
  OauthLinksTable,
  OauthStatesTable,
  PendingLoginsTable,
  RecoveryCodesTable,
  TotpUsedStepsTable,
  VisitorSessionsTable,
  VisitorStatesTable,
} from "./tables-login.ts";
import type {
  AuditChainTable,
  AuditLogTable,
  ChangesTable,
  LeasesTable,
  SettingsTable,
  TrafficTable,
  TunnelsTable,
} from "./tables-record.ts";

// Conventions: ids are text made by lib/ids; `*_at` are UTC milliseconds; flags are 0 or 1; `*_hash` are SHA-256 in hex
// (passwords: bcrypt); `sealed` columns hold AES-256-GCM text of auth/seal; `*_json` are JSON text. Both engines agree.

export type Flag = 0 | 1;

/** A person or program that may log in, open tunnels, or both. */
export interface AccountsTable {
  id: string;
  /** As written when it was created; `username_key` is its NFKC lower-case form, unique. */
  username: string;
  username_key: string;
  /** Verified address that a sign-in provider may be matched with; lower case. */
  email: string | null;
  password_hash: string | null;
  password_changed_at: number | null;
  token_hash: string | null;
  is_admin: Flag;
  is_org_admin: Flag;
  /** Null: a system admin, or an account under system defaults. */
  org_id: string | null;
  active: Flag;
  /** Sealed TOTP seed; null = not enrolled. */
  totp_secret: string | null;
  totp_enrolled_at: number | null;
  created_at: number;
  /** Last login or registration, written at most once a minute; 0 = never (so that it sorts the same on both engines). */
  last_used_at: number;
}

/** A tenant. */
export interface OrganizationsTable {
  id: string;
  name: string;
  /** NFKC lower-case form, unique. */
  name_key: string;
  require_totp: Flag;
  created_at: number;
}

/** A reserved subdomain of an organization. */
export interface ApplicationsTable {
  id: string;
  org_id: string;
  subdomain: string;
  name: string;
  auth_mode: "inherit" | "disabled" | "custom";
  is_active: Flag;
  /** Totals since creation, added to by the counters of the shards. */
  total_connections: number;
  bytes_sent: number;
  bytes_received: number;
  request_count: number;
  created_at: number;
}

/** The visitor policy of an organization (`app_id` null) or of one application. At most one each. */
export interface PoliciesTable {
  id: string;
  /** `org_id` or `app_id`: unique, so that "one each" holds on both engines. */
  owner_id: string;
  org_id: string;
  app_id: string | null;
  /** Text, not an enum: an unknown type must load, and compile to deny. */
  auth_type: string;
  basic_username: string | null;
  basic_password_hash: string | null;
  oidc_issuer_url: string | null;
  oidc_client_id: string | null;
  /** Sealed. */
  oidc_client_secret: string | null;
  oidc_scopes_json: string | null;
  oidc_allowed_domains_json: string | null;
  oidc_required_claims_json: string | null;
  api_key_enabled: Flag;
  allow_preflight: Flag;
  session_hours: number;
  allow_ips_json: string;
  deny_ips_json: string;
  /** Random, new at each change; sessions and cached verdicts are bound to it. */
  version: string;
  updated_at: number;
}

/** The failure limiter of an organization (`app_id` null) or of one application, when it has one of its own. */
export interface RateLimitsTable {
  owner_id: string;
  org_id: string;
  app_id: string | null;
  enabled: Flag;
  max_attempts: number;
  window_seconds: number;
  block_seconds: number;
  updated_at: number;
}

/** A key of an organization, or of one of its applications. Revoked keys are deleted. */
export interface ApiKeysTable {
  id: string;
  org_id: string;
  app_id: string | null;
  key_hash: string;
  /** The first characters, for people to recognise it. */
  prefix: string;
  description: string;
  /** What it opens: an agent's registration, a visitor's request, or both. */
  scope: "tunnel" | "visitor" | "both";
  created_by: string | null;
  created_at: number;
  /** Null = never expires. */
  expires_at: number | null;
  last_used_at: number;
}

/** A range from which agents may connect. */
export interface WhitelistEntriesTable {
  id: string;
  level: "system" | "organization" | "application" | "account";
  /** The organization, application or account; empty text for the system. Unique with `cidr`. */
  owner_id: string;
  /** The organization that sees the entry: null for the system and for accounts without one. */
  org_id: string | null;
  app_id: string | null;
  account_id: string | null;
  /** Canonical form of lib/cidr. */
  cidr: string;
  description: string;
  created_by: string | null;
  created_at: number;
}

export interface Tables {
  accounts: AccountsTable;
  organizations: OrganizationsTable;
  applications: ApplicationsTable;
  policies: PoliciesTable;
  rate_limits: RateLimitsTable;
  api_keys: ApiKeysTable;
  whitelist_entries: WhitelistEntriesTable;
  leases: LeasesTable;
  tunnels: TunnelsTable;
  dashboard_sessions: DashboardSessionsTable;
  pending_logins: PendingLoginsTable;
  totp_used_steps: TotpUsedStepsTable;
  recovery_codes: RecoveryCodesTable;
  oauth_links: OauthLinksTable;
  oauth_states: OauthStatesTable;
  visitor_states: VisitorStatesTable;
  visitor_sessions: VisitorSessionsTable;
  limiter_failures: LimiterFailuresTable;
  limiter_blocks: LimiterBlocksTable;
  audit_log: AuditLogTable;
  audit_chain: AuditChainTable;
  changes: ChangesTable;
  traffic: TrafficTable;
  settings: SettingsTable;
}
