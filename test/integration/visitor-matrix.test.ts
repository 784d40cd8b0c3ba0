// Every kind of policy × how it came to apply × every credential × method × path: what the shard's judge lets through,
// with main's real answers behind it.

import { describe, expect, test } from "bun:test";
import { createToken, hashToken } from "../../src/auth/tokens.ts";
import { AppError } from "../../src/lib/errors.ts";
import type { NameEntry } from "../../src/link/messages.ts";
import { judge } from "../../workers/policy/judge.ts";
import { createPolicyState } from "../../workers/policy/state.ts";
import type { Verdict } from "../../workers/policy/verdict.ts";
import { eventually } from "../helpers/eventually.ts";
import { readRequest } from "../helpers/policy-judge.ts";
import { addKey, basic, right } from "../helpers/visitor-asks.ts";
import { orgId, startVisitorServer, type VisitorServer } from "../helpers/visitor-server.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"];
const targets = [
  "/",
  "/a?b=c",
  "//",
  "/%2e%2e/",
  "/__auth/../x",
  "/health/../x",
  "/__AUTH/login",
  "/a;b",
  "/%00",
  "/__auth/other",
  "/__auth/login/",
];
const basicAuth = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

/** Which credentials pass under which policy; all others must not. */
const passes: Record<string, string[]> = {
  "custom basic": ["right basic", "session"],
  "custom basic + keys": ["right basic", "session", "right key", "right key as bearer", "organization's key"],
  "custom api_key": ["right key", "right key as bearer", "organization's key"],
  "inherit api_key": ["right key", "right key as bearer", "organization's key"],
  "custom oidc": [],
  "custom, missing": [],
};

describe("security", () => {
  test.each(Object.entries(passes))("%s", async (policy, allowed) => {
    await using world = await setUp(policy);
    const credentials = await credentialsOf(world.server);
    let count = 0;
    for (const [credential, headers] of Object.entries(credentials)) {
      for (const method of methods) {
        for (const target of targets) {
          count += 1;
          // Each from an address of its own: here it is about credentials, not about the limiter.
          const address = `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`;
          const verdict = await world.run(method, target, headers, address);
          const passed = verdict.kind === "pass";
          expect({ credential, method, target, passed }).toEqual({
            credential,
            method,
            target,
            passed: allowed.includes(credential),
          });
        }
      }
    }
    expect(count).toBe(Object.keys(credentials).length * methods.length * targets.length);
  });

  test("disabled and an organization without a policy are open; then our paths are the application's", async () => {
    for (const mode of ["disabled", "inherit"] as const) {
      await using server = await startVisitorServer();
      await server.db.kysely.updateTable("applications").set({ auth_mode: mode }).execute();
      const run = await judgeOf(server);
      for (const target of [...targets, "/__auth/login"])
        expect(await run("GET", target, {}, "127.0.0.1")).toMatchObject({ kind: "pass" });
    }
  });

  test("a revoked key is out with the next version of the policy, and after three seconds in any case", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", { authType: "api_key" });
    const headers = { "x-api-key": await addKey(server, {}) };
    const run = await judgeOf(server);
    expect(await run("GET", "/", headers, "127.0.0.1")).toMatchObject({ kind: "pass" });
    await server.db.kysely.deleteFrom("api_keys").execute();
    expect(await run("GET", "/", headers, "127.0.0.1")).toMatchObject({ kind: "pass" });
    const renewed = await judgeOf(server);
    expect(await renewed("GET", "/", headers, "127.0.0.1")).toMatchObject({ kind: "refuse" });
    server.clock.offsetMs += 3_001;
    expect(await run("GET", "/", headers, "127.0.0.1")).toMatchObject({ kind: "refuse" });
  });

  test("a page of a hundred assets costs one hash", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    let hashes = 0;
    const { verify } = server.deps.passwords;
    server.deps.passwords.verify = (password, hash) => {
      hashes += 1;
      return verify(password, hash);
    };
    const run = await judgeOf(server);
    const all = Array.from({ length: 100 }, (_, i) =>
      run("GET", `/asset/${i}`, basicAuth("ada", "visitor-secret"), "127.0.0.1"),
    );
    expect((await Promise.all(all)).every(({ kind }) => kind === "pass")).toBe(true);
    expect(hashes).toBe(1);
  });

  test("ten wrong requests block the address at the shard, even when they repeat one guess", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    // The answer to a repeat comes behind the refusal: when it is here, and was heard.
    let answered = 0;
    const { answer } = server.auth;
    server.auth.answer = (ask) => {
      const given = answer(ask);
      void given.finally(() => setImmediate(() => (answered += 1)));
      return given;
    };
    const run = await judgeOf(server);
    const guess = () => run("GET", "/", basicAuth("ada", "wrong-guess"), "127.0.0.1");
    const codes: string[] = [];
    for (let i = 0; i < 12; i++) {
      const verdict = await guess();
      codes.push(verdict.kind === "refuse" ? verdict.code : verdict.kind);
      await eventually(() => answered === Math.min(i + 1, 10), "the guess is counted");
    }
    expect(codes.slice(0, 10)).toEqual(Array(10).fill("unauthorized"));
    expect(codes.slice(10)).toEqual(["rate_limited", "rate_limited"]);
    expect(await run("GET", "/", basicAuth("ada", "visitor-secret"), "127.0.0.1")).toMatchObject({
      code: "rate_limited",
    });
  });

  test("a password that nobody has time to check is refused, is no failure, and is in the log", async () => {
    await using server = await startVisitorServer();
    await server.setPolicy("app", basic);
    server.deps.passwords.verify = () => Promise.reject(new AppError("unavailable"));
    const browser = server.browser("127.0.0.1");
    for (let i = 0; i < 12; i++) {
      const { status } = await browser.send("http://app.tunnel.localhost/__auth/basic", { form: { ...right } });
      expect(status).toBe(503);
    }
    expect(server.audited.filter(({ action }) => action === "visitor.auth")).toMatchObject([
      { success: false, authType: "basic", reason: "unavailable", address: "127.0.0.1", appId: "app_app" },
    ]);
  });
});

