// Signing in to the dashboard at providers: to an existing account only, by a verified address or an explicit link.

import { describe, expect, spyOn, test } from "bun:test";
import { ada, origin, setUp, type Person } from "../helpers/sign-in.ts";

describe("sign-in at a provider", () => {
  test.each(["github", "google", "oidc"] as const)("%s: an account with this verified address", async (name) => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    const done = await world.signIn(browser, name, "/overview");
    expect(done).toMatchObject({ status: 303, location: "/overview" });
    const me = await browser.send("/auth/me");
    expect(me.status).toBe(200);
    expect(me.text).toContain("acc_1");
    expect(world.outcomes()).toEqual([{ success: true, reason: null, authType: name }]);
    // From now on by the identity itself, whatever the address.
    await world.test.deps.db.kysely.updateTable("accounts").set({ email: null }).execute();
    expect(await world.signIn(world.browser(), name)).toMatchObject({ location: "/" });
  });

  test("several tabs of one browser finish their sign-ins, the first one too", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    const [first, second] = [
      await world.answerOf(browser, "github", "/1"),
      await world.answerOf(browser, "google", "/2"),
    ];
    expect(await browser.send(first)).toMatchObject({ status: 303, location: "/1" });
    expect(await browser.send(second)).toMatchObject({ status: 303, location: "/2" });
  });

  test("a first sign-in that is finished twice at once finishes twice", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const { db } = world.test.deps;
    const { transaction } = db;
    const link = { id: "oal_1", account_id: "acc_1", provider: "google", subject: "g-7", email: null, created_at: 0 };
    const linking = spyOn(db, "transaction").mockImplementationOnce(async (work) => {
      await db.kysely.insertInto("oauth_links").values(link).execute();
      return await transaction(work);
    });
    expect(await world.signIn(world.browser(), "google", "/1")).toMatchObject({ status: 303, location: "/1" });
    linking.mockRestore();
  });

  test("says which providers there are", async () => {
    await using world = await setUp();
    const { text } = await world.browser().send("/auth/oauth");
    expect(JSON.parse(text)).toEqual({
      providers: [
        { name: "github", label: "GitHub" },
        { name: "google", label: "Google" },
        { name: "oidc", label: "Example SSO" },
      ],
    });
  });

  test("an account that is logged in links an identity, and signs in by it", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    await world.addAccount("acc_2", {});
    const browser = world.browser();
    await world.signIn(browser, "github");
    await world.test.deps.db.kysely.updateTable("accounts").set({ email: null }).execute();
    expect(await world.signIn(browser, "google", "/account", { link: true })).toMatchObject({ location: "/account" });
    const other = world.browser();
    expect(await world.signIn(other, "google")).toMatchObject({ location: "/" });
    expect((await other.send("/auth/me")).text).toContain("acc_1");
  });
});

