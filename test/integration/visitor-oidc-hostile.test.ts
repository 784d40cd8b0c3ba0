// Identity providers that misbehave in one way each: no session, one audit row.

import { describe, expect, test } from "bun:test";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import type { Misbehaviour } from "../helpers/oidc-provider.ts";
import { app, body, login, outcomes, setUp } from "../helpers/visitor-login.ts";

describe("security", () => {
  /** [what is wrong, the provider's misbehaviour, additions to the policy, the audited reason] */
  const hostile: [string, Misbehaviour, Partial<PolicyBody>, string][] = [
    ["a wrong nonce", { tamperClaims: (c) => (c["nonce"] = "other") }, {}, "id_token_nonce"],
    ["no nonce", { tamperClaims: (c) => delete c["nonce"] }, {}, "invalid_response"],
    ["a wrong issuer in the token", { tamperClaims: (c) => (c["iss"] = "https://other.example") }, {}, "id_token_iss"],
    ["another audience", { tamperClaims: (c) => (c["aud"] = "somebody") }, {}, "id_token_aud"],
    ["several audiences without azp", { tamperClaims: (c) => (c["aud"] = ["digit-link", "b"]) }, {}, "id_token_aud"],
    ["a wrong azp", { tamperClaims: (c) => (c["azp"] = "somebody") }, {}, "audience"],
    ["an expired token", { tamperClaims: (c) => Object.assign(c, { iat: 1_000, exp: 2_000 }) }, {}, "id_token_exp"],
    ["no expiry", { tamperClaims: (c) => delete c["exp"] }, {}, "*"],
    ["no subject", { tamperClaims: (c) => delete c["sub"] }, {}, "*"],
    ["alg none", { sign: "none" }, {}, "*"],
    ["HS256 with the client's secret", { sign: "hs256" }, {}, "*"],
    ["HS256 with the public key", { sign: "hs256-public-key" }, {}, "*"],
    ["HS256, advertised", { sign: "hs256", tamperMetadata: advertise("HS256") }, {}, "*"],
    ["alg none, advertised", { sign: "none", tamperMetadata: advertise("none") }, {}, "*"],
    ["a key that isn't published", { sign: "foreign" }, {}, "*"],
    ["a damaged signature", { sign: "broken" }, {}, "*"],
    ["no ID token", { tamperTokens: (t) => delete t["id_token"] }, {}, "*"],
    ["the access token for an ID token", { tamperTokens: (t) => (t["id_token"] = t["access_token"]) }, {}, "*"],
    [
      "an unverified e-mail",
      { claims: { email_verified: false } },
      { oidcAllowedDomains: ["example.com"] },
      "email_not_verified",
    ],
    [
      "verified as text",
      { claims: { email_verified: "true" } },
      { oidcAllowedDomains: ["example.com"] },
      "email_not_verified",
    ],
    [
      "an e-mail of userinfo that only the token calls verified",
      { userInfoOnly: true, claims: { email_verified: false }, tamperClaims: (c) => (c["email_verified"] = true) },
      { oidcAllowedDomains: ["example.com"] },
      "email_not_verified",
    ],
    [
      "an e-mail of the token where userinfo has verified another",
      { userInfoOnly: true, claims: { role: "admin" }, tamperClaims: (c) => (c["email"] = "eve@example.com") },
      { ...profile({ role: "admin" }), oidcAllowedDomains: ["example.com"] },
      "email_not_verified",
    ],
    [
      "a claim of userinfo that the token contradicts",
      { userInfoOnly: true, claims: { role: "admin" }, tamperClaims: (c) => (c["role"] = "user") },
      profile({ role: "admin" }),
      "claim_mismatch",
    ],
    ["no e-mail", { claims: { email: undefined } }, { oidcAllowedDomains: ["example.com"] }, "no_email"],
    [
      "another domain",
      { claims: { email: "ada@example.com.evil.example" } },
      { oidcAllowedDomains: ["example.com"] },
      "email_domain",
    ],
    [
      "a domain that ends alike",
      { claims: { email: "ada@evilexample.com" } },
      { oidcAllowedDomains: ["example.com"] },
      "email_domain",
    ],
    [
      "two @ signs",
      { claims: { email: "x@evil.example@example.com" } },
      { oidcAllowedDomains: ["example.com"] },
      "no_email",
    ],
    ["a missing claim", {}, { oidcRequiredClaims: { role: "admin" } }, "claim_missing"],
    ["a claim of another value", { claims: { role: "user" } }, profile({ role: "admin" }), "claim_mismatch"],
    ["a claim of another type", { claims: { staff: "true" } }, profile({ staff: true }), "claim_mismatch"],
    ["a list without the value", { claims: { groups: ["admins"] } }, profile({ groups: "admin" }), "claim_mismatch"],
    ["a token endpoint that redirects", { intercept: redirecting("/token") }, {}, "outbound"],
    ["an endless token answer", { intercept: flooding("/token") }, {}, "outbound"],
    ["keys at a redirect", { intercept: redirecting("/jwks") }, {}, "outbound"],
  ];

  test.each(hostile)("%s: no session, one audit row", async (_what, misbehaviour, policy, reason) => {
    await using world = await setUp({ misbehaviour, policy });
    const { server } = world;
    const browser = server.browser();
    const answer = await login(world, browser);
    expect(answer.status).toBe(403);
    expect(await server.sessions()).toEqual([]);
    expect(browser.cookies("app.tunnel.localhost")["dl_visitor"]).toBeUndefined();
    const [only, ...others] = outcomes(server);
    expect(others).toEqual([]);
    expect(only).toMatchObject({ success: false, appId: "app_app", ...(reason === "*" ? {} : { reason }) });
    expect(await server.db.kysely.selectFrom("visitor_states").select("state_hash").execute()).toEqual([]);
  });

  /** Providers whose description alone must be refused: the login never begins. */
  const misdescribed: [string, (metadata: Record<string, unknown>) => void][] = [
    ["another issuer", (m) => (m["issuer"] = "https://other.example")],
    ["a token endpoint that isn't the web's", (m) => (m["token_endpoint"] = "file:///etc/passwd")],
    ["no keys", (m) => delete m["jwks_uri"]],
    ["an authorization endpoint that runs script", (m) => (m["authorization_endpoint"] = "javascript:alert(1)")],
  ];
  test.each(misdescribed)("a provider that describes %s: no login begins", async (_what, tamperMetadata) => {
    await using world = await setUp({ misbehaviour: { tamperMetadata } });
    const begun = await world.server.browser().send(`${app}/__auth/login`);
    expect(begun).toMatchObject({ status: 403, location: null });
    expect(outcomes(world.server)).toHaveLength(1);
  });

  test.each(["token_endpoint", "jwks_uri", "userinfo_endpoint"])(
    "a %s inside our network is never asked",
    async (endpoint) => {
      await using inside = recordingServer();
      // Loopback is what development allows; the test of the outbound fetch has the rest. Here the ranges of a cloud:
      const tamperMetadata = (metadata: Record<string, unknown>) =>
        (metadata[endpoint] = "http://169.254.169.254/latest/");
      const policy = profile({ role: "admin" });
      await using world = await setUp({ misbehaviour: { tamperMetadata }, policy });
      expect(await login(world, world.server.browser())).toMatchObject({ status: 403 });
      expect(outcomes(world.server)).toMatchObject([{ success: false, reason: "outbound" }]);
      expect(inside.paths).toEqual([]);
    },
  );

  test("an issuer in a private range is refused before anything is sent", async () => {
    await using world = await setUp({ settings: { scheme: "https", publicPort: 443 }, skipPolicy: true });
    const { server, provider } = world;
    const hits = Object.keys(provider.hits).length;
    const test = await server.policies.testProvider(provider.issuer.replace("http:", "https:"));
    expect(test).toMatchObject({ success: false });
    expect(test.problem).toContain("private or reserved network");
    expect(Object.keys(provider.hits)).toHaveLength(hits);
    await expect(server.setPolicy("app", body(provider))).rejects.toMatchObject({
      code: "validation",
      field: "oidcIssuerUrl",
    });
  });
});

function profile(requiredClaims: Record<string, string | boolean>): Partial<PolicyBody> {
  return { oidcScopes: ["openid", "email", "profile"], oidcRequiredClaims: requiredClaims };
}

function advertise(alg: string): NonNullable<Misbehaviour["tamperMetadata"]> {
  return (metadata) => (metadata["id_token_signing_alg_values_supported"] = ["RS256", alg]);
}

function redirecting(path: string): NonNullable<Misbehaviour["intercept"]> {
  return (request, response) => {
    if (request.url !== path) return false;
    response.writeHead(307, { location: "http://127.0.0.1:1/" }).end();
    return true;
  };
}

function flooding(path: string): NonNullable<Misbehaviour["intercept"]> {
  return (request, response) => {
    if (request.url !== path) return false;
    response.writeHead(200, { "content-type": "application/json" }).end(`{"a":"${"x".repeat(2 * 1_048_576)}"}`);
    return true;
  };
}

function recordingServer(): AsyncDisposable & { paths: string[] } {
  const paths: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      paths.push(new URL(request.url).pathname);
      return new Response("{}");
    },
  });
  return { paths, [Symbol.asyncDispose]: () => server.stop(true) };
}
