// Policies as people see them: without secrets, and saying why when nobody passes.

import type { PolicyRow } from "../../db/policies.ts";
import type { EffectivePolicy, LoadedPolicy } from "../../policy/types.ts";
import type { EffectiveView, PolicyView } from "./model.ts";

/** A stored row as it is shown; a broken one shows what can still be read. */
export function policyView(row: PolicyRow, loaded: LoadedPolicy): PolicyView {
  const policy = loaded.state === "loaded" ? loaded.policy : null;
  const oidc = policy?.authType === "oidc" ? policy.oidc : null;
  return {
    authType: row.auth_type,
    problem: loaded.state === "broken" ? loaded.reason : null,
    basicUsername: row.basic_username,
    hasBasicPassword: row.basic_password_hash !== null,
    oidcIssuerUrl: row.oidc_issuer_url,
    oidcClientId: row.oidc_client_id,
    hasOidcClientSecret: row.oidc_client_secret !== null,
    oidcScopes: oidc?.scopes ?? [],
    oidcAllowedDomains: oidc?.allowedDomains ?? [],
    oidcRequiredClaims: oidc?.requiredClaims ?? {},
    apiKeyEnabled: row.api_key_enabled === 1,
    allowPreflight: row.allow_preflight === 1,
    sessionHours: row.session_hours,
    allowIps: policy?.allowIps ?? [],
    denyIps: policy?.denyIps ?? [],
    updatedAt: new Date(row.updated_at).toISOString(),
  };
}

/** What is in force, part by part. */
export function effectiveView(effective: EffectivePolicy): EffectiveView {
  const { sources, limiter } = effective;
  const policy = effective.kind === "protected" ? effective.policy : null;
  return {
    kind: effective.kind,
    isPublic: effective.kind === "open",
    reason: effective.kind === "protected" ? null : effective.reason,
    authentication: {
      authType: policy?.authType ?? null,
      sessionHours: policy === null || policy.authType === "api_key" ? null : policy.sessionHours,
      source: sources.authentication,
    },
    addresses: { allowIps: policy?.allowIps ?? [], denyIps: policy?.denyIps ?? [], source: sources.addresses },
    apiKeys: {
      enabled: policy !== null && (policy.authType === "api_key" || policy.apiKeyEnabled),
      source: sources.apiKeys,
    },
    limiter: {
      enabled: limiter !== null,
      maxAttempts: limiter?.maxAttempts ?? null,
      windowDurationSeconds: limiter === null ? null : limiter.windowMs / 1_000,
      blockDurationSeconds: limiter === null ? null : limiter.blockMs / 1_000,
      source: sources.limiter,
    },
  };
}
