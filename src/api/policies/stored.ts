// A policy row as a policy: everything is read and checked here once, and whatever can't be trusted is `broken`.

import type { Sealer } from "../../auth/sealing.ts";
import type { PolicyRow } from "../../db/policies.ts";
import type { ClaimValue, LoadedPolicy, OidcSettings, Policy } from "../../policy/types.ts";
import { sealedRow } from "../sealed-values.ts";

/** Reads a row (null = none stored), secrets included. Never throws: a policy that can't be read denies. */
export function loadPolicy(row: PolicyRow | null, sealer: Sealer): LoadedPolicy {
  if (row === null) return { state: "absent" };
  try {
    const policy = parsePolicy(row, sealer);
    return policy === null ? { state: "broken", reason: "the policy's type is unknown" } : { state: "loaded", policy };
  } catch {
    return { state: "broken", reason: "the policy can't be read" };
  }
}

function parsePolicy(row: PolicyRow, sealer: Sealer): Policy | null {
  const base = {
    version: required(row.version),
    allowIps: strings(row.allow_ips_json),
    denyIps: strings(row.deny_ips_json),
    apiKeyEnabled: row.api_key_enabled === 1,
    allowPreflight: row.allow_preflight === 1,
    sessionHours: row.session_hours,
  };
  switch (row.auth_type) {
    case "basic":
      return {
        ...base,
        authType: "basic",
        basicUsername: required(row.basic_username),
        basicPasswordHash: required(row.basic_password_hash),
      };
    case "api_key":
      return { ...base, apiKeyEnabled: true, authType: "api_key" };
    case "oidc":
      return { ...base, authType: "oidc", oidc: parseOidc(row, sealer) };
    default:
      return null;
  }
}

function parseOidc(row: PolicyRow, sealer: Sealer): OidcSettings {
  const sealed = row.oidc_client_secret;
  return {
    issuerUrl: required(row.oidc_issuer_url),
    clientId: required(row.oidc_client_id),
    clientSecret: sealed === null ? null : sealer.open("oidc-secret", sealedRow.policy(row.owner_id), sealed),
    scopes: [...new Set(["openid", ...strings(row.oidc_scopes_json ?? "[]")])],
    allowedDomains: strings(row.oidc_allowed_domains_json ?? "[]"),
    requiredClaims: claims(row.oidc_required_claims_json ?? "{}"),
  };
}

function required(value: string | null): string {
  if (value === null || value === "") throw new TypeError("a part of the policy is missing");
  return value;
}

function strings(json: string): string[] {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
    throw new TypeError("not a list of texts");
  return value;
}

function claims(json: string): Record<string, ClaimValue> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("not an object");
  return Object.fromEntries(
    Object.entries(value).map(([name, expected]) => {
      if (!["string", "number", "boolean"].includes(typeof expected)) throw new TypeError("not a claim's value");
      return [name, expected as ClaimValue];
    }),
  );
}
