// What main answers about visitors' credentials, and the login form: Basic, API keys, limiter, what stays with whom.

import { describe, expect, test } from "bun:test";
import { createToken, hashToken, tokenPrefix } from "../../src/auth/tokens.ts";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import { createLimiter } from "../../src/auth/limiter.ts";
import { createLimiterStore } from "../../src/db/limiter.ts";
import type { Ask } from "../../src/link/messages.ts";
import { describeEngines } from "../helpers/databases.ts";
import { orgId, startVisitorServer, type VisitorServer } from "../helpers/visitor-server.ts";

const app = "http://app.tunnel.localhost";
const basic: PolicyBody = { authType: "basic", basicUsername: "ada", basicPassword: "visitor-secret" };
const right = { username: "ada", password: "visitor-secret" };

describeEngines("credentials of visitors", (openDatabase) => {
  test("a basic credential, remembered for five minutes by the shard", async () => {
    await using server = await startVisitorServer({ openDatabase });
    await server.setPolicy("app", basic);
    expect(await askBasic(server, right)).toEqual({
      kind: "allow",
      user: "ada",
      email: null,
      keyId: null,
      cacheMs: 300_000,
    });
    for (const wrong of [
      { ...right, password: "x" },
      { ...right, username: "bob" },
      { username: "", password: "" },
    ]) {
      expect(await askBasic(server, wrong)).toMatchObject({ kind: "deny" });
    }
    expect(server.audited.filter(({ action }) => action === "visitor.auth").map(({ success }) => success)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("an API key opens what it is for", async () => {
    await using server = await startVisitorServer({ apps: ["app", "two"], openDatabase });
    await server.addApplication("foreign", "org_b");
    for (const name of ["app", "two"]) await server.setPolicy(name, { authType: "api_key" });
    await server.policies.putPolicy({ orgId: "org_b", appId: "app_foreign" }, { authType: "api_key" }, {});
    const now = Date.now();
    const keys = {
      wide: await addKey(server, {}),
      bound: await addKey(server, { app_id: "app_app" }),
      both: await addKey(server, { scope: "both" }),
      tunnel: await addKey(server, { scope: "tunnel" }),
      expired: await addKey(server, { expires_at: now - 1 }),
      later: await addKey(server, { expires_at: now + 60_000 }),
    };
    const table: [string, string, "allow" | "deny"][] = [
      [keys.wide, "app", "allow"],
      [keys.wide, "two", "allow"],
      [keys.wide, "foreign", "deny"],
      [keys.bound, "app", "allow"],
      [keys.bound, "two", "deny"],
      [keys.both, "app", "allow"],
      [keys.tunnel, "app", "deny"],
      [keys.expired, "app", "deny"],
      [keys.later, "app", "allow"],
      [createToken("dlk"), "app", "deny"],
      [`${keys.wide}x`, "app", "deny"],
      [createToken("dlt"), "app", "deny"],
    ];
    for (const [key, name, kind] of table)
      expect({ key, name, ...(await askKey(server, key, name)) }).toMatchObject({ key, name, kind });
  });
});

describe("the login form", () => {
  test("gives a session and leads back", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser();
    const shown = await browser.send(`${app}/__auth/basic?to=%2Fa%3Fb%3D%22`);
    expect(shown.status).toBe(200);
    expect(shown.text).toContain('name="to" value="/"');
    const page = await browser.send(`${app}/__auth/basic?to=%2Fa%3Fb%3D%26%27`);
    expect(page.text).toContain('name="to" value="/a?b=&#38;&#39;"');
    const wrong = await browser.send(`${app}/__auth/basic`, { form: { ...right, password: "nope", to: "/a" } });
    expect(wrong).toMatchObject({ status: 401, location: null });
    expect(wrong.headers.get("www-authenticate")).toBeNull();
    const done = await browser.send(`${app}/__auth/basic`, { form: { ...right, to: "/a?b=1" } });
    expect(done).toMatchObject({ status: 303, location: "/a?b=1" });
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    expect(await askSession(server, session)).toMatchObject({ kind: "allow", user: "ada", email: null });
  });

  test("health says ok and nothing else", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    expect(await server.browser().send(`${app}/__auth/health`)).toMatchObject({ status: 200, text: "ok" });
  });
});

describe("security", () => {
  test("pages: strict CSP, no store, no script, nothing from elsewhere", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const page = await server.browser().send(`${app}/__auth/basic`);
    const csp = page.headers.get("content-security-policy") ?? "";
    expect(csp).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    const style = /<style>([\s\S]*)<\/style>/.exec(page.text)?.[1] ?? "";
    expect(csp).toContain(new Bun.CryptoHasher("sha256").update(style).digest("base64"));
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.headers.get("x-frame-options")).toBe("DENY");
    expect(page.headers.get("access-control-allow-origin")).toBeNull();
    // no-referrer would make browsers send `Origin: null` with our own form.
    expect(page.headers.get("referrer-policy")).toBe("same-origin");
    expect(page.text).not.toMatch(/<script|https?:\/\/|style="/);
  });

  test("a form from another site logs nobody in or out", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser();
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "http://two.tunnel.localhost" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      for (const path of ["basic", "logout"]) {
        const answer = await browser.send(`${app}/__auth/${path}`, { form: right, headers });
        expect({ headers, path, status: answer.status }).toEqual({ headers, path, status: 403 });
      }
    }
    expect(await server.sessions()).toEqual([]);
  });

  test("only GET of a page; a GET never logs out", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser();
    await browser.send(`${app}/__auth/basic`, { form: { ...right } });
    await browser.send(`${app}/__auth/logout`);
    expect(await server.sessions()).toHaveLength(1);
    await browser.send(`${app}/__auth/logout`, { form: {} });
    expect(await server.sessions()).toEqual([]);
  });

  test("our paths exist only on a tunnel's host, under a policy that uses them", async () => {
    await using server = await startVisitorServer({ apps: ["app", "keyed", "open"] });
    await server.setPolicy("app", basic);
    await server.setPolicy("keyed", { authType: "api_key" });
    await server.db.kysely
      .updateTable("applications")
      .set({ auth_mode: "disabled" })
      .where("id", "=", "app_open")
      .execute();
    const browser = server.browser();
    for (const url of [
      "http://tunnel.localhost/__auth/login",
      "http://tunnel.localhost/__auth/health",
      "http://evil.example/__auth/health",
      "http://a.app.tunnel.localhost/__auth/health",
      "http://nobody.tunnel.localhost/__auth/basic",
      "http://open.tunnel.localhost/__auth/health",
      "http://keyed.tunnel.localhost/__auth/login",
      "http://keyed.tunnel.localhost/__auth/basic",
      `${app}/__auth/callback?code=x`,
      `${app}/auth/visitor/callback?state=x`,
    ]) {
      expect({ url, status: (await browser.send(url)).status }).toEqual({ url, status: 404 });
    }
  });

  test("the limiter: ten failures block the address, wherever they happen, and only that one", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser("203.0.113.5");
    for (let i = 0; i < 5; i++)
      expect(await askBasic(server, { ...right, password: `${i}` }, "203.0.113.5")).toMatchObject({ kind: "deny" });
    for (let i = 0; i < 4; i++)
      expect(await browser.send(`${app}/__auth/basic`, { form: { ...right, password: "x" } })).toMatchObject({
        status: 401,
      });
    const last = await browser.send(`${app}/__auth/basic`, { form: { ...right, password: "x" } });
    expect(last.status).toBe(429);
    expect(last.headers.get("retry-after")).toBe("1800");
    expect(await askBasic(server, right, "203.0.113.5")).toMatchObject({ kind: "blocked" });
    expect(await browser.send(`${app}/__auth/basic`, { form: { ...right } })).toMatchObject({ status: 429 });
    expect(await askBasic(server, right, "203.0.113.6")).toMatchObject({ kind: "allow" });
    expect(server.blocks).toMatchObject([{ name: "app", scope: "app_app", address: "203.0.113.5" }]);
    server.clock.offsetMs += 30 * 60_000 + 1;
    expect(await askBasic(server, right, "203.0.113.5")).toMatchObject({ kind: "allow" });
  });

  test("blocks and counts survive a restart", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    for (let i = 0; i < 10; i++) await askBasic(server, { ...right, password: `${i}` }, "203.0.113.5");
    const nowMs = () => Date.now();
    server.deps.limiter = createLimiter({ store: createLimiterStore(server.db.kysely), nowMs });
    await server.deps.limiter.restore();
    const limit = server.deps.limiter.begin([
      {
        scope: "visitor:app_app",
        subject: "203.0.113.5",
        rule: { maxAttempts: 10, windowMs: 900_000, blockMs: 1_800_000 },
      },
    ]);
    expect(limit.allowed).toBe(false);
  });

  test("repeats of a wrong credential that a shard remembers count as well", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    await askBasic(server, { ...right, password: "x" });
    const failure: Ask = { kind: "failure", of: "basic", name: "app", appId: "app_app", address: "127.0.0.1" };
    for (let i = 0; i < 8; i++) expect(await server.auth.answer(failure)).toMatchObject({ kind: "deny" });
    expect(await server.auth.answer(failure)).toMatchObject({ kind: "blocked", retryAfterMs: 1_800_000 });
  });

  test("an application's own limiter, and none", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const limits = { max_attempts: 2, window_seconds: 60, block_seconds: 60, updated_at: 0 };
    await server.db.kysely
      .insertInto("rate_limits")
      .values({ app_id: "app_app", enabled: 1, ...limits })
      .execute();
    await askBasic(server, { ...right, password: "x" });
    expect(await askBasic(server, { ...right, password: "y" })).toEqual({ kind: "blocked", retryAfterMs: 60_000 });
    await server.db.kysely.updateTable("rate_limits").set({ enabled: 0 }).execute();
    for (let i = 0; i < 5; i++)
      expect(await askBasic(server, { ...right, password: `${i}` })).toMatchObject({ kind: "deny" });
    expect(await askBasic(server, right)).toMatchObject({ kind: "allow" });
  });

  test("a wrong user costs the same hash as a wrong password", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const hashes: (string | null)[] = [];
    const { verify } = server.deps.passwords;
    server.deps.passwords.verify = (password, hash) => {
      hashes.push(hash);
      return verify(password, hash);
    };
    await askBasic(server, { ...right, username: "bob" });
    await askBasic(server, { ...right, password: "x" });
    await askBasic(server, { ...right, password: `${right.password}${"x".repeat(100)}` });
    expect(hashes.map((hash) => hash !== null)).toEqual([false, true, false]);
  });

  test("a session of the form ends with the policy, and is none of a sibling's", async () => {
    await using server = await startVisitorServer({ apps: ["app", "two"] });
    await server.setPolicy("app", basic);
    await server.setPolicy("two", basic);
    const browser = server.browser();
    await browser.send(`${app}/__auth/basic`, { form: { ...right } });
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    expect(await askSession(server, session)).toMatchObject({ kind: "allow" });
    expect(await askSession(server, session, "two")).toMatchObject({ kind: "deny" });
    await server.policies.putPolicy({ orgId, appId: "app_app" }, { authType: "basic", basicUsername: "ada" }, {});
    expect(await askSession(server, session)).toMatchObject({ kind: "deny" });
  });

  test("a broken, unknown or unreadable policy denies, whatever is stored beside it", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", {
      authType: "oidc",
      oidcIssuerUrl: "http://127.0.0.1:1",
      oidcClientId: "a",
      oidcClientSecret: "planted-secret",
    });
    expect((await server.inForce.compileForName("app")).kind).toBe("oidc");
    const breakages: Record<string, string | null>[] = [
      { oidc_client_secret: "v1.000000000000.AAAA" },
      { auth_type: "none" },
      { auth_type: "" },
      { allow_ips_json: "{" },
      { deny_ips_json: '["not an address"]' },
      { oidc_required_claims_json: '{"a":{"b":1}}' },
      { oidc_issuer_url: null },
    ];
    const [stored] = await server.db.kysely.selectFrom("policies").selectAll().execute();
    if (stored === undefined) throw new Error("no policy");
    for (const breakage of breakages) {
      await server.db.kysely
        .updateTable("policies")
        .set({ ...stored, ...breakage })
        .execute();
      expect({ breakage, kind: (await server.inForce.compileForName("app")).kind }).toEqual({ breakage, kind: "deny" });
      expect(
        await server.auth.answer({
          kind: "api_key",
          name: "app",
          appId: "app_app",
          orgId,
          key: "dlk_x",
          address: "127.0.0.1",
        }),
      ).toMatchObject({ kind: "deny" });
    }
    await server.db.kysely.deleteFrom("policies").execute();
    expect((await server.inForce.compileForName("app")).kind).toBe("deny");
    expect((await server.inForce.compileForName("nobody")).kind).toBe("deny");
    await server.db.kysely.updateTable("applications").set({ auth_mode: "disabled" }).execute();
    expect((await server.inForce.compileForName("app")).kind).toBe("open");
    await server.db.kysely.updateTable("applications").set({ is_active: 0 }).execute();
    expect((await server.inForce.compileForName("app")).kind).toBe("deny");
  });

  test("a database that fails denies and lets nobody in", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    server.deps.policies.find = () => Promise.reject(new Error("disk full"));
    expect(await askBasic(server, right)).toEqual({ kind: "unavailable" });
  });

  test("a new or revoked key changes the compiled version", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", { authType: "api_key" });
    const version = async () => {
      const compiled = await server.inForce.compileForName("app");
      return "version" in compiled ? compiled.version : "";
    };
    const first = await version();
    await addKey(server, {});
    const second = await version();
    await server.db.kysely.deleteFrom("api_keys").execute();
    expect(new Set([first, second, await version()]).size).toBe(2);
    expect(second).not.toBe(first);
  });

  test("passwords are in neither logs nor audit", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    await askBasic(server, right);
    await askBasic(server, { username: "ada", password: "planted-guess" });
    const said = JSON.stringify([server.audited, server.logs]);
    expect(said).not.toContain("planted-guess");
    expect(said).not.toContain("visitor-secret");
    expect(said).not.toContain("$2b$");
  });
});

