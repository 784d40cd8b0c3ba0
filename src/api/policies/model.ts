// Bodies and answers about visitor policies. Secrets go in and never come out.

import { t, type Static } from "elysia";
import { basedOnTime, closed, removalBody, text, timeSchema, whole } from "../schemas.ts";

const ranges = t.Array(text(64, { minLength: 1 }), { maxItems: 1_000, description: "IP addresses or CIDR ranges." });

/** Of a name only the pattern counts, and values of other names would pass unseen. */
const claimName = t.String({ pattern: "^[^\\u0000-\\u001f\\u007f]{1,256}$" });

/** The body of PUT …/policy. It replaces the policy, except that a secret left out keeps the stored one. */
export const policyBody = closed({
  authType: t.Union([t.Literal("basic"), t.Literal("api_key"), t.Literal("oidc")]),
  basicUsername: t.Optional(text(256, { minLength: 1 })),
  basicPassword: t.Optional(text(256, { minLength: 1, description: "Left out: the stored one stays." })),
  oidcIssuerUrl: t.Optional(text(2_000, { minLength: 1 })),
  oidcClientId: t.Optional(text(512, { minLength: 1 })),
  oidcClientSecret: t.Optional(
    t.Nullable(text(1_024, { minLength: 1, description: "Left out: the stored one stays. null: a public client." })),
  ),
  oidcScopes: t.Optional(t.Array(text(128, { minLength: 1 }), { maxItems: 50 })),
  oidcAllowedDomains: t.Optional(t.Array(text(253, { minLength: 1 }), { maxItems: 200 })),
  oidcRequiredClaims: t.Optional(
    t.Record(claimName, t.Union([text(1_024), t.Number(), t.Boolean()]), {
      additionalProperties: false,
      description: "Each claim must equal the value, or be a list that contains it.",
    }),
  ),
  apiKeyEnabled: t.Optional(t.Boolean({ description: "API keys with the visitor scope pass as well." })),
  allowPreflight: t.Optional(t.Boolean({ description: "CORS preflights pass without credentials." })),
  sessionHours: t.Optional(whole({ minimum: 1, maximum: 8_760 })),
  allowIps: t.Optional(ranges),
  denyIps: t.Optional(ranges),
  basedOn: basedOnTime("the policy"),
});
export const policyRemovalBody = removalBody("the policy");
export type PolicyBody = Static<typeof policyBody>;

/** A policy as it is shown. Parts of other types than `authType` are null or empty. */
export const policySchema = closed({
  authType: t.String(),
  /** Why nobody passes although the policy is stored; null when it works. */
  problem: t.Nullable(t.String({ description: "Why the policy denies everybody; null when it works." })),
  basicUsername: t.Nullable(t.String()),
  hasBasicPassword: t.Boolean(),
  oidcIssuerUrl: t.Nullable(t.String()),
  oidcClientId: t.Nullable(t.String()),
  hasOidcClientSecret: t.Boolean(),
  oidcScopes: t.Array(t.String()),
  oidcAllowedDomains: t.Array(t.String()),
  oidcRequiredClaims: t.Record(t.String(), t.Union([t.String(), t.Number(), t.Boolean()])),
  apiKeyEnabled: t.Boolean(),
  allowPreflight: t.Boolean(),
  sessionHours: t.Integer(),
  allowIps: t.Array(t.String()),
  denyIps: t.Array(t.String()),
  updatedAt: timeSchema,
});
export type PolicyView = Static<typeof policySchema>;

const source = t.Union([t.Literal("application"), t.Literal("organization"), t.Literal("default"), t.Literal("none")]);

/** What is in force for an application, and where each part comes from. */
export const effectiveSchema = closed({
  kind: t.Union([t.Literal("open"), t.Literal("deny"), t.Literal("protected")]),
  /** True when anybody on the internet gets in: show it loudly. */
  isPublic: t.Boolean({ description: "Anybody on the internet gets in." }),
  reason: t.Nullable(t.String({ description: "Why it is open or denies everybody." })),
  authentication: closed({
    authType: t.Nullable(t.String()),
    sessionHours: t.Nullable(t.Integer({ description: "Null where visitors get no session: API keys, or no log-in." })),
    source,
  }),
  addresses: closed({ allowIps: t.Array(t.String()), denyIps: t.Array(t.String()), source }),
  apiKeys: closed({ enabled: t.Boolean(), source }),
  limiter: closed({
    enabled: t.Boolean(),
    maxAttempts: t.Nullable(t.Integer()),
    windowDurationSeconds: t.Nullable(t.Integer()),
    blockDurationSeconds: t.Nullable(t.Integer()),
    source,
  }),
});
export type EffectiveView = Static<typeof effectiveSchema>;

/** Body and answer of POST …/oidc/test. */
export const oidcTestBody = closed({ issuerUrl: text(2_000, { minLength: 1 }) });
export const oidcTestSchema = closed({
  success: t.Boolean(),
  /** Why not; safe to show. */
  problem: t.Nullable(t.String()),
  issuer: t.Nullable(t.String()),
  authorizationEndpoint: t.Nullable(t.String()),
  tokenEndpoint: t.Nullable(t.String()),
  pkce: t.Boolean(),
  logout: t.Boolean(),
  keys: t.Integer(),
  /** The redirect URI to register at the provider. */
  redirectUri: t.String(),
});
export type OidcTestView = Static<typeof oidcTestSchema>;
