// The tables of logins, sessions and limiters, typed: what a row is, and what its less obvious columns mean.

/** A login to the dashboard. A row that is gone, expired or revoked ends the session at once. */
export interface DashboardSessionsTable {
  /** Public id, for the list of sessions. */
  id: string;
  /** Hash of the session id that the JWT carries. */
  session_hash: string;
  account_id: string;
  address: string;
  user_agent: string;
  created_at: number;
  last_seen_at: number;
  expires_at: number;
  /** Set by logout, password change, deactivation, "sign out everywhere". */
  revoked_at: number | null;
}

/** A login whose password was right and whose second factor is missing, or an enrolment in progress. The limiter counts wrong codes. */
export interface PendingLoginsTable {
  /** Hash of the pending token. */
  token_hash: string;
  account_id: string;
  kind: "totp" | "enrol";
  /** Sealed new seed while enrolling; replaces the old one only after a right code. */
  totp_secret: string | null;
  created_at: number;
  expires_at: number;
}

/** The TOTP steps an account has used, at least the last of them: each step is used once, and none before the last. */
export interface TotpUsedStepsTable {
  account_id: string;
  step: number;
  used_at: number;
}

export interface RecoveryCodesTable {
  id: string;
  account_id: string;
  code_hash: string;
  created_at: number;
  used_at: number | null;
}

/** An identity of a sign-in provider that belongs to an account. */
export interface OauthLinksTable {
  id: string;
  account_id: string;
  provider: string;
  /** The provider's own id of the person; unique with `provider`. */
  subject: string;
  email: string | null;
  created_at: number;
}

/** A dashboard sign-in at a provider that has not come back yet; single use. */
export interface OauthStatesTable {
  state_hash: string;
  /** Hash of the cookie of the browser that started it. */
  browser_hash: string;
  provider: string;
  /** Sealed PKCE verifier. */
  verifier: string;
  nonce: string | null;
  /** Set when a logged-in account links an identity. */
  account_id: string | null;
  return_path: string;
  created_at: number;
  expires_at: number;
}

/** A visitor's OIDC login that is under way; single use, never a session. */
export interface VisitorStatesTable {
  state_hash: string;
  /** Hash of the state cookie on the tunnel's host. */
  browser_hash: string;
  host: string;
  name: string;
  app_id: string | null;
  org_id: string | null;
  policy_version: string;
  issuer: string;
  /** Sealed PKCE verifier. */
  verifier: string;
  nonce: string;
  return_path: string;
  /** After the provider's answer: hash of the one-time code that finishes at the tunnel's host, and who it is for. */
  code_hash: string | null;
  code_expires_at: number | null;
  subject: string | null;
  email: string | null;
  /** Sealed, for logout at the provider. */
  id_token: string | null;
  created_at: number;
  expires_at: number;
}

/** A visitor who passed a policy's login. Valid for one name, one application, one version of the policy. */
export interface VisitorSessionsTable {
  session_hash: string;
  kind: "basic" | "oidc";
  host: string;
  name: string;
  app_id: string | null;
  org_id: string | null;
  policy_version: string;
  subject: string;
  email: string | null;
  /** Sealed. */
  id_token: string | null;
  created_at: number;
  expires_at: number;
}

/** Failures per slot of time, which together make a sliding window. */
export interface LimiterFailuresTable {
  /** What is limited: `login`, `login-user`, `register`, `totp`, `visitor:<application or name>`, … */
  scope: string;
  /** Address, `username address`, account id, … */
  subject: string;
  /** Start of the slot. */
  slot_at: number;
  failures: number;
}

/** A subject that is refused until `until_at`. */
export interface LimiterBlocksTable {
  scope: string;
  subject: string;
  blocked_at: number;
  until_at: number;
}