async function setUp(policy: string) {
  const server = await startVisitorServer({ apps: ["app", "sibling"] });
  await server.addApplication("foreign", "org_b");
  if (policy === "custom basic") await server.setPolicy("app", basic);
  if (policy === "custom basic + keys") await server.setPolicy("app", { ...basic, apiKeyEnabled: true });
  if (policy === "custom api_key") await server.setPolicy("app", { authType: "api_key" });
  if (policy === "custom oidc") {
    await server.setPolicy("app", { authType: "oidc", oidcIssuerUrl: "http://127.0.0.1:1", oidcClientId: "c" });
  }
  if (policy === "inherit api_key") {
    await server.policies.putPolicy({ orgId, appId: null }, { authType: "api_key" }, {});
    await server.db.kysely
      .updateTable("applications")
      .set({ auth_mode: "inherit" })
      .where("id", "=", "app_app")
      .execute();
  }
  return { server, run: await judgeOf(server), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Credentials for `app` of every sort. The session is one of the login form, where the policy has one. */
async function credentialsOf(server: VisitorServer): Promise<Record<string, Record<string, string>>> {
  const browser = server.browser("10.255.0.1");
  await browser.send("http://app.tunnel.localhost/__auth/basic", { form: { ...right } });
  const session = browser.cookies("app.tunnel.localhost")["dl_visitor"] ?? "s".repeat(43);
  const key = await addKey(server, { app_id: "app_app" });
  const foreign = await addKey(server, { scope: "both" });
  await server.db.kysely
    .updateTable("api_keys")
    .set({ org_id: "org_b" })
    .where("key_hash", "=", hashToken(foreign))
    .execute();
  return {
    none: {},
    "right basic": basicAuth("ada", "visitor-secret"),
    "wrong password": basicAuth("ada", "visitor-secret2"),
    "wrong user": basicAuth("Ada", "visitor-secret"),
    "no colon": { authorization: `Basic ${btoa("ada")}` },
    "right key": { "x-api-key": key },
    "right key as bearer": { authorization: `Bearer ${key}` },
    "organization's key": { "x-api-key": await addKey(server, {}) },
    "unknown key": { "x-api-key": createToken("dlk") },
    "agent's key": { "x-api-key": await addKey(server, { scope: "tunnel" }) },
    "expired key": { "x-api-key": await addKey(server, { expires_at: Date.now() - 1 }) },
    "sibling's key": { "x-api-key": await addKey(server, { app_id: "app_sibling" }) },
    "other organization's key": { "x-api-key": foreign },
    session: { cookie: `a=1; dl_visitor=${session}` },
    "session twice": { cookie: `dl_visitor=${session}; dl_visitor=${session}` },
    "made-up session": { cookie: `dl_visitor=${"x".repeat(43)}` },
    "session as bearer": { authorization: `Bearer ${session}` },
  };
}

/** A shard that has just been told the policy of `app`. */
async function judgeOf(server: VisitorServer) {
  const state = createPolicyState({ scheme: "http", ask: (ask) => server.auth.answer(ask), nowMs: server.deps.nowMs });
  const policy = await server.inForce.compileForName("app");
  const entry: NameEntry = { name: "app", appId: "app_app", orgId, policy, heldUntilMs: 0 };
  return async (method: string, target: string, headers: Record<string, string>, address: string): Promise<Verdict> =>
    judge(readRequest({ method, target, headers, address, network: address }), entry, state);
}