function askBasic(server: VisitorServer, given: { username: string; password: string }, address = "127.0.0.1") {
  return server.auth.answer({ kind: "basic", name: "app", appId: "app_app", ...given, address });
}

function askSession(server: VisitorServer, session: string, name = "app") {
  return server.auth.answer({ kind: "session", name, appId: `app_${name}`, session, address: "127.0.0.1" });
}

function askKey(server: VisitorServer, key: string, name: string) {
  // Each from an address of its own, so that the limiter stays out of it.
  const address = `127.0.0.${Math.floor(Math.random() * 250) + 2}`;
  return server.auth.answer({ kind: "api_key", name, appId: `app_${name}`, orgId, key, address });
}

async function addKey(
  server: VisitorServer,
  row: { app_id?: string; scope?: "tunnel" | "visitor" | "both"; expires_at?: number },
) {
  const key = createToken("dlk");
  await server.db.kysely
    .insertInto("api_keys")
    .values({
      id: `key_${crypto.randomUUID()}`,
      org_id: orgId,
      app_id: null,
      key_hash: hashToken(key),
      prefix: tokenPrefix(key),
      description: "test",
      scope: "visitor",
      created_by: null,
      created_at: Date.now(),
      expires_at: null,
      last_used_at: 0,
      ...row,
    })
    .execute();
  return key;
}
