// The shapes of the HTTP API as the dashboard reads them (spec section 7); the server's OpenAPI is the authority.

export type Iso = string;
export type AuthMode = "inherit" | "disabled" | "custom";
export type AuthType = "basic" | "api_key" | "oidc";

export interface Account {
  id: string;
  username: string;
  isAdmin: boolean;
  isOrgAdmin: boolean;
  totpEnabled: boolean;
  createdAt: Iso;
  lastUsed: Iso | null;
  active: boolean;
  orgId: string | null;
  orgName: string | null;
  hasPassword: boolean;
}

export interface Organization {
  id: string;
  name: string;
  requireTotp: boolean;
  createdAt: Iso;
  hasPolicy: boolean;
  authType: AuthType | null;
  accountCount: number;
  applicationCount: number;
  activeTunnelCount: number;
}

export interface Application {
  id: string;
  orgId: string;
  orgName: string;
  subdomain: string;
  name: string;
  url: string;
  authMode: AuthMode;
  /** What visitors meet, inherited or own: null is open to everybody, `deny` lets nobody in. */
  authType: AuthType | "deny" | null;
  createdAt: Iso;
  hasPolicy: boolean;
  isActive: boolean;
  activeTunnelCount: number;
  stats: { totalConnections: number; bytesSent: number; bytesReceived: number; requestCount: number };
}

/** Whether the local service behind a tunnel answered, and how old that proof is. */
export interface LocalStatus {
  state: "unknown" | "up" | "down";
  provenAt: Iso | null;
  since: Iso | null;
  connectMs: number | null;
  why: string | null;
}

export interface TunnelAgent {
  agentId: string;
  address: string;
  version: string;
  /** Account or key that opened it. */
  actor: string;
  sessions: number;
}

export interface Tunnel {
  id: string;
  /** The name; `tcp:PORT` of a TCP tunnel. */
  subdomain: string;
  url: string;
  protocol: "http" | "tcp";
  connected: boolean;
  sessions: number;
  agents: TunnelAgent[];
  appId: string | null;
  appName: string | null;
  orgId: string | null;
  orgName: string | null;
  accountId: string | null;
  username: string | null;
  keyId: string | null;
  address: string | null;
  agentVersion: string | null;
  /** What the agent forwards to, when it says so. */
  localTarget?: string | null;
  openedAt: Iso | null;
  /** When the last session ended; null while connected. */
  lastSeenAt: Iso | null;
  rttMs: number | null;
  streams: number;
  requests: number;
  connections: number;
  bytesIn: number;
  bytesOut: number;
  local: LocalStatus;
}

export interface ApiKey {
  id: string;
  prefix: string;
  description: string;
  scope: "tunnel" | "visitor" | "both";
  orgId: string;
  orgName?: string | null;
  appId: string | null;
  appName?: string | null;
  createdAt: Iso;
  expiresAt: Iso | null;
  lastUsed: Iso | null;
}

export interface WhitelistEntry {
  id: string;
  ipRange: string;
  description: string;
  createdAt: Iso | null;
  source: "env" | "database";
  level: "system" | "organization" | "application" | "account";
  ownerId: string | null;
  ownerName: string | null;
}

export type ClaimValue = string | number | boolean;

/** A stored policy; `problem` says why it denies everybody, secrets are only told to exist. */
export interface Policy {
  authType: AuthType;
  problem: string | null;
  basicUsername: string | null;
  hasBasicPassword: boolean;
  oidcIssuerUrl: string | null;
  oidcClientId: string | null;
  hasOidcClientSecret: boolean;
  oidcScopes: string[];
  oidcAllowedDomains: string[];
  oidcRequiredClaims: Record<string, ClaimValue>;
  apiKeyEnabled: boolean;
  allowPreflight: boolean;
  sessionHours: number;
  allowIps: string[];
  denyIps: string[];
  updatedAt: Iso;
}

/** A policy as it is sent; a secret left out keeps the stored one. */
export type PolicyInput = Partial<
  Omit<Policy, "authType" | "problem" | "updatedAt" | "hasBasicPassword" | "hasOidcClientSecret">
> & { authType: AuthType; basicPassword?: string; oidcClientSecret?: string | null };

export type PolicySource = "application" | "organization" | "default" | "none";

/** What is in force for an application, and where each part comes from. */
export interface EffectivePolicy {
  kind: "open" | "deny" | "protected";
  isPublic: boolean;
  reason: string | null;
  authentication: { authType: string | null; sessionHours: number | null; source: PolicySource };
  addresses: { allowIps: string[]; denyIps: string[]; source: PolicySource };
  apiKeys: { enabled: boolean; source: PolicySource };
  limiter: {
    enabled: boolean;
    maxAttempts: number | null;
    windowDurationSeconds: number | null;
    blockDurationSeconds: number | null;
    source: PolicySource;
  };
}

/** What a provider said when it was asked. */
export interface ProviderTest {
  success: boolean;
  problem: string | null;
  issuer: string | null;
  authorizationEndpoint: string | null;
  tokenEndpoint: string | null;
  pkce: boolean;
  logout: boolean;
  keys: number;
  redirectUri: string;
}

export interface RateLimit {
  enabled: boolean;
  maxAttempts: number;
  windowDurationSeconds: number;
  blockDurationSeconds: number;
  /** The application has no settings of its own. */
  isDefault?: boolean;
}

export interface AuditEvent {
  id: string;
  time: Iso;
  orgId: string | null;
  orgName?: string | null;
  appId: string | null;
  appName?: string | null;
  actor: string | null;
  action: string;
  authType?: string | null;
  success: boolean;
  reason: string | null;
  address: string | null;
  identity: string | null;
  keyId?: string | null;
  requestId: string | null;
  details?: unknown;
}

export interface Stats {
  activeTunnels: number;
  totalAccounts: number;
  activeAccounts: number;
  whitelistEntries: number;
  totalTunnels: number;
  totalBytesSent: number;
  totalBytesReceived: number;
}

export interface TrafficPoint {
  time: Iso;
  requests: number;
  errors: number;
  bytesIn: number;
  bytesOut: number;
}

export interface Overview {
  topTunnels: { id: string; subdomain: string; requests: number; bytesIn: number; bytesOut: number }[];
  recentRefusals: Refusal[];
}

export interface Refusal {
  id?: string;
  time: Iso;
  name: string;
  rule: string;
  address: string;
  identity: string | null;
  requestId: string | null;
}

export interface CapturedRequest {
  id: string;
  tunnelId: string;
  name: string;
  appId: string | null;
  time: Iso;
  method: string;
  path: string;
  status: number;
  bytesIn: number;
  bytesOut: number;
  address: string;
  principal: string | null;
  totalMs: number;
  policyMs: number;
  queueMs: number;
  tunnelMs: number;
  localMs: number;
  requestHeaders: [string, string][];
  responseHeaders: [string, string][];
  error: string | null;
}

export interface LoginSession {
  id: string;
  current: boolean;
  address: string;
  userAgent: string;
  createdAt: Iso;
  lastSeen: Iso;
  expiresAt: Iso;
}

/** Whoever is logged in. */
export interface Me {
  account: Account;
  organization: { id: string; name: string; requireTotp: boolean } | null;
  mustEnrolTotp: boolean;
  recoveryCodesLeft: number;
}

export interface TotpEnrolment {
  secret: string;
  uri: string;
  qrSvg: string;
}