describe("security", () => {
  test("no account is ever created", async () => {
    await using world = await setUp();
    for (const name of ["github", "google", "oidc"] as const) {
      expect(await world.signIn(world.browser(), name)).toMatchObject({ location: "/login?error=unknown_account" });
    }
    expect(await world.test.deps.db.kysely.selectFrom("accounts").select("id").execute()).toEqual([]);
  });

  test("an address alone opens no admin's account; a link does, and still asks for the second factor", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com", is_admin: 1 });
    expect(await world.signIn(world.browser(), "github")).toMatchObject({ location: "/login?error=admin_not_linked" });
    const link = { id: "oal_1", account_id: "acc_1", provider: "github", subject: "7", email: null, created_at: 0 };
    await world.test.deps.db.kysely.insertInto("oauth_links").values(link).execute();
    const browser = world.browser();
    const done = await world.signIn(browser, "github");
    expect(done.location).toMatch(/^\/login#step=enrol&pendingToken=[\w-]+&to=%2F$/);
    expect((await browser.send("/auth/me")).status).toBe(401);
  });

  const untrusted: [string, "github" | "google", Partial<Person>][] = [
    [
      "an address that isn't verified",
      "github",
      { github: { ...ada.github, emails: [{ email: "ada@example.com", primary: true, verified: false }] } },
    ],
    ["verified as text", "google", { google: { sub: "g", email: "ada@example.com", email_verified: "true" } }],
    [
      "an address that isn't primary",
      "github",
      { github: { ...ada.github, emails: [{ email: "ada@example.com", primary: false, verified: true }] } },
    ],
    ["no id", "github", { github: { ...ada.github, user: { login: "ada" } } }],
    ["an id that is text", "github", { github: { ...ada.github, user: { id: "7" } } }],
    ["no subject", "google", { google: { email: "ada@example.com", email_verified: true } }],
    ["another address", "google", { google: { sub: "g", email: "ada@example.com.evil.test", email_verified: true } }],
    ["a list for an identity", "google", { google: [] }],
  ];
  test.each(untrusted)("%s signs nobody in", async (_what, name, person) => {
    await using world = await setUp({ ...ada, ...person });
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    expect((await world.signIn(browser, name)).location).toStartWith("/login?error=");
    expect((await browser.send("/auth/me")).status).toBe(401);
    expect(world.outcomes()).toMatchObject([{ success: false }]);
    expect(await world.test.deps.db.kysely.selectFrom("oauth_links").selectAll().execute()).toEqual([]);
  });

  test("a deactivated account stays out", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com", active: 0 });
    expect(await world.signIn(world.browser(), "github")).toMatchObject({ location: "/login?error=sign_in_failed" });
  });

  test("state works once, in its browser, for its provider, in its time", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const attacker = world.browser();
    const failed = { location: "/login?error=sign_in_failed" };
    expect(await world.browser().send(await world.answerOf(attacker, "github"))).toMatchObject(failed);
    // One that has begun a sign-in of its own is not the attacker's either.
    const victim = world.browser();
    // From elsewhere: what repeats from one address is one entry a minute.
    const elsewhere = { "x-digit-link-address": "203.0.113.8" };
    await victim.send("/auth/oauth/github", elsewhere);
    expect(await victim.send(await world.answerOf(attacker, "github"), elsewhere)).toMatchObject(failed);

    const used = await world.answerOf(attacker, "github");
    expect(await attacker.send(used)).toMatchObject({ location: "/" });
    expect(await attacker.send(used)).toMatchObject(failed);

    const browser = world.browser();
    const other = (await world.answerOf(browser, "github")).replace("/github/", "/google/");
    expect(await browser.send(other)).toMatchObject(failed);

    expect(await browser.send(`${await world.answerOf(browser, "github")}&state=another`)).toMatchObject(failed);

    const late = await world.answerOf(browser, "github");
    world.test.clock.nowMs += 600_001;
    expect(await browser.send(late)).toMatchObject(failed);
    expect(world.outcomes().map(({ reason }) => reason)).toEqual([
      "other_browser",
      "other_browser",
      null,
      ...Array(4).fill("unknown_state"),
    ]);
  });

  test("linking needs the session that began it, and doesn't begin from another site", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    expect((await browser.send("/auth/oauth/google?link=1")).status).toBe(401);
    await world.signIn(browser, "github");
    expect((await browser.send("/auth/oauth/google?link=1", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    const answer = await world.answerOf(browser, "google", "/", { link: true });
    await world.test.deps.db.kysely.updateTable("dashboard_sessions").set({ revoked_at: 1 }).execute();
    expect((await browser.send(answer)).location).toStartWith("/login?error=");
  });

  test("whoever owes a second factor enrols before adding an identity", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    await world.signIn(browser, "github");
    const { kysely } = world.test.deps.db;
    const answer = await world.answerOf(browser, "google", "/", { link: true });
    await kysely.updateTable("accounts").set({ is_admin: 1 }).execute();
    expect((await browser.send(answer)).location).toStartWith("/login?error=");
    expect((await browser.send("/auth/oauth/google?link=1")).status).toBe(403);
    expect(await kysely.selectFrom("oauth_links").select("provider").execute()).toEqual([{ provider: "github" }]);
  });

  test("an identity is added to the account that asked for it, not to who is logged in by then", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    await world.signIn(browser, "github");
    await world.addAccount("acc_2", {});
    const answer = await world.answerOf(browser, "google", "/", { link: true });
    await world.test.deps.db.kysely.updateTable("oauth_states").set({ account_id: "acc_2" }).execute();
    expect(await browser.send(answer)).toMatchObject({ location: "/login?error=sign_in_failed" });
    expect(await world.test.deps.db.kysely.selectFrom("oauth_links").select("provider").execute()).toEqual([
      { provider: "github" },
    ]);
  });

  test("an identity is its provider's: the same id at another one is somebody else", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", {});
    const link = { id: "oal_1", account_id: "acc_1", provider: "google", subject: "7", email: null, created_at: 0 };
    await world.test.deps.db.kysely.insertInto("oauth_links").values(link).execute();
    expect(await world.signIn(world.browser(), "github")).toMatchObject({ location: "/login?error=unknown_account" });
    await world.addAccount("acc_2", { email: "ada@example.com" });
    expect(await world.signIn(world.browser(), "github")).toMatchObject({ location: "/" });
    expect(world.test.audited.filter(({ action }) => action === "account.linked")).toMatchObject([
      { actorId: "acc_2", authType: "github", address: "203.0.113.7" },
    ]);
  });

  test("an identity belongs to one account", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    await world.signIn(world.browser(), "google");
    await world.test.deps.db.kysely.updateTable("accounts").set({ email: null }).execute();
    await world.addAccount("acc_2", { email: "ada@example.com" });
    const browser = world.browser();
    await world.signIn(browser, "github");
    expect(await world.signIn(browser, "google", "/", { link: true })).toMatchObject({
      location: "/login?error=linked_already",
    });
  });

  test("leads to a path of the dashboard only", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    for (const to of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
      expect(await world.signIn(world.browser(), "github", to)).toMatchObject({ location: "/" });
    }
  });

  test("tokens, codes and states are in neither logs nor audit", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const browser = world.browser();
    const answer = await world.answerOf(browser, "github");
    await browser.send(answer);
    await browser.send(answer);
    const said = JSON.stringify([world.test.logs, world.test.audited]);
    for (const secret of [
      "planted-access-token",
      "planted-code",
      "planted-client-secret",
      new URL(answer, origin).searchParams.get("state") ?? "?",
    ]) {
      expect(said).not.toContain(secret);
    }
  });

  test("what another site makes a browser ask for blocks nobody", async () => {
    await using world = await setUp();
    await world.addAccount("acc_1", { email: "ada@example.com" });
    const attacker = world.browser();
    for (let i = 0; i < 12; i++) {
      await world.browser().send(`/auth/oauth/github/callback?state=${i}&code=x`);
      await world.browser().send(await world.answerOf(attacker, "github"));
    }
    expect(await world.signIn(world.browser(), "github")).toMatchObject({ status: 303, location: "/" });
  });

  test("an address that begins sign-ins without end is stopped, and the log says so", async () => {
    await using world = await setUp();
    for (let i = 0; i < 120; i++) expect((await world.browser().send("/auth/oauth/github")).status).toBe(303);
    for (let i = 0; i < 10; i++) expect((await world.browser().send("/auth/oauth/github")).status).toBe(429);
    expect(world.outcomes()).toEqual([{ success: false, reason: "too many sign-ins begun", authType: "github" }]);
    const states = await world.test.deps.db.kysely.selectFrom("oauth_states").select("provider").execute();
    expect(states).toHaveLength(120);
    world.test.clock.nowMs += 60_001;
    expect((await world.browser().send("/auth/oauth/github")).status).toBe(303);
  });

  test("failures are limited per address", async () => {
    await using world = await setUp();
    for (let i = 0; i < 10; i++) await world.signIn(world.browser(), "github");
    const before = world.test.audited.length;
    for (let i = 0; i < 10; i++) {
      expect((await world.browser().send("/auth/oauth/github")).status).toBe(429);
      expect((await world.browser().send("/auth/oauth/github/callback?state=guessed&code=x")).status).toBe(429);
    }
    expect(world.test.audited.slice(before)).toMatchObject([
      { action: "login.oauth", authType: "github", success: false, reason: "too many failed attempts" },
    ]);
  });
});
