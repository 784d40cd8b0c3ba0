// A visitor logs in at a real identity provider; the steps hold only together, once, and for the browser that began.

import { describe, expect, test } from "bun:test";
import { app, ask, body, finish, login, outcomes, redirect, setUp } from "../helpers/visitor-login.ts";
import { orgId } from "../helpers/visitor-server.ts";

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

  test("what is known of a provider belongs to one whole configuration: a changed secret never meets the old one's state", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    expect(await login(world, browser)).toMatchObject({ status: 303 });
    await server.setPolicy("app", { ...body(provider), oidcClientSecret: "another secret than the provider's" });
    expect((await login(world, browser)).status).toBe(403);
    await server.setPolicy("app", body(provider));
    expect(await login(world, browser)).toMatchObject({ status: 303 });
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

  test.each([
    ["no other", false],
    ["none that began another one", true],
  ])("a login is finished by the browser that began it and by %s", async (_which, hasBegun) => {
    await using world = await setUp();
    const attacker = world.server.browser();
    const victim = world.server.browser();
    if (hasBegun) await victim.send(`${app}/__auth/login`);
    const before = victim.cookies("app.tunnel.localhost");
    expect(Object.keys(before)).toHaveLength(hasBegun ? 1 : 0);
    const begun = await attacker.send(`${app}/__auth/login`);
    const back = await attacker.send(await world.provider.authorize(begun.location ?? ""));
    expect(await victim.send(back.location ?? "")).toMatchObject({ status: 403 });
    expect(victim.cookies("app.tunnel.localhost")).toEqual(before);
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
    const begun = await world.server.browser().send(`${app}/__auth/login`);
    const state = new URL(begun.location ?? "").searchParams.get("state");
    const queries = ["", "?state=x&code=y", "?code=y", `?state=${state}&state=b&code=y`, "?state=&code="];
    for (const [i, query] of queries.entries()) {
      const browser = world.server.browser(`192.0.2.${i}`);
      expect(await browser.send(`${redirect}${query}`)).toMatchObject({ status: 403 });
    }
    expect(outcomes(world.server).map(({ reason }) => reason)).toEqual(Array(5).fill("unknown_state"));
    // Nobody has to be known for this one: however often it is asked, the log gets one entry a minute and address.
    for (let i = 0; i < 10; i++) await world.server.browser("192.0.2.0").send(`${redirect}?state=${i}`);
    expect(outcomes(world.server)).toHaveLength(5);
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

  test.each(["at the provider", "on its way back"])(
    "a name that became another application's while a login was %s lets nobody in, although the policy is the same one",
    async (when) => {
      await using world = await setUp({ skipPolicy: true, apps: [] });
      const { server, provider } = world;
      await server.addApplication("app", orgId, "inherit");
      const by = { actorId: "acc_admin", actorName: "admin" };
      await server.policies.putPolicy({ orgId, appId: null }, body(provider), by);
      const changeHands = async (): Promise<void> => {
        await server.db.kysely.updateTable("applications").set({ subdomain: "former" }).execute();
        await server.addApplication("app", orgId, "inherit", "app_successor");
      };
      const browser = server.browser();
      const begun = await browser.send(`${app}/__auth/login`);
      const answer = await provider.authorize(begun.location ?? "");
      if (when === "at the provider") {
        await changeHands();
        expect(await browser.send(answer)).toMatchObject({ status: 403 });
        expect(provider.hits["/token"]).toBeUndefined();
      } else {
        const back = await browser.send(answer);
        await changeHands();
        expect(await browser.send(back.location ?? "")).toMatchObject({ status: 403 });
      }
      expect(outcomes(server)).toMatchObject([{ success: false }]);
      expect(await server.sessions()).toEqual([]);
    },
  );

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
});
