// Who may register for which name, on both engines: credentials, lists, applications, quotas, parallel registrations.

import { describe, expect, test } from "bun:test";
import { createToken } from "../../src/auth/tokens.ts";
import { AppError } from "../../src/lib/errors.ts";
import { shardOf } from "../../src/link/shard-of.ts";
import { describeEngines } from "../helpers/databases.ts";
import { populate } from "../helpers/registry-facts.ts";
import { addKey, allow, openTestRegistry, type Credential } from "../helpers/test-registry.ts";

describeEngines("registration", (open) => {
  test("a granted registration has what the agent needs, and its shard has entry and tickets before the agent knows", async () => {
    await using fresh = await open();
    const { ada } = await populate(fresh);
    await using at = await openTestRegistry(fresh);
    const result = await at.mustRegister(ada, { subdomain: "MyApp", connections: 2 });
    const shard = shardOf("myapp", 3);
    expect(result).toMatchObject({
      ...{ success: true, subdomain: "myapp", url: "https://myapp.tunnel.test" },
      session: {
        url: `wss://tunnel.test/_tunnel/s/${shard}?ticket=${result.ticket}`,
        path: `/_tunnel/s/${shard}`,
        connections: 2,
      },
    });
    expect(result.port).toBeUndefined();
    expect(new Set(result.tickets).size).toBe(2);
    const sent = at.shards.sent.filter(
      ({ message }) => message.type === "ticket" || (message.type === "names" && message.set[0]?.name === "myapp"),
    );
    expect(sent.map(({ shard: to, message }) => `${to} ${message.type}`)).toEqual([
      `${shard} names`,
      `${shard} ticket`,
      `${shard} ticket`,
    ]);
    expect(at.shards.tickets.get(result.ticket)).toMatchObject({
      ...{
        tunnelId: result.tunnelId,
        name: "myapp",
        agentAllow: ["127.0.0.0/8"],
        pool: false,
        appId: null,
      },
      principal: { accountId: ada.id, keyId: null, orgId: ada.orgId },
      expiresAtMs: at.clock.nowMs + 60_000,
    });
    at.shards.open(result.ticket);
    at.shards.open(result.tickets[1]!);
    expect(at.registry.find(result.tunnelId)).toMatchObject({
      ...{ name: "myapp", state: "live", sessions: 2, accountId: ada.id, orgId: ada.orgId },
      agents: [{ actorName: "ada", version: "1.0.0", sessions: 2, address: "127.0.0.1" }],
    });
    expect(at.registry.count()).toBe(1);
    expect(at.audited.map(({ action }) => action)).toEqual(["tunnel.opened"]);
    const row = await fresh.db.kysely
      .selectFrom("accounts")
      .select("last_used_at")
      .where("id", "=", ada.id)
      .executeTakeFirstOrThrow();
    expect(row.last_used_at).toBe(at.clock.nowMs);
  });

  test("names: bounds, reserved ones, any case; without a wish a memorable one is invented", async () => {
    await using fresh = await open();
    const { loner } = await populate(fresh);
    await using at = await openTestRegistry(fresh, { env: { RESERVED_NAMES: "ours" } });
    for (const subdomain of ["-a", "a-", "a_b", "a.b", "ä", "a b", "x".repeat(64)])
      expect([subdomain, await at.refusal(loner, { subdomain })]).toEqual([subdomain, "invalid_name"]);
    for (const subdomain of ["www", "ADMIN", "ours", "xn--bcher-kva"])
      expect([subdomain, await at.refusal(loner, { subdomain })]).toEqual([subdomain, "name_reserved"]);
    expect(await at.refusal(loner, { subdomain: "x".repeat(63) })).toBeNull();
    expect((await at.mustRegister(loner, { agentId: "another-agent" })).subdomain).toMatch(/^[a-z]+-[a-z]+-\d{4}$/);
  });

  test("versions: too old and no version at all are refused, pre-releases are not", async () => {
    await using fresh = await open();
    const { loner } = await populate(fresh);
    await using at = await openTestRegistry(fresh);
    for (const version of ["0.0.9", "latest"]) expect(await at.refusal(loner, { version })).toBe("version_unsupported");
    // Whoever wrote the agent sees which one would do, and what was wrong with theirs.
    expect(await at.register(loner, { version: "1.0" })).toMatchObject({
      message: expect.stringMatching(/0\.1\.0 .*"1\.0"/),
    });
    for (const version of ["0.2.0-beta.1", "1.0.0+build.7"]) expect(await at.refusal(loner, { version })).toBeNull();
  });

  test("an application's name is its organization's; a bound key takes its own when it names none", async () => {
    await using fresh = await open();
    const { ada, orgKey, shopKey, shop } = await populate(fresh);
    await using at = await openTestRegistry(fresh);
    const taken = await at.serve(shopKey);
    expect(taken.subdomain).toBe("shop");
    expect(at.registry.find(taken.tunnelId)).toMatchObject({ appId: shop, keyId: shopKey.id });
    expect(await at.refusal(ada, { subdomain: "shop", agentId: "adas-agent" })).toBe("name_in_use");
    at.shards.lose(taken.tunnelId);
    await Promise.resolve();
    // Another credential of the organization may go on with it once nobody serves it.
    const again = await at.serve(ada, { subdomain: "shop", agentId: "adas-agent" });
    expect(at.registry.find(again.tunnelId)).toMatchObject({ appId: shop, accountId: ada.id });
    expect(await at.refusal(orgKey, { subdomain: "blog" })).toBeNull();
  });

  test("who wants to share a name or port says which: invented ones would be shared by nobody", async () => {
    await using fresh = await open();
    const { ada, orgKey, shopKey } = await populate(fresh);
    await using at = await openTestRegistry(fresh, { env: { TCP_PORTS: "20001,20002" } });
    for (const credential of [ada, orgKey]) {
      expect(await at.refusal(credential, { pool: true })).toBe("pool_needs_name");
      for (const port of [undefined, 20_003])
        expect(await at.refusal(credential, { pool: true, protocol: "tcp", ...(port && { port }) })).toBe(
          "pool_needs_name",
        );
    }
    expect(at.registry.live()).toEqual([]);
    const flags = await Promise.all(
      (["http", "tcp"] as const).map((protocol) => at.register(ada, { pool: true, protocol })),
    );
    expect(flags.map((refusal) => (refusal instanceof AppError ? refusal.message : ""))).toEqual([
      expect.stringContaining("--subdomain NAME"),
      expect.stringContaining("--remote-port PORT"),
    ]);
    // A key of one application has a name.
    expect((await at.serve(shopKey, { pool: true })).subdomain).toBe("shop");
    expect((await at.serve(shopKey, { pool: true, agentId: "agent-two" })).subdomain).toBe("shop");
    expect((await at.serve(ada, { pool: true, subdomain: "mine" })).subdomain).toBe("mine");
    expect((await at.serve(ada, { pool: true, protocol: "tcp", port: 20_002, exactPort: true })).port).toBe(20_002);
  });

  test("an API key's last use is the last registration with it, to the minute, and no refused one", async () => {
    await using fresh = await open();
    const { ada } = await populate(fresh);
    await using at = await openTestRegistry(fresh);
    const key = await addKey(fresh, ada.orgId!);
    const lastUsed = async (): Promise<number> =>
      (
        await fresh.db.kysely
          .selectFrom("api_keys")
          .select("last_used_at")
          .where("id", "=", key.id)
          .executeTakeFirstOrThrow()
      ).last_used_at;
    expect(await at.refusal(key, { address: "192.0.2.1" })).toBe("not_whitelisted");
    expect(await lastUsed()).toBe(0);
    const firstMs = at.clock.nowMs;
    await at.mustRegister(key, { subdomain: "keyed" });
    expect(await lastUsed()).toBe(firstMs);
    at.clock.nowMs += 1_000;
    await at.mustRegister(key, { subdomain: "keyed" });
    expect(await lastUsed()).toBe(firstMs);
    // Or the clock was ahead.
    for (const stepMs of [60_000, -3_600_000]) {
      at.clock.nowMs += stepMs;
      await at.mustRegister(key, { subdomain: "keyed" });
      expect(await lastUsed()).toBe(at.clock.nowMs);
    }
  });

  describe("security", () => {
    test("credentials: unknown, mistyped, revoked, expired, for visitors, of a deactivated account", async () => {
      await using fresh = await open();
      const { acme, ada, loner } = await populate(fresh);
      await using at = await openTestRegistry(fresh);
      const visitorKey = await addKey(fresh, acme, { scope: "visitor" });
      const bothKey = await addKey(fresh, acme, { scope: "both" });
      const expired = await addKey(fresh, acme, { expires_at: at.clock.nowMs });
      const lasting = await addKey(fresh, acme, { expires_at: at.clock.nowMs + 1 });
      await fresh.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", ada.id).execute();
      const wrong = [null, "", "rubbish", createToken("dlt"), createToken("dlk"), `${loner.token.slice(0, -1)}~`];
      for (const bearer of wrong) expect(await at.refusal(bearer)).toBe("bad_token");
      expect(await at.refusal(ada)).toBe("account_inactive");
      expect(await at.refusal(visitorKey)).toBe("scope_forbidden");
      expect(await at.refusal(expired)).toBe("bad_token");
      for (const credential of [loner, bothKey, lasting])
        expect(await at.refusal(credential, { agentId: credential.id })).toBeNull();
      const refusals = at.audited.filter(({ action }) => action === "tunnel.refused");
      expect(refusals).toHaveLength(9);
      expect(refusals.at(-2)).toMatchObject({
        success: false,
        reason: "scope_forbidden",
        address: "127.0.0.1",
        keyId: null,
      });
      expect(JSON.stringify(at.audited)).not.toContain(loner.token.slice(4, 40));
    });

    test("lists: the address is judged before the name, each level counts, the refusal names the address and the way out", async () => {
      await using fresh = await open();
      const { acme, globex, shop, ada, gina, orgKey, shopKey, loner } = await populate(fresh);
      await using at = await openTestRegistry(fresh, { env: { AGENT_WHITELIST: "none" } });
      const refused = await at.register(gina, { subdomain: "shop", address: "192.0.2.1" });
      expect(refused).toBeInstanceOf(AppError);
      expect(refused).toMatchObject({ code: "not_whitelisted" });
      expect((refused as AppError).message).toContain("192.0.2.1");
      expect((refused as AppError).message).toContain("digit-link whitelist add 192.0.2.1");
      for (const subdomain of ["shop", "www", "-", "free"])
        expect(await at.refusal(gina, { subdomain, address: "192.0.2.1" })).toBe("not_whitelisted");

      await allow(fresh, "10.1.0.0/16", { orgId: acme });
      await allow(fresh, "10.2.0.0/16", { orgId: acme, appId: shop });
      await allow(fresh, "10.3.0.0/16", { orgId: acme, accountId: ada.id });
      await allow(fresh, "10.4.0.0/16");
      await allow(fresh, "10.5.0.0/16", { orgId: globex });
      await allow(fresh, "2001:db8::/32", { orgId: acme });
      // organization, application, account, system, another organization, IPv6
      const addresses = ["10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1", "10.5.0.1", "2001:db8::1"];
      const passing: [string, Credential, boolean[]][] = [
        ["account of acme", ada, [true, false, true, true, false, true]],
        ["key of acme", orgKey, [true, false, false, true, false, true]],
        ["key of shop", shopKey, [true, true, false, true, false, true]],
        ["account of globex", gina, [false, false, false, true, true, false]],
        ["account of nobody", loner, [false, false, false, true, false, false]],
      ];
      for (const [who, credential, expected] of passing) {
        const got: boolean[] = [];
        for (const address of addresses)
          got.push((await at.refusal(credential, { address, agentId: credential.id })) === null);
        expect([who, got]).toEqual([who, expected]);
      }
    });

    test("no credential opens another organization's application, nor a bound key anything but its own", async () => {
      await using fresh = await open();
      const { shopKey, gina, loner, ada, shop } = await populate(fresh);
      await using at = await openTestRegistry(fresh);
      expect(await at.refusal(gina, { subdomain: "shop" })).toBe("name_taken");
      expect(await at.refusal(loner, { subdomain: "SHOP" })).toBe("name_taken");
      expect(await at.refusal(shopKey, { subdomain: "blog" })).toBe("application_forbidden");
      expect(await at.refusal(shopKey, { subdomain: "free" })).toBe("application_forbidden");
      expect(await at.refusal(shopKey, { protocol: "tcp" })).toBe("application_forbidden");
      await fresh.db.kysely.updateTable("applications").set({ is_active: 0 }).where("id", "=", shop).execute();
      expect(await at.refusal(ada, { subdomain: "shop" })).toBe("application_forbidden");
      expect(at.shards.tickets.size).toBe(0);
    });

    test("a leased name is refused to everybody else, of the same organization too, and in the database as well", async () => {
      await using fresh = await open();
      const { ada, orgKey, gina } = await populate(fresh);
      await using at = await openTestRegistry(fresh);
      await at.serve(ada, { subdomain: "mine" });
      for (const other of [orgKey, gina]) expect(await at.refusal(other, { subdomain: "mine" })).toBe("name_taken");
      const now = at.clock.nowMs;
      const row = await fresh.db.kysely
        .selectFrom("leases")
        .selectAll()
        .where("name", "=", "mine")
        .executeTakeFirstOrThrow();
      expect(row).toMatchObject({ holder_id: ada.id, free_at: null, random: 0 });
      // A lease that only the database knows: another server of it.
      await fresh.db.kysely
        .insertInto("leases")
        .values({ ...row, name: "theirs", tunnel_id: "tun_other" })
        .execute();
      expect(await at.refusal(gina, { subdomain: "theirs" })).toBe("name_taken");
      await fresh.db.kysely.updateTable("leases").set({ free_at: now }).where("name", "=", "theirs").execute();
      expect(await at.refusal(gina, { subdomain: "theirs" })).toBeNull();
    });
  });
});
