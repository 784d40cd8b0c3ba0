// A visitor logs in at a real identity provider, and every way in which that must fail.

import { describe, expect, test } from "bun:test";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import { startProvider, type Misbehaviour, type TestProvider } from "../helpers/oidc-provider.ts";
import { orgId, startVisitorServer, type Browser, type VisitorServer } from "../helpers/visitor-server.ts";

const app = "http://app.tunnel.localhost";
const redirect = "http://tunnel.localhost/auth/visitor/callback";

describe("login at a provider", () => {
  test("leads back to where the visitor wanted to go, with a session of this application", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login?to=%2Fdocs%3Fa%3D1`);
    expect(begun.status).toBe(303);
    const url = new URL(begun.location ?? "");
    expect(url.origin).toBe(provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: "digit-link",
      redirect_uri: redirect,
      response_type: "code",
      code_challenge_method: "S256",
      scope: "openid email",
    });
    const back = await browser.send(await provider.authorize(url.href));
    expect(back.location).toStartWith(`${app}/__auth/callback?code=`);
    const done = await browser.send(back.location ?? "");
    expect(done.location).toBe("/docs?a=1");
    const cookie = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    const answer = await ask(server, cookie);
    expect(answer).toMatchObject({ kind: "allow", user: "ada", email: "ada@example.com" });
    expect(outcomes(server)).toEqual([{ success: true, reason: null, identity: "ada@example.com", appId: "app_app" }]);
  });

  test("several tabs of one browser finish their logins", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    const first = await browser.send(`${app}/__auth/login?to=/1`);
    const second = await browser.send(`${app}/__auth/login?to=/2`);
    expect(await finish(world, browser, first.location)).toMatchObject({ status: 303, location: "/1" });
    expect(await finish(world, browser, second.location)).toMatchObject({ status: 303, location: "/2" });
  });

  test("domains and claims that fit let in, userinfo included", async () => {
    await using world = await setUp({
      misbehaviour: { userInfoOnly: true, claims: { groups: ["staff", "ops"], staff: true, email: "Ada@Example.COM" } },
      policy: {
        oidcScopes: ["openid", "email", "profile"],
        oidcAllowedDomains: ["@Example.com"],
        oidcRequiredClaims: { groups: "ops", staff: true },
      },
    });
    const browser = world.server.browser();
    expect(await login(world, browser)).toMatchObject({ status: 303, location: "/" });
    expect(world.provider.hits["/me"]).toBe(1);
  });

  test("an organization's policy covers its applications, each with its own session", async () => {
    await using world = await setUp({ apps: ["app", "two"] });
    const { server, provider } = world;
    await server.policies.putPolicy({ orgId, appId: null }, body(provider), {});
    await server.db.kysely.updateTable("applications").set({ auth_mode: "inherit" }).execute();
    const browser = server.browser();
    expect(await login(world, browser)).toMatchObject({ status: 303 });
    const cookie = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    expect(await ask(server, cookie)).toMatchObject({ kind: "allow" });
    expect(await ask(server, cookie, "two")).toMatchObject({ kind: "deny" });
  });

  test("logout ends our session and the provider's", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    await login(world, browser);
    const cookie = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    const asked = await browser.send(`${app}/__auth/logout`);
    expect(asked.status).toBe(200);
    expect(asked.headers.get("content-security-policy")).toContain(`form-action 'self' ${provider.issuer};`);
    expect(await ask(server, cookie)).toMatchObject({ kind: "allow" });
    const done = await browser.send(`${app}/__auth/logout`, { form: {} });
    const end = new URL(done.location ?? "");
    expect(end.origin + end.pathname).toBe(`${provider.issuer}/session/end`);
    expect(end.searchParams.get("id_token_hint")).toMatch(/^ey/);
    expect(await ask(server, cookie)).toMatchObject({ kind: "deny" });
    expect(browser.cookies("app.tunnel.localhost")["dl_visitor"]).toBeUndefined();
  });
});

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

  test("the answer of another provider is refused (mix-up)", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const back = await world.provider.authorize(begun.location ?? "");
    back.searchParams.set("iss", "https://attacker.example");
    expect(await browser.send(back)).toMatchObject({ status: 403 });
    expect(outcomes(world.server)).toMatchObject([{ success: false, reason: "issuer_mixup" }]);
    expect(world.provider.hits["/token"]).toBeUndefined();
  });

  test("an error of the provider is no login", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const state = new URL(begun.location ?? "").searchParams.get("state") ?? "";
    const back = `${redirect}?state=${state}&error=access_denied&error_description=%3Cscript%3E&iss=${encodeURIComponent(world.provider.issuer)}`;
    const answer = await browser.send(back);
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain("script>");
    expect(outcomes(world.server)).toMatchObject([{ success: false, reason: "provider_error" }]);
  });

  test("a login is finished by the browser that began it and by no other", async () => {
    await using world = await setUp();
    const attacker = world.server.browser();
    const victim = world.server.browser();
    const begun = await attacker.send(`${app}/__auth/login`);
    const back = await attacker.send(await world.provider.authorize(begun.location ?? ""));
    expect(await victim.send(back.location ?? "")).toMatchObject({ status: 403 });
    expect(victim.cookies("app.tunnel.localhost")).toEqual({});
    // The code is used up: not even the right browser can come later.
    expect(await attacker.send(back.location ?? "")).toMatchObject({ status: 403 });
    expect(await world.server.sessions()).toEqual([]);
    expect(outcomes(world.server).map(({ reason }) => reason)).toEqual(["other_browser", "unknown_code"]);
  });

  test("state and code work once, and not after their time", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const answer = await provider.authorize(begun.location ?? "");
    const back = await browser.send(answer);
    expect(await browser.send(answer)).toMatchObject({ status: 403 });
    expect(await browser.send(back.location ?? "")).toMatchObject({ status: 303 });
    expect(await browser.send(back.location ?? "")).toMatchObject({ status: 403 });

    const late = await browser.send(`${app}/__auth/login`);
    const lateAnswer = await provider.authorize(late.location ?? "");
    server.clock.offsetMs += 600_001;
    expect(await browser.send(lateAnswer)).toMatchObject({ status: 403 });

    const slow = await browser.send(`${app}/__auth/login`);
    const slowBack = await browser.send(await provider.authorize(slow.location ?? ""));
    server.clock.offsetMs += 60_001;
    expect(await browser.send(slowBack.location ?? "")).toMatchObject({ status: 403 });
    expect(await server.sessions()).toHaveLength(1);
  });

  test("a state that is made up, missing or double is unknown", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    for (const query of ["", "?state=x&code=y", "?code=y", "?state=a&state=b&code=y", "?state=&code="]) {
      expect(await browser.send(`${redirect}${query}`)).toMatchObject({ status: 403 });
    }
    expect(outcomes(world.server).map(({ reason }) => reason)).toEqual(Array(5).fill("unknown_state"));
  });

  test("a code of one application opens no sibling", async () => {
    await using world = await setUp({ apps: ["app", "two"] });
    const { server, provider } = world;
    await server.setPolicy("two", body(provider));
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    await browser.send("http://two.tunnel.localhost/__auth/login");
    const back = await browser.send(await provider.authorize(begun.location ?? ""));
    const stolen = (back.location ?? "").replace("//app.", "//two.");
    const secret = browser.cookies("app.tunnel.localhost")["dl_state"] ?? "";
    const answer = await server.browser().send(stolen, { headers: { cookie: `dl_state=${secret}` } });
    expect(answer.status).toBe(403);
    expect(outcomes(server)).toMatchObject([{ success: false, reason: "other_host" }]);
    expect(await server.sessions()).toEqual([]);
  });

  test("a state is never a session, and a session opens its own application only", async () => {
    await using world = await setUp({ apps: ["app", "two"] });
    const { server } = world;
    await server.setPolicy("two", body(world.provider));
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const state = new URL(begun.location ?? "").searchParams.get("state") ?? "";
    const secret = browser.cookies("app.tunnel.localhost")["dl_state"] ?? "";
    expect(await ask(server, state)).toMatchObject({ kind: "deny" });
    expect(await ask(server, secret)).toMatchObject({ kind: "deny" });
    await finish(world, browser, begun.location);
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    expect(await ask(server, session)).toMatchObject({ kind: "allow" });
    expect(await ask(server, session, "two")).toMatchObject({ kind: "deny" });
    expect((await server.sessions())[0]?.session_hash).not.toContain(session);
  });

  test("a changed or removed policy ends sessions and logins under way", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    await login(world, browser);
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    const begun = await browser.send(`${app}/__auth/login`);
    await server.setPolicy("app", { ...body(provider), sessionHours: 2 });
    expect(await ask(server, session)).toMatchObject({ kind: "deny" });
    expect(await finish(world, browser, begun.location)).toMatchObject({ status: 403 });
    expect(await server.sessions()).toEqual([]);
  });

  test("sessions end by the clock", async () => {
    await using world = await setUp({ policy: { sessionHours: 1 } });
    const browser = world.server.browser();
    await login(world, browser);
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    world.server.clock.offsetMs += 3_600_001;
    expect(await ask(world.server, session)).toMatchObject({ kind: "deny" });
  });

  test("each login has a new session id", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    await login(world, browser);
    const first = browser.cookies("app.tunnel.localhost")["dl_visitor"];
    await login(world, browser);
    expect(browser.cookies("app.tunnel.localhost")["dl_visitor"]).not.toBe(first ?? "");
  });

  test.each(["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/__auth/logout"])(
    "a login that was to lead to %s leads to /",
    async (to) => {
      await using world = await setUp();
      const browser = world.server.browser();
      const begun = await browser.send(`${app}/__auth/login?to=${encodeURIComponent(to)}`);
      expect(await finish(world, browser, begun.location)).toMatchObject({ status: 303, location: "/" });
    },
  );

  test("secrets of a login are in neither logs, audit, nor readable in the database", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const back = await browser.send(await provider.authorize(begun.location ?? ""));
    const states = JSON.stringify(await server.db.kysely.selectFrom("visitor_states").selectAll().execute());
    await browser.send(back.location ?? "");
    const stored =
      states +
      JSON.stringify(await server.sessions()) +
      JSON.stringify(await server.db.kysely.selectFrom("policies").selectAll().execute());
    const said = server.logs.join("\n") + JSON.stringify(server.audited);
    const cookies = browser.cookies("app.tunnel.localhost");
    const state = new URL(begun.location ?? "").searchParams.get("state") ?? "";
    const code = new URL(back.location ?? "").searchParams.get("code") ?? "";
    for (const secret of [
      cookies["dl_visitor"] ?? "",
      cookies["dl_state"] ?? "",
      state,
      code,
      provider.clientSecret,
      "eyJ",
    ]) {
      expect(secret.length).toBeGreaterThan(2);
      expect(stored).not.toContain(secret);
      expect(said).not.toContain(secret);
    }
  });

  test("failed logins are limited: the address is blocked, and the shard is told", async () => {
    await using world = await setUp({ misbehaviour: { sign: "foreign" } });
    const { server } = world;
    const browser = server.browser("203.0.113.9");
    for (let i = 0; i < 10; i++) expect(await login(world, browser)).toMatchObject({ status: 403 });
    expect(await browser.send(`${app}/__auth/login`)).toMatchObject({ status: 429, location: null });
    expect(server.blocks).toMatchObject([{ name: "app", scope: "app_app", address: "203.0.113.9" }]);
  });
});

interface World extends AsyncDisposable {
  server: VisitorServer;
  provider: TestProvider;
}

async function setUp(
  options: {
    misbehaviour?: Misbehaviour;
    policy?: Partial<PolicyBody>;
    apps?: string[];
    settings?: NonNullable<Parameters<typeof startVisitorServer>[0]>["settings"];
    skipPolicy?: boolean;
  } = {},
): Promise<World> {
  const provider = await startProvider([redirect], options.misbehaviour);
  const server = await startVisitorServer({ apps: options.apps ?? ["app"], settings: options.settings ?? {} });
  if (options.skipPolicy !== true) await server.setPolicy("app", { ...body(provider), ...options.policy });
  return {
    server,
    provider,
    async [Symbol.asyncDispose]() {
      await provider.stop();
      await server[Symbol.asyncDispose]();
    },
  };
}

function body(provider: TestProvider): PolicyBody {
  return {
    authType: "oidc",
    oidcIssuerUrl: provider.issuer,
    oidcClientId: provider.clientId,
    oidcClientSecret: provider.clientSecret,
    oidcScopes: ["openid", "email"],
  };
}

function profile(requiredClaims: Record<string, string | boolean>): Partial<PolicyBody> {
  return { oidcScopes: ["openid", "email", "profile"], oidcRequiredClaims: requiredClaims };
}

async function login(world: World, browser: Browser) {
  const begun = await browser.send(`${app}/__auth/login`);
  return await finish(world, browser, begun.location);
}

/** From the provider's page to wherever our answers stop leading on. */
async function finish(world: World, browser: Browser, location: string | null) {
  const back = await browser.send(await world.provider.authorize(location ?? ""));
  return back.location === null ? back : await browser.send(back.location);
}

function ask(server: VisitorServer, session: string, name = "app") {
  return server.auth.answer({ kind: "session", name, appId: `app_${name}`, session, address: "127.0.0.1" });
}

function outcomes(server: VisitorServer) {
  return server.audited
    .filter(({ action }) => action === "visitor.login")
    .map(({ success, reason, identity, appId }) => ({ success, reason: reason ?? null, identity, appId }));
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
