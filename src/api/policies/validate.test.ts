// Tests of what a policy's body may hold.

import { describe, expect, test } from "bun:test";
import { AppError } from "../../lib/errors.ts";
import type { PolicyBody } from "./model.ts";
import { checkBasicPassword, checkPolicyBody } from "./validate.ts";

const oidc: PolicyBody = { authType: "oidc", oidcIssuerUrl: "https://id.example.com/realm", oidcClientId: "c" };

describe("checkPolicyBody", () => {
  test("keeps the parts of its type, in one spelling", () => {
    const columns = checkPolicyBody(
      {
        ...oidc,
        basicUsername: "ignored",
        oidcAllowedDomains: ["@Example.com", "example.com"],
        allowIps: ["10.1.2.3/8", "2001:DB8::1"],
      },
      false,
    );
    expect(columns).toMatchObject({
      auth_type: "oidc",
      basic_username: null,
      oidc_scopes_json: '["openid","email","profile"]',
      oidc_allowed_domains_json: '["example.com"]',
      allow_ips_json: '["10.0.0.0/8","2001:db8::1"]',
      deny_ips_json: "[]",
      api_key_enabled: 0,
      session_hours: 24,
    });
    expect(checkPolicyBody({ authType: "api_key", ...oidcParts }, false)).toMatchObject({
      api_key_enabled: 1,
      oidc_issuer_url: null,
    });
  });
});

const oidcParts = { oidcIssuerUrl: "https://id.example.com", oidcClientId: "c" };

describe("security", () => {
  const refused: [string, PolicyBody, string][] = [
    ["no issuer", { authType: "oidc", oidcClientId: "c" }, "oidcIssuerUrl"],
    ["plain http", { ...oidc, oidcIssuerUrl: "http://id.example.com" }, "oidcIssuerUrl"],
    ["another scheme", { ...oidc, oidcIssuerUrl: "file:///etc/passwd" }, "oidcIssuerUrl"],
    ["a user in the URL", { ...oidc, oidcIssuerUrl: "https://a:b@id.example.com" }, "oidcIssuerUrl"],
    ["a query", { ...oidc, oidcIssuerUrl: "https://id.example.com/?x=1" }, "oidcIssuerUrl"],
    ["no client id", { authType: "oidc", oidcIssuerUrl: "https://id.example.com" }, "oidcClientId"],
    ["a scope with a space", { ...oidc, oidcScopes: ["a b"] }, "oidcScopes"],
    ["a domain with a wildcard", { ...oidc, oidcAllowedDomains: ["*.example.com"] }, "oidcAllowedDomains"],
    ["a top-level domain", { ...oidc, oidcAllowedDomains: ["com"] }, "oidcAllowedDomains"],
    ["a range that is none", { ...oidc, allowIps: ["10.0.0.0/33"] }, "allowIps"],
    ["a host name for a range", { ...oidc, denyIps: ["example.com"] }, "denyIps"],
    ["no user", { authType: "basic" }, "basicUsername"],
    ["a user with a colon", { authType: "basic", basicUsername: "a:b" }, "basicUsername"],
    ["a user with a line break", { authType: "basic", basicUsername: "a\nb" }, "basicUsername"],
  ];
  test.each(refused)("%s is refused and the field named", (_what, body, field) => {
    expect(fieldOf(() => checkPolicyBody(body, false))).toBe(field);
  });

  test("passwords: neither short, nor longer than bcrypt reads; never repeated in the refusal", () => {
    for (const password of ["short", "x".repeat(73), "ü".repeat(40), "with\u0000nul-in-it"]) {
      expect(fieldOf(() => checkBasicPassword(password))).toBe("basicPassword");
    }
    try {
      checkBasicPassword("planted");
    } catch (error) {
      expect(String(error)).not.toContain("planted");
    }
  });
});

function fieldOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.field;
    throw error;
  }
  return undefined;
}
