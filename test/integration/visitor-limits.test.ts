// Guessing at a visitor policy, and policies and databases that fail: counted, blocked, denied.

import { describe, expect, test } from "bun:test";
import { createLimiter } from "../../src/auth/limiter.ts";
import { createToken, hashToken } from "../../src/auth/tokens.ts";
import { createLimiterStore } from "../../src/db/limiter.ts";
import { networkOf } from "../../src/lib/cidr.ts";
import type { Ask } from "../../src/link/messages.ts";
import { unnamed } from "../helpers/api.ts";
import { addKey, askBasic, askSession, basic, right } from "../helpers/visitor-asks.ts";
import { orgId, startVisitorServer } from "../helpers/visitor-server.ts";

const app = "http://app.tunnel.localhost";

describe("security", () => {
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
    for (let i = 0; i < 20; i++)
      expect(await browser.send(`${app}/__auth/basic`, { form: { ...right } })).toMatchObject({ status: 429 });
    const attempts = server.audited.filter(({ action }) => action === "visitor.auth");
    // Ten failures, the last of them with the block; then one for all that came while it stood.
    expect(attempts.map(({ reason }) => reason)).toEqual([
      ...Array(9).fill("wrong_credential"),
      ...["address_blocked", "address_blocked"],
    ]);
    expect(await askBasic(server, right, "203.0.113.6")).toMatchObject({ kind: "allow" });
    expect(server.blocks).toMatchObject([{ name: "app", scope: "app_app", network: "203.0.113.5" }]);
    server.clock.offsetMs += 30 * 60_000 + 1;
    expect(await askBasic(server, right, "203.0.113.5")).toMatchObject({ kind: "allow" });
  });

  test("wrong keys count as well: ten of them block the address, and only that one", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", { authType: "api_key" });
    const key = await addKey(server, {});
    const ask = (given: string, address: string) =>
      server.auth.answer({
        kind: "api_key",
        name: "app",
        appId: "app_app",
        orgId,
        key: given,
        address,
        network: address,
      });
    const answers = [];
    for (let i = 0; i < 10; i++) answers.push((await ask(createToken("dlk"), "203.0.113.5")).kind);
    expect(answers).toEqual([...Array(9).fill("deny"), "blocked"]);
    for (const given of [key, createToken("dlk")])
      expect(await ask(given, "203.0.113.5")).toMatchObject({ kind: "blocked" });
    expect(await ask(key, "203.0.113.6")).toMatchObject({ kind: "allow" });
    expect(server.blocks).toMatchObject([{ name: "app", network: "203.0.113.5" }]);
    expect(server.audited.filter(({ authType }) => authType === "limiter")).toHaveLength(1);
  });

  test("an address that stands for everybody behind a proxy is not counted; all of an IPv6 /64 is one", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const wrong = { ...right, password: "x" };
    const asker = { address: "10.0.0.1", network: null };
    const behindProxy = server.browser("10.0.0.1");
    const failure: Ask = { kind: "failure", of: "basic", name: "app", appId: "app_app", ...asker };
    const key: Ask = { kind: "api_key", name: "app", appId: "app_app", orgId, key: "dlk_x", ...asker };
    for (let i = 0; i < 12; i++) {
      const ask: Ask = { kind: "basic", name: "app", appId: "app_app", ...wrong, ...asker };
      expect(await server.auth.answer(ask)).toMatchObject({ kind: "deny" });
      expect(await server.auth.answer(failure)).toMatchObject({ kind: "deny" });
      expect(await server.auth.answer(key)).toMatchObject({ kind: "deny" });
      const form = await behindProxy.send(`${app}/__auth/basic`, { form: wrong, headers: unnamed });
      expect(form.status).toBe(401);
    }
    expect(server.blocks).toEqual([]);

    for (let i = 0; i < 10; i++) await askBasic(server, wrong, `2001:db8:0:1::${i}`);
    expect(await askBasic(server, right, "2001:db8:0:1:a:b:c:d")).toMatchObject({ kind: "blocked" });
    expect(await askBasic(server, right, "2001:db8:0:2::1")).toMatchObject({ kind: "allow" });
    expect(server.blocks).toMatchObject([{ network: networkOf("2001:db8:0:1::") }]);
  });

  test("right credentials are never refused, however many come at once; wrong ones get ten tries", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const browser = server.browser("203.0.113.5");
    const both = (password: string) => [
      askBasic(server, { ...right, password }, "203.0.113.5"),
      browser.send(`${app}/__auth/basic`, { form: { ...right, password } }),
    ];
    const rightOnes = await Promise.all(Array.from({ length: 12 }, () => both(right.password)).flat());
    const outcomes = rightOnes.map((answer) => ("kind" in answer ? answer.kind : answer.status));
    expect(outcomes).toEqual(Array(12).fill(["allow", 303]).flat());
    const wrongOnes = await Promise.all(Array.from({ length: 12 }, (_, i) => both(`${i}`)).flat());
    const refused = wrongOnes.filter((answer) =>
      "kind" in answer ? answer.kind === "blocked" : "status" in answer && answer.status === 429,
    );
    // The tenth wrong one blocks, and is told so.
    expect(refused).toHaveLength(24 - 9);
  });

  test("blocks and counts survive a restart", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    for (let i = 0; i < 10; i++) await askBasic(server, { ...right, password: `${i}` }, "203.0.113.5");
    const nowMs = () => Date.now();
    server.deps.limiter = createLimiter({ store: createLimiterStore(server.db.kysely, 24 * 3_600_000), nowMs });
    await server.deps.limiter.restore();
    const limit = await server.deps.limiter.begin([
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
    const failure: Ask = {
      kind: "failure",
      of: "basic",
      name: "app",
      appId: "app_app",
      address: "127.0.0.1",
      network: "127.0.0.1",
    };
    for (let i = 0; i < 8; i++) expect(await server.auth.answer(failure)).toMatchObject({ kind: "deny" });
    expect(await server.auth.answer(failure)).toMatchObject({ kind: "blocked", retryAfterMs: 1_800_000 });
  });

  test("an organization's limiter is its applications' and its ad-hoc tunnels', unless one has its own", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const common = { org_id: orgId, enabled: 1 as const, window_seconds: 60, updated_at: 0 };
    const set = (owner: string, appId: string | null, max_attempts: number, block_seconds: number) =>
      server.db.kysely
        .insertInto("rate_limits")
        .values({ ...common, owner_id: owner, app_id: appId, max_attempts, block_seconds })
        .execute();
    await set(orgId, null, 2, 120);
    await askBasic(server, { ...right, password: "x" });
    expect(await askBasic(server, { ...right, password: "y" })).toEqual({ kind: "blocked", retryAfterMs: 120_000 });
    expect(await server.inForce.compileForName("app")).toMatchObject({ limiter: { maxAttempts: 2, blockMs: 120_000 } });
    const adHoc = { name: "ad-hoc", appId: null, orgId, authMode: null, isActive: true };
    await server.policies.putPolicy(
      { orgId, appId: null },
      { authType: "api_key" },
      { actorId: "acc_admin", actorName: "admin" },
    );
    expect(await server.inForce.compileForOwner(adHoc)).toMatchObject({ limiter: { maxAttempts: 2 } });
    await set("app_app", "app_app", 50, 60);
    expect(await server.inForce.compileForName("app")).toMatchObject({ limiter: { maxAttempts: 50, blockMs: 60_000 } });
  });

  test("an application's own limiter, and none", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    const limits = { max_attempts: 2, window_seconds: 60, block_seconds: 60, updated_at: 0 };
    await server.db.kysely
      .insertInto("rate_limits")
      .values({ owner_id: "app_app", org_id: orgId, app_id: "app_app", enabled: 1, ...limits })
      .execute();
    await askBasic(server, { ...right, password: "x" });
    expect(await askBasic(server, { ...right, password: "y" })).toEqual({ kind: "blocked", retryAfterMs: 60_000 });
    await server.db.kysely.updateTable("rate_limits").set({ enabled: 0 }).execute();
    for (let i = 0; i < 5; i++)
      expect(await askBasic(server, { ...right, password: `${i}` })).toMatchObject({ kind: "deny" });
    expect(await askBasic(server, right)).toMatchObject({ kind: "allow" });
    // Without a limiter nothing ends the guesses: they are one entry a minute.
    expect(server.audited.filter(({ reason }) => reason === "wrong_credential")).toHaveLength(2);

    // Nor are they held against an address once there is one.
    for (let i = 0; i < 5; i++) await askBasic(server, { ...right, password: `${i}` }, "203.0.113.9");
    await server.db.kysely.updateTable("rate_limits").set({ enabled: 1 }).execute();
    for (const kind of ["deny", "blocked"])
      expect(await askBasic(server, { ...right, password: "x" }, "203.0.113.9")).toMatchObject({ kind });
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
          network: "127.0.0.1",
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
    expect((await server.inForce.compileForName("app")).kind).toBe("basic");
    await server.db.kysely.schema.dropTable("rate_limits").execute();
    expect((await server.inForce.compileForName("app")).kind).toBe("deny");
  });

  test("a new or revoked key changes the compiled version", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", { authType: "api_key" });
    const version = async () => {
      const compiled = await server.inForce.compileForName("app");
      return "version" in compiled ? compiled.version : "";
    };
    const seen = [await version()];
    const older = await addKey(server, {});
    seen.push(await version());
    await addKey(server, {});
    seen.push(await version());
    await server.db.kysely.deleteFrom("api_keys").where("key_hash", "=", hashToken(older)).execute();
    seen.push(await version());
    expect(new Set(seen).size).toBe(4);
    await server.db.kysely.deleteFrom("api_keys").execute();
    expect(await version()).toBe(seen[0]!);
  });
});
