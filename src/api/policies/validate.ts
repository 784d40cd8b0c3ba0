// Judges the body of a policy: what it must hold for its type, and the one spelling of each part.

import { canonicalCidr } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import type { PolicyRow } from "../../db/policies.ts";
import type { PolicyBody } from "./model.ts";

/** The columns of a policy that need no secret work, ready to be stored. */
export type PlainColumns = Pick<
  PolicyRow,
  | "auth_type"
  | "basic_username"
  | "oidc_issuer_url"
  | "oidc_client_id"
  | "oidc_scopes_json"
  | "oidc_allowed_domains_json"
  | "oidc_required_claims_json"
  | "api_key_enabled"
  | "allow_preflight"
  | "session_hours"
  | "allow_ips_json"
  | "deny_ips_json"
>;

/** Throws `validation` naming the field. `allowHttp`: issuers on loopback may be plain http (development). */
export function checkPolicyBody(body: PolicyBody, allowHttp: boolean): PlainColumns {
  const isOidc = body.authType === "oidc";
  const oidc = isOidc
    ? {
        oidc_issuer_url: checkIssuer(body.oidcIssuerUrl, allowHttp),
        oidc_client_id: given(body.oidcClientId, "oidcClientId"),
        oidc_scopes_json: JSON.stringify(checkScopes(body.oidcScopes ?? ["openid", "email", "profile"])),
        oidc_allowed_domains_json: JSON.stringify(checkDomains(body.oidcAllowedDomains ?? [])),
        oidc_required_claims_json: JSON.stringify(checkClaims(body.oidcRequiredClaims ?? {})),
      }
    : {
        oidc_issuer_url: null,
        oidc_client_id: null,
        oidc_scopes_json: null,
        oidc_allowed_domains_json: null,
        oidc_required_claims_json: null,
      };
  return {
    auth_type: body.authType,
    basic_username: body.authType === "basic" ? checkUsername(body.basicUsername) : null,
    ...oidc,
    api_key_enabled: body.authType === "api_key" || body.apiKeyEnabled === true ? 1 : 0,
    allow_preflight: body.allowPreflight === true ? 1 : 0,
    session_hours: body.sessionHours ?? 24,
    allow_ips_json: JSON.stringify(checkRanges(body.allowIps ?? [], "allowIps")),
    deny_ips_json: JSON.stringify(checkRanges(body.denyIps ?? [], "denyIps")),
  };
}

/** The password of a basic policy: long enough, and no longer than bcrypt reads. */
export function checkBasicPassword(password: string): void {
  if (password.length < 8) refuse("basicPassword", "must have at least 8 characters.");
  if (Buffer.byteLength(password.normalize("NFKC")) > 72) refuse("basicPassword", "must have at most 72 bytes.");
  if (hasControls(password)) refuse("basicPassword", "must not have control characters.");
}

/** An issuer as OpenID Connect Discovery wants it: https, without user, query and fragment. */
export function checkIssuer(value: string | undefined, allowHttp: boolean, field = "oidcIssuerUrl"): string {
  const url = URL.parse(given(value, field));
  if (url === null) return refuse(field, "must be a URL.");
  if (url.protocol !== "https:" && !(allowHttp && url.protocol === "http:"))
    return refuse(field, "must begin with https://.");
  if (url.username !== "" || url.password !== "") return refuse(field, "must not hold a user or password.");
  if (url.search !== "" || url.hash !== "") return refuse(field, "must not have a query or fragment.");
  return value ?? "";
}

function checkUsername(value: string | undefined): string {
  const username = given(value, "basicUsername");
  if (username.includes(":") || hasControls(username))
    refuse("basicUsername", "must not have a colon or control characters.");
  return username;
}

function checkScopes(scopes: string[]): string[] {
  // RFC 6749, scope-token.
  for (const scope of scopes)
    if (!/^[!#-[\]-~]+$/.test(scope)) refuse("oidcScopes", "has an entry that is not a scope.");
  return [...new Set(["openid", ...scopes])];
}

function checkDomains(domains: string[]): string[] {
  const checked = domains.map((domain) => {
    const name = domain.replace(/^@/, "").toLowerCase();
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(name))
      refuse("oidcAllowedDomains", "has an entry that is not a domain such as example.com.");
    return name;
  });
  return [...new Set(checked)];
}

function checkClaims(claims: Record<string, string | number | boolean>): Record<string, string | number | boolean> {
  if (Object.keys(claims).length > 50) refuse("oidcRequiredClaims", "must have at most 50 entries.");
  return claims;
}

function checkRanges(list: string[], field: "allowIps" | "denyIps"): string[] {
  const checked = list.map(
    (one) => canonicalCidr(one.trim()) ?? refuse(field, "has an entry that is not an IP address or range."),
  );
  return [...new Set(checked)];
}

function given(value: string | undefined, field: string): string {
  return value === undefined || value.trim() === "" ? refuse(field, "is required.") : value;
}

function hasControls(value: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is being looked for
  return /[\u0000-\u001f\u007f]/.test(value);
}

function refuse(field: string, rule: string): never {
  throw new AppError("validation", `${field} ${rule}`, { field });
}
