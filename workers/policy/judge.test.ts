// Tests of the judge of visitors: the order of its steps, what it remembers, what it asks, and what it never lets through.

import { describe, expect, test } from "bun:test";
import { networkOf } from "../../src/lib/cidr.ts";
import type { Answer } from "../../src/link/messages.ts";
import { allow, basicAuth, deny, protectedPolicy, session, setUp } from "../../test/helpers/policy-judge.ts";

describe("judge", () => {
  test("an open name passes without a promise and without a question", () => {
    const { ask, run } = setUp({ kind: "open" });
    expect(run({})).toEqual({ kind: "pass", user: null, email: null, strip: "keys" });
    expect(ask).toEqual([]);
  });

  test("our paths belong to the application behind an open name", () => {
    const { run } = setUp({ kind: "open" });
    expect(run({ target: "/__auth/login" })).toMatchObject({ kind: "pass" });
  });

  test("a credential is asked about once, then remembered without a promise", async () => {
    const { ask, run } = setUp(protectedPolicy("oidc"));
    const headers = { cookie: `dl_visitor=${session}` };
    expect(await run({ headers })).toMatchObject({ kind: "pass", user: "ada", email: "ada@example.com" });
    const again = run({ headers });
    expect(again).not.toBeInstanceOf(Promise);
    expect(again).toMatchObject({ kind: "pass" });
    expect(ask).toEqual([
      { kind: "session", name: "app", appId: "app_1", session, address: "192.0.2.1", network: "192.0.2.1" },
    ]);
  });

  test("one question for the same credential asked many times at once", async () => {
    const { ask, run } = setUp(protectedPolicy("basic"));
    const verdicts = await Promise.all(
      Array.from({ length: 100 }, () => run({ headers: { authorization: basicAuth } })),
    );
    expect(verdicts.every((verdict) => verdict.kind === "pass")).toBe(true);
    expect(ask).toHaveLength(1);
  });

  test("browsers are sent to the login, programs get 401 with the scheme", () => {
    const oidc = setUp(protectedPolicy("oidc"));
    const location = "/__auth/login?to=%2Fa%3Fb%3D1";
    expect(oidc.run({ target: "/a?b=1", wantsHtml: true })).toEqual({ kind: "redirect", location });
    expect(oidc.run({ wantsHtml: true, method: "POST" })).toMatchObject({ kind: "refuse", code: "unauthorized" });
    const basic = setUp(protectedPolicy("basic"));
    expect(basic.run({ wantsHtml: true })).toMatchObject({ kind: "redirect", location: "/__auth/basic?to=%2F" });
    expect(basic.run({})).toMatchObject({
      kind: "refuse",
      code: "unauthorized",
      headers: [["WWW-Authenticate", 'Basic realm="digit-link", charset="UTF-8"']],
    });
    expect(setUp(protectedPolicy("api_key")).run({ wantsHtml: true })).toMatchObject({ code: "unauthorized" });
  });

  test("an API key by either header; what isn't ours is the application's business where keys are an addition", async () => {
    const { ask, run } = setUp({ ...protectedPolicy("oidc"), apiKeys: true });
    expect(await run({ headers: { "x-api-key": "dlk_a" } })).toMatchObject({ kind: "pass" });
    expect(await run({ headers: { authorization: "Bearer dlk_b" } })).toMatchObject({ kind: "pass" });
    expect(await run({ headers: { "x-api-key": "theirs", authorization: "Bearer theirs" } })).toMatchObject({
      code: "unauthorized",
    });
    expect(ask.map((one) => (one.kind === "api_key" ? one.key : ""))).toEqual(["dlk_a", "dlk_b"]);
  });

  test("an ended session leads to the login and not to a failure", async () => {
    const { ask, run } = setUp(protectedPolicy("oidc"), { answer: deny });
    const request = { headers: { cookie: `dl_visitor=${session}` }, wantsHtml: true };
    expect(await run(request)).toMatchObject({ kind: "redirect" });
    expect(await run(request)).toMatchObject({ kind: "redirect" });
    expect(ask.map((one) => one.kind)).toEqual(["session"]);
  });

  test("relays our own paths where a policy applies, and only those", () => {
    const { run } = setUp(protectedPolicy("oidc"));
    expect(run({ target: "/__auth/callback?code=1" })).toEqual({ kind: "relay" });
    expect(run({ target: "/__auth/other" })).toMatchObject({ kind: "refuse" });
  });

  test("logging out forgets the session here", async () => {
    const { ask, run } = setUp(protectedPolicy("oidc"));
    const headers = { cookie: `dl_visitor=${session}` };
    await run({ headers });
    expect(run({ headers, method: "POST", target: "/__auth/logout" })).toEqual({ kind: "relay" });
    await run({ headers });
    expect(ask).toHaveLength(2);
  });

  test("a preflight passes only where the policy says so", () => {
    const preflight = {
      method: "OPTIONS",
      headers: { origin: "https://a.example", "access-control-request-method": "PUT" },
    };
    expect(setUp(protectedPolicy("oidc")).run(preflight)).toMatchObject({ code: "unauthorized" });
    const { run } = setUp({ ...protectedPolicy("oidc"), allowPreflight: true });
    expect(run(preflight)).toEqual({ kind: "pass", user: null, email: null, strip: "keys+basic" });
    expect(run({ ...preflight, method: "GET" })).toMatchObject({ code: "unauthorized" });
    expect(run({ method: "OPTIONS", headers: { origin: "https://a.example" } })).toMatchObject({
      code: "unauthorized",
    });
  });
});

