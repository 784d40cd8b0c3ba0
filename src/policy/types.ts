// What a visitor policy is: as stored, as in force for one name, and as compiled for a shard.

/** How an application chooses its policy. */
export type AuthMode = "inherit" | "disabled" | "custom";

/** The kinds of policy that exist; anything else in the database denies. */
export type AuthType = "basic" | "api_key" | "oidc";

/** A claim must equal this, or be an array that contains it. */
export type ClaimValue = string | number | boolean;

/** How visitors log in at an identity provider. `clientSecret` is in plain text here and never leaves main. */
export interface OidcSettings {
  issuerUrl: string;
  clientId: string;
  /** null = a public client. */
  clientSecret: string | null;
  /** Always contains `openid`. */
  scopes: string[];
  /** Lower-case domains of e-mail addresses that may pass; empty = any. */
  allowedDomains: string[];
  requiredClaims: Record<string, ClaimValue>;
}

interface PolicyBase {
  /** Random, new at each change; sessions and remembered verdicts are bound to it. */
  version: string;
  /** Visitor ranges, judged first: a match in `denyIps` refuses, a non-empty `allowIps` must match. */
  allowIps: string[];
  denyIps: string[];
  /** API keys pass as well (always true for `api_key`). */
  apiKeyEnabled: boolean;
  /** A CORS preflight passes without credentials. */
  allowPreflight: boolean;
  sessionHours: number;
}

/** A stored policy whose secrets could be read. */
export type Policy =
  | (PolicyBase & { authType: "basic"; basicUsername: string; basicPasswordHash: string })
  | (PolicyBase & { authType: "api_key" })
  | (PolicyBase & { authType: "oidc"; oidc: OidcSettings });

/** What loading a policy gave: a policy, none stored, or one that can't be trusted (unreadable, unknown). */
export type LoadedPolicy =
  { state: "loaded"; policy: Policy } | { state: "absent" } | { state: "broken"; reason: string };

/** Failures per address before it is blocked. */
export interface LimiterSettings {
  maxAttempts: number;
  windowMs: number;
  blockMs: number;
}

/** A limiter that an organization or application has of its own. */
export type OwnLimiter = LimiterSettings | "off";

/** Where a part of the effective policy comes from. */
export type PolicySource = "application" | "organization" | "default" | "none";

/** What is in force for one name, before compilation. */
export type EffectivePolicy = {
  /** Where each part comes from, for people who ask why. */
  sources: { authentication: PolicySource; addresses: PolicySource; apiKeys: PolicySource; limiter: PolicySource };
  limiter: LimiterSettings | null;
} & ({ kind: "open"; reason: string } | { kind: "deny"; reason: string } | { kind: "protected"; policy: Policy });

/** The compiled policy of one name: everything a shard needs to judge a visitor without a database. */
export type CompiledPolicy =
  | { kind: "open" }
  /** Nobody passes: the policy is missing, broken or unknown. */
  | { kind: "deny" }
  | {
      kind: AuthType;
      /** Changes when any part changes, keys of the name included; verdicts are remembered under it. */
      version: string;
      allowIps: string[];
      denyIps: string[];
      apiKeys: boolean;
      allowPreflight: boolean;
      /** null = limiter off. */
      limiter: LimiterSettings | null;
    };

/** A compiled policy that asks visitors for something. */
export type ProtectedPolicy = Extract<CompiledPolicy, { version: string }>;
