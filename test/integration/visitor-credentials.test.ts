// What main answers about visitors' Basic credentials and API keys, and the login form.

import { describe, expect, test } from "bun:test";
import { createToken, hashToken } from "../../src/auth/tokens.ts";
import { describeEngines } from "../helpers/databases.ts";
import { addKey, askBasic, askKey, askSession, basic, right } from "../helpers/visitor-asks.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

const app = "http://app.tunnel.localhost";

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

  test("a shard asks again within five seconds, or when the key ends", async () => {
    await using server = await startVisitorServer({ openDatabase });
    await server.setPolicy("app", { authType: "api_key" });
    const cacheMsOf = async (key: string) => {
      const answer = await askKey(server, key, "app");
      return answer.kind === "allow" ? answer.cacheMs : null;
    };
    expect(await cacheMsOf(await addKey(server, {}))).toBeWithin(1, 5_001);
    // Longer than the question takes, and shorter than what is remembered of other keys.
    expect(await cacheMsOf(await addKey(server, { expires_at: Date.now() + 2_900 }))).toBeWithin(1, 2_901);
  });

  test("a key's use is noted after a clock that was ahead was put back", async () => {
    await using server = await startVisitorServer({ openDatabase });
    await server.setPolicy("app", { authType: "api_key" });
    const key = await addKey(server, {});
    for (const offsetMs of [3_600_000, 0]) {
      server.clock.offsetMs = offsetMs;
      expect(await askKey(server, key, "app")).toMatchObject({ kind: "allow" });
    }
    expect(server.audited.filter(({ action }) => action === "visitor.auth")).toHaveLength(2);
    const { last_used_at } = await server.db.kysely
      .selectFrom("api_keys")
      .select("last_used_at")
      .executeTakeFirstOrThrow();
    expect(last_used_at).toBeLessThanOrEqual(Date.now());
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

describeEngines("the last use of an API key", (openDatabase) => {
  test("is its last visitor's, as near as the shards ask, and no wrong key's", async () => {
    await using server = await startVisitorServer({ apps: ["app", "two"], openDatabase });
    for (const name of ["app", "two"]) await server.setPolicy(name, { authType: "api_key" });
    const key = await addKey(server, {});
    const bound = await addKey(server, { app_id: "app_app" });
    const lastUsed = async (of: string): Promise<number> =>
      (
        await server.db.kysely
          .selectFrom("api_keys")
          .select("last_used_at")
          .where("key_hash", "=", hashToken(of))
          .executeTakeFirstOrThrow()
      ).last_used_at;
    const before = Date.now();
    expect(await askKey(server, bound, "two")).toMatchObject({ kind: "deny" });
    expect(await askKey(server, key, "app")).toMatchObject({ kind: "allow" });
    expect(await lastUsed(bound)).toBe(0);
    const first = await lastUsed(key);
    expect(first).toBeGreaterThanOrEqual(before);
    server.clock.offsetMs += 300_001;
    expect(await askKey(server, key, "app")).toMatchObject({ kind: "allow" });
    expect(await lastUsed(key)).toBeGreaterThanOrEqual(first + 300_000);
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
    expect(wrong.text).toContain(`value="${right.username}"`);
    const planted = await browser.send(`${app}/__auth/basic`, {
      form: { username: `"><script>`, password: "x", to: "/" },
    });
    expect(planted.text).toContain('value="&#34;&#62;&#60;script&#62;"');
    expect(wrong.headers.get("www-authenticate")).toBeNull();
    for (const to of ["//evil.example/", "https://evil.example/", "/\\evil.example"])
      expect(await browser.send(`${app}/__auth/basic`, { form: { ...right, to } })).toMatchObject({ location: "/" });
    const done = await browser.send(`${app}/__auth/basic`, { form: { ...right, to: "/a?b=1" } });
    expect(done).toMatchObject({ status: 303, location: "/a?b=1" });
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    expect(await askSession(server, session)).toMatchObject({ kind: "allow", user: "ada", email: null });
  });
});

describe("security", () => {
  test("health says ok and nothing else", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    expect(await server.browser().send(`${app}/__auth/health`)).toMatchObject({ status: 200, text: "ok" });
  });

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

  test("what a shard asks by an outdated policy opens nothing: keys are off by now, the name is another application's", async () => {
    await using server = await startVisitorServer();
    const key = await addKey(server, {});
    await server.setPolicy("app", basic);
    expect(await askKey(server, key, "app")).toMatchObject({ kind: "deny", reason: "no_policy" });
    await server.setPolicy("app", { ...basic, apiKeyEnabled: true });
    expect(await askKey(server, key, "app")).toMatchObject({ kind: "allow" });
    const asker = { address: "127.0.0.1", network: "127.0.0.1" };
    const former = await server.auth.answer({
      kind: "api_key",
      name: "app",
      appId: "app_former",
      orgId,
      key,
      ...asker,
    });
    expect(former).toMatchObject({ kind: "deny", reason: "no_policy" });
  });

  test("the form is a form, and small, whatever is said of its length", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser();
    const long = { ...right, to: `/${"a".repeat(8_192)}` };
    expect(await browser.send(`${app}/__auth/basic`, { form: long })).toMatchObject({ status: 413 });
    const headers = { "content-type": "text/plain" };
    expect(await browser.send(`${app}/__auth/basic`, { form: right, headers })).toMatchObject({ status: 415 });
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
      "http://evil.example/auth/visitor/callback?state=x",
    ]) {
      expect({ url, status: (await browser.send(url)).status }).toEqual({ url, status: 404 });
    }
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