describe("security", () => {
  test("a missing or broken policy lets nobody pass", () => {
    const { run, ask } = setUp({ kind: "deny" });
    expect(run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({
      kind: "refuse",
      code: "policy_denied",
    });
    expect(run({ target: "/__auth/login" })).toMatchObject({ kind: "refuse" });
    expect(ask).toEqual([]);
  });

  test("ranges come first: a valid credential doesn't help, nor do our own paths", () => {
    for (const ranges of [{ denyIps: ["192.0.2.0/24"] }, { allowIps: ["198.51.100.7"] }]) {
      const { run, ask } = setUp({ ...protectedPolicy("oidc"), allowPreflight: true, ...ranges });
      const denied = { kind: "refuse", code: "policy_denied", refusal: { rule: "address_denied" } };
      expect(run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject(denied);
      expect(run({ target: "/__auth/login" })).toMatchObject(denied);
      expect(ask).toEqual([]);
    }
    const { run } = setUp({ ...protectedPolicy("oidc"), denyIps: ["192.0.2.1"] });
    expect(run({ address: "192.0.2.2" })).toMatchObject({ code: "unauthorized" });
  });

  test("deny wins over allow, and an address that can't be read never matches an allow list", () => {
    const { run } = setUp({ ...protectedPolicy("oidc"), allowIps: ["192.0.2.0/24"], denyIps: ["192.0.2.1"] });
    expect(run({ address: "192.0.2.2" })).toMatchObject({ code: "unauthorized" });
    expect(run({})).toMatchObject({ code: "policy_denied" });
    expect(run({ address: "unknown" })).toMatchObject({ code: "policy_denied" });
  });

  test("two cookies of one name are none, and the other scheme's name is none", () => {
    const { run, ask } = setUp(protectedPolicy("oidc"));
    for (const cookie of [
      `dl_visitor=${session}; dl_visitor=${session}`,
      `__Host-dl_visitor=${session}`,
      `dl_visitor=short`,
    ]) {
      expect(run({ headers: { cookie } })).toMatchObject({ code: "unauthorized" });
    }
    const https = setUp(protectedPolicy("oidc"), { scheme: "https" });
    expect(https.run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({ code: "unauthorized" });
    expect(ask).toEqual([]);
  });

  test("what is judged after a question is this request's, whoever's head is in the buffer by then", async () => {
    const { run, ask } = setUp(protectedPolicy("basic"), { answer: deny });
    const authorization = `Basic ${btoa("eve:guess")}`;
    const others = { method: "POST", target: "/other", headers: { authorization, "x-api-key": "dlk_other" } };
    const verdict = run({ headers: { cookie: `dl_visitor=${session}` }, wantsHtml: true, target: "/mine" });
    const other = run(others);
    expect(await verdict).toEqual({ kind: "redirect", location: "/__auth/basic?to=%2Fmine" });
    expect(await other).toMatchObject({ code: "unauthorized" });
    expect(ask.map(({ kind }) => kind)).toEqual(["session", "basic"]);

    const late = run({ headers: { cookie: `dl_visitor=${"t".repeat(43)}`, authorization: basicAuth } });
    void run({});
    await late;
    expect(ask.at(-1)).toMatchObject({ kind: "basic", username: "ada", password: "secret" });
  });

  test("a new version of the policy forgets every verdict", async () => {
    const { run, ask, entry } = setUp(protectedPolicy("oidc"));
    const headers = { cookie: `dl_visitor=${session}` };
    await run({ headers });
    entry.policy = { ...protectedPolicy("oidc"), version: "v2" };
    await run({ headers });
    expect(ask).toHaveLength(2);
  });

  test("a verdict of one name, or of one kind of credential, is none of another", async () => {
    const { run, ask, entry } = setUp({ ...protectedPolicy("basic"), apiKeys: true });
    await run({ headers: { cookie: `dl_visitor=${session}` } });
    entry.name = "sibling";
    await run({ headers: { cookie: `dl_visitor=${session}` } });
    await run({ headers: { "x-api-key": `dlk_${session}` } });
    expect(ask.map((one) => `${one.name} ${one.kind}`)).toEqual(["app session", "sibling session", "sibling api_key"]);
  });

  test("verdicts end after the time that main gave them", async () => {
    const { run, ask, clock } = setUp(protectedPolicy("oidc"));
    const headers = { cookie: `dl_visitor=${session}` };
    await run({ headers });
    clock.ms += 60_001;
    await run({ headers });
    expect(ask).toHaveLength(2);
  });

  test("a wrong credential is remembered, refused at once, and counted each time", async () => {
    const { run, ask } = setUp(protectedPolicy("basic"), { answer: deny });
    // Main has told of what it judged; the shard tells of what it knew.
    const again = { rule: "wrong_credential", credential: { authType: "basic", identity: "ada" } };
    for (const refusal of [null, again, again]) {
      expect(await run({ headers: { authorization: basicAuth } })).toMatchObject({ code: "unauthorized", refusal });
    }
    expect(ask.map((one) => one.kind)).toEqual(["basic", "failure", "failure"]);
  });

  test("a blocked address gets 429 with Retry-After until the block ends; others don't", async () => {
    const { run, clock, state } = setUp(protectedPolicy("basic"), {
      answer: { kind: "blocked", retryAfterMs: 30_000 },
    });
    const headers = { authorization: basicAuth };
    const blocked = { code: "rate_limited", headers: [["Retry-After", "30"]] };
    expect(await run({ headers })).toMatchObject(blocked);
    expect(run({})).toMatchObject(blocked);
    expect(run({ address: "192.0.2.2" })).toMatchObject({ code: "unauthorized" });
    clock.ms += 30_001;
    expect(run({})).toMatchObject({ code: "unauthorized" });
    state.block("app_1", "192.0.2.3", clock.ms + 1_000);
    expect(run({ address: "192.0.2.3" })).toMatchObject({ code: "rate_limited" });
    state.block("app_1", "192.0.2.3", 0);
    expect(run({ address: "192.0.2.3" })).toMatchObject({ code: "unauthorized" });
  });

  test("all of an IPv6 /64 shares a block, and an address that stands for everybody behind a proxy has none", async () => {
    const blocking = { answer: { kind: "blocked", retryAfterMs: 30_000 } } as const;
    const headers = { authorization: basicAuth };
    const ipv6 = setUp(protectedPolicy("basic"), blocking);
    expect(await ipv6.run({ headers, address: "2001:db8:0:1::1" })).toMatchObject({ code: "rate_limited" });
    expect(ipv6.run({ address: "2001:db8:0:1:a:b:c:d" })).toMatchObject({ code: "rate_limited" });
    expect(ipv6.run({ address: "2001:db8:0:2::1" })).toMatchObject({ code: "unauthorized" });
    ipv6.state.block("app_1", networkOf("2001:db8:0:3::9"), ipv6.clock.ms + 1_000);
    expect(ipv6.run({ address: "2001:db8:0:3::1" })).toMatchObject({ code: "rate_limited" });

    const proxy = setUp(protectedPolicy("basic"), { answer: deny });
    for (let i = 0; i < 3; i++) {
      expect(await proxy.run({ headers, network: null })).toMatchObject({ code: "unauthorized" });
    }
    expect(proxy.ask).toMatchObject([{ kind: "basic", address: "192.0.2.1", network: null }]);
  });

  test("a valid session is never locked out by the limiter", async () => {
    const { run, state, clock } = setUp(protectedPolicy("basic"));
    state.block("app_1", "192.0.2.1", clock.ms + 60_000);
    expect(await run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({ kind: "pass" });
    expect(run({ headers: { authorization: basicAuth } })).toMatchObject({ code: "rate_limited" });
  });

  test("no answer, a failing main, and too many questions refuse", async () => {
    const failing = setUp(protectedPolicy("oidc"), { reply: () => Promise.reject(new Error("gone")) });
    const headers = { cookie: `dl_visitor=${session}` };
    expect(await failing.run({ headers })).toMatchObject({ kind: "refuse", code: "unavailable" });
    const silent = setUp(protectedPolicy("oidc"), {
      reply: () => new Promise(() => {}),
      askTimeoutMs: 5,
      maxInFlight: 2,
    });
    const runs = Array.from({ length: 4 }, (_, i) =>
      silent.run({ headers: { cookie: `dl_visitor=${i}${session.slice(1)}` } }),
    );
    const verdicts = await Promise.all(runs);
    expect(verdicts.map((verdict) => verdict.kind === "refuse" && verdict.code)).toEqual(Array(4).fill("unavailable"));
    expect(silent.ask).toHaveLength(2);
    expect(await setUp(protectedPolicy("oidc"), { answer: { kind: "unavailable" } }).run({ headers })).toMatchObject({
      code: "unavailable",
    });
  });

  test("an identity can't break out of its header", async () => {
    const evil: Answer = { ...allow, user: "a\r\nX-Admin: 1", email: "ü\u0000\ud800@x" };
    const { run } = setUp(protectedPolicy("oidc"), { answer: evil });
    const verdict = await run({ headers: { cookie: `dl_visitor=${session}` } });
    expect(verdict).toMatchObject({ user: "a%0D%0AX-Admin%3A%201", email: "%C3%BC%00%EF%BF%BD%40x" });
  });

  test("a basic policy's own credential never goes on, even beside a session", async () => {
    const { run } = setUp(protectedPolicy("basic"));
    const headers = { cookie: `dl_visitor=${session}`, authorization: basicAuth };
    expect(await run({ headers })).toMatchObject({ kind: "pass", strip: "keys+basic" });
  });

  test("path tricks are judged like any path", () => {
    const { run } = setUp(protectedPolicy("oidc"));
    for (const target of [
      "/__auth/../x",
      "/__AUTH/login",
      "//__auth/login",
      "/%5f_auth/login",
      "/health/../x",
      "/__auth/login/",
    ]) {
      expect({ target, verdict: run({ target }) }).toMatchObject({ target, verdict: { code: "unauthorized" } });
    }
  });
});
