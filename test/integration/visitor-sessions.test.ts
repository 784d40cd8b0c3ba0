// What a visitor's session is bound to, and when it ends.

import { describe, expect, test } from "bun:test";
import { app, ask, body, finish, login, outcomes, setUp } from "../helpers/visitor-login.ts";
import { orgId } from "../helpers/visitor-server.ts";

describe("security", () => {
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

  test("a policy that changed at the provider's side of a login stops it before its code is redeemed", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const answer = await provider.authorize(begun.location ?? "");
    await server.db.kysely.updateTable("policies").set({ version: "another" }).execute();
    expect(await browser.send(answer)).toMatchObject({ status: 403 });
    expect(provider.hits["/token"]).toBeUndefined();
    expect(outcomes(server)).toMatchObject([{ reason: "policy_changed" }]);
  });

  test("an application that got a policy of its own while a login was on its way back lets nobody in by the former one", async () => {
    await using world = await setUp({ skipPolicy: true, apps: [] });
    const { server, provider } = world;
    await server.addApplication("app", orgId, "inherit");
    await server.policies.putPolicy({ orgId, appId: null }, body(provider), { actorName: "admin" });
    const browser = server.browser();
    const begun = await browser.send(`${app}/__auth/login`);
    const back = await browser.send(await provider.authorize(begun.location ?? ""));
    // The organization's policy stays as it is, and with it what was begun under it.
    await server.setPolicy("app", { ...body(provider), oidcRequiredClaims: { staff: true } });
    await server.db.kysely.updateTable("applications").set({ auth_mode: "custom" }).execute();
    expect(await browser.send(back.location ?? "")).toMatchObject({ status: 403 });
    expect(outcomes(server)).toMatchObject([{ reason: "policy_changed" }]);
    expect(await server.sessions()).toEqual([]);
  });

  test("every part of what a session is for counts", async () => {
    await using world = await setUp({ apps: ["app", "two"] });
    const { server } = world;
    const browser = server.browser();
    await login(world, browser);
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    const [row] = await server.sessions();
    if (row === undefined) throw new Error("no session");
    const others = [
      { name: "two" },
      { app_id: "app_two" },
      { app_id: null },
      { org_id: "org_b" },
      { org_id: null },
      { policy_version: "x" },
      { kind: "basic" as const },
    ];
    for (const other of others) {
      await server.db.kysely
        .updateTable("visitor_sessions")
        .set({ ...row, ...other })
        .execute();
      expect({ other, kind: (await ask(server, session)).kind }).toEqual({ other, kind: "deny" });
    }
    await server.db.kysely.updateTable("visitor_sessions").set(row).execute();
    expect(await ask(server, session)).toMatchObject({ kind: "allow" });
  });

  test("sessions end by the clock", async () => {
    await using world = await setUp({ policy: { sessionHours: 1 } });
    const browser = world.server.browser();
    await login(world, browser);
    const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "";
    world.server.clock.offsetMs += 3_600_001;
    expect(await ask(world.server, session)).toMatchObject({ kind: "deny" });
  });

  test("one address begins only so many logins in a minute", async () => {
    await using world = await setUp();
    const begin = async (address: string) => (await world.server.browser(address).send(`${app}/__auth/login`)).status;
    for (let i = 0; i < 120; i++) expect(await begin("203.0.113.1")).toBe(303);
    expect(await begin("203.0.113.1")).toBe(429);
    expect(await begin("203.0.113.2")).toBe(303);
  });

  test("each login has a new session id", async () => {
    await using world = await setUp();
    const browser = world.server.browser();
    await login(world, browser);
    const first = browser.cookies("app.tunnel.localhost")["dl_visitor"];
    await login(world, browser);
    expect(browser.cookies("app.tunnel.localhost")["dl_visitor"]).not.toBe(first ?? "");
  });
});
