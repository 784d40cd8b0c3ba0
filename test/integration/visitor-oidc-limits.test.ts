// Logins at a provider that fail or are begun without end: which of them count, and against whom.

import { describe, expect, test } from "bun:test";
import { app, login, outcomes, redirect, setUp } from "../helpers/visitor-login.ts";

describe("security", () => {
  test("an address that begins logins without end is stopped, and the log says so", async () => {
    await using world = await setUp();
    const { server } = world;
    const browser = server.browser("203.0.113.9");
    for (let i = 0; i < 120; i++) expect((await browser.send(`${app}/__auth/login`)).status).toBe(303);
    for (let i = 0; i < 10; i++) expect((await browser.send(`${app}/__auth/login`)).status).toBe(429);
    expect(outcomes(server)).toMatchObject([{ success: false, reason: "too_many_logins", appId: "app_app" }]);
  });

  test("codes that are made up are failures as well", async () => {
    await using world = await setUp();
    const browser = world.server.browser("203.0.113.9");
    await browser.send(`${app}/__auth/login`);
    for (let i = 0; i < 10; i++)
      expect(await browser.send(`${app}/__auth/callback?code=${i}`)).toMatchObject({ status: 403 });
    expect(world.server.blocks).toMatchObject([{ name: "app", network: "203.0.113.9" }]);
  });

  test("what another site makes a browser ask for blocks nobody", async () => {
    await using world = await setUp();
    const { server, provider } = world;
    const attacker = server.browser("198.51.100.66");
    const victim = server.browser("203.0.113.9");
    for (let i = 0; i < 12; i++) {
      const begun = await attacker.send(`${app}/__auth/login`);
      const { searchParams } = new URL(begun.location ?? "");
      // Browsers send no cookie of ours with what a page of another site loads.
      expect(await victim.send(`${app}/__auth/callback?code=${i}`)).toMatchObject({ status: 403 });
      const refusal = `${redirect}?state=${searchParams.get("state")}&error=access_denied&iss=${encodeURIComponent(provider.issuer)}`;
      expect(await victim.send(refusal)).toMatchObject({ status: 403 });
    }
    expect(server.blocks).toEqual([]);
    expect(await login(world, victim)).toMatchObject({ status: 303, location: "/" });
  });

  test("failed logins are limited: the address is blocked, and the shard is told", async () => {
    await using world = await setUp({ misbehaviour: { sign: "foreign" } });
    const { server } = world;
    const browser = server.browser("203.0.113.9");
    for (let i = 0; i < 10; i++) expect(await login(world, browser)).toMatchObject({ status: 403 });
    const before = outcomes(server).length;
    for (let i = 0; i < 10; i++) {
      expect(await browser.send(`${app}/__auth/login`)).toMatchObject({ status: 429, location: null });
      expect(await browser.send(`${app}/__auth/callback?code=${i}`)).toMatchObject({ status: 403, location: null });
    }
    // However often it goes on, each is one entry a minute.
    expect(outcomes(server).slice(before)).toMatchObject([
      { success: false, reason: "address_blocked" },
      { success: false, reason: "unknown_code" },
    ]);
    expect(server.blocks).toMatchObject([{ name: "app", scope: "app_app", network: "203.0.113.9" }]);
  });
});
