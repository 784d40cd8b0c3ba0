// Tests of what is read as a credential, for whom it is asked about, and what comes of the answer.

import { describe, expect, test } from "bun:test";
import { networkOf } from "../../src/lib/cidr.ts";
import type { Answer, Ask } from "../../src/link/messages.ts";
import type { ProtectedPolicy } from "../../src/policy/types.ts";
import { allow, basicAuth, deny, protectedPolicy, session, setUp } from "../../test/helpers/policy-judge.ts";

test("where a key is all that opens, one of any shape is judged", async () => {
  const { ask, run } = setUp(protectedPolicy("api_key"), { answer: deny });
  expect(await run({ headers: { "x-api-key": "theirs" } })).toMatchObject({ code: "unauthorized" });
  expect(ask).toMatchObject([{ kind: "api_key", key: "theirs" }]);
});

test("a page whose address is too long to be carried along leads back to the root", () => {
  const { run } = setUp(protectedPolicy("basic"));
  const longest = `/${"a".repeat(2_047)}`;
  expect(run({ wantsHtml: true, target: longest })).toMatchObject({
    location: `/__auth/basic?to=%2F${longest.slice(1)}`,
  });
  expect(run({ wantsHtml: true, target: `${longest}a` })).toEqual({
    kind: "redirect",
    location: "/__auth/basic?to=%2F",
  });
});

test("a browser is led to the login by HEAD as by GET, and where its Basic says no user", () => {
  const { run, ask } = setUp(protectedPolicy("basic"));
  const login = { kind: "redirect", location: "/__auth/basic?to=%2F" };
  expect(run({ wantsHtml: true, method: "HEAD" })).toMatchObject(login);
  const headers = { authorization: `Basic ${Buffer.from("nobody").toString("base64")}` };
  expect(run({ wantsHtml: true, headers })).toMatchObject(login);
  expect(ask).toEqual([]);
});

test("only logging out forgets a session", async () => {
  const { run, ask } = setUp(protectedPolicy("oidc"));
  const headers = { cookie: `dl_visitor=${session}` };
  await run({ headers });
  for (const target of ["/__auth/login", "/__auth/health"]) expect(run({ headers, target })).toEqual({ kind: "relay" });
  await run({ headers });
  expect(ask).toHaveLength(1);
});

describe("what is asked", () => {
  const all = { cookie: `dl_visitor=${session}`, "x-api-key": "dlk_a", authorization: basicAuth };
  const from = { name: "app", appId: "app_1", address: "2001:db8::1", network: networkOf("2001:db8::1") };
  const ofSession = { kind: "session", ...from, session };
  const ofKey = { kind: "api_key", ...from, orgId: "org_1", key: "dlk_a" };
  const ofBasic = { kind: "basic", ...from, username: "ada", password: "secret" };

  /** The questions about a visitor who brings a session, a key and a password, when each but the last is worth nothing. */
  const asked = async (policy: ProtectedPolicy): Promise<Ask[]> => {
    const { run, ask } = setUp(policy, { answer: deny });
    await run({ headers: all, address: "2001:db8::1" });
    const { "x-api-key": _, ...noKey } = all;
    await run({ headers: noKey, address: "2001:db8::1" });
    return ask;
  };

  test("is what the policy lets in, and who asks, and nothing else", async () => {
    const wanted: [ProtectedPolicy, object[]][] = [
      [{ ...protectedPolicy("basic"), apiKeys: true }, [ofSession, ofKey, ofBasic]],
      [protectedPolicy("basic"), [ofSession, ofBasic]],
      [{ ...protectedPolicy("oidc"), apiKeys: true }, [ofSession, ofKey]],
      [protectedPolicy("oidc"), [ofSession]],
      [protectedPolicy("api_key"), [ofKey]],
    ];
    for (const [policy, asks] of wanted)
      expect((await asked(policy)).filter(({ kind }) => kind !== "failure")).toEqual(asks as Ask[]);
  });
});

describe("security", () => {
  test("a block counts as long as the policy has a limiter", async () => {
    const { run, state, clock } = setUp({ ...protectedPolicy("basic"), limiter: null });
    state.block("app_1", "192.0.2.1", clock.ms + 60_000);
    expect(await run({ headers: { authorization: basicAuth } })).toMatchObject({ kind: "pass" });
  });

  test("a block counts for whose session has ended", async () => {
    const { run, ask, state, clock } = setUp(protectedPolicy("basic"), { answer: deny });
    state.block("app_1", "192.0.2.1", clock.ms + 60_000);
    const headers = { cookie: `dl_visitor=${session}`, authorization: basicAuth };
    expect(await run({ headers })).toMatchObject({ code: "rate_limited" });
    expect(ask.map(({ kind }) => kind)).toEqual(["session"]);
  });

  test("a name without an application is blocked by itself, and says for how long and why", () => {
    const { run, entry, state, clock } = setUp(protectedPolicy("api_key"));
    entry.appId = null;
    for (const scope of ["app", "name:other", "app_1"]) state.block(scope, "192.0.2.1", clock.ms + 1_001);
    const unauthorized = { code: "unauthorized", headers: [["WWW-Authenticate", 'Bearer realm="digit-link"']] };
    expect(run({})).toMatchObject(unauthorized);
    state.block("name:app", "192.0.2.1", clock.ms + 1_001);
    const refusal = { rule: "address_blocked" };
    expect(run({})).toMatchObject({ code: "rate_limited", headers: [["Retry-After", "2"]], refusal });
  });

  test("what isn't shaped like a session is none", () => {
    const { run, ask } = setUp(protectedPolicy("oidc"));
    for (const value of [session.slice(1), `${session}s`, `${session}!`, `!${session}`])
      expect(run({ headers: { cookie: `dl_visitor=${value}` } })).toMatchObject({ code: "unauthorized" });
    expect(ask).toEqual([]);
  });

  test("a wrong key is told of and counted as one, a password by its user; without a limiter nothing is counted", async () => {
    const keyed = setUp({ ...protectedPolicy("basic"), apiKeys: true }, { answer: deny });
    // Read as the user and password of Basic, this one has a user.
    const key = { headers: { "x-api-key": `dlk_${Buffer.from("x:y").toString("base64")}` } };
    await keyed.run(key);
    const credential = { authType: "api_key", identity: null };
    expect(await keyed.run(key)).toMatchObject({ refusal: { rule: "wrong_key", credential } });
    const failure = { kind: "failure", of: "api_key", name: "app", appId: "app_1", address: "192.0.2.1" };
    expect(keyed.ask.slice(1)).toEqual([{ ...failure, network: "192.0.2.1" } as Ask]);

    const free = setUp({ ...protectedPolicy("basic"), limiter: null }, { answer: deny });
    const authorization = `Basic ${Buffer.from(`${"u".repeat(300)}:p`).toString("base64")}`;
    await free.run({ headers: { authorization } });
    const user = { authType: "basic", identity: "u".repeat(256) };
    expect(await free.run({ headers: { authorization } })).toMatchObject({ refusal: { credential: user } });
    expect(free.ask.map(({ kind }) => kind)).toEqual(["basic"]);
  });

  test("what is refused is asked about again after the time that main gave it", async () => {
    const { run, ask, clock } = setUp(protectedPolicy("oidc"), { answer: deny });
    for (const ms of [0, 59_999, 1]) {
      clock.ms += ms;
      await run({ headers: { cookie: `dl_visitor=${session}` } });
    }
    expect(ask).toHaveLength(2);
  });

  test("who can't be judged now is told when to come back, and why", async () => {
    const { run } = setUp(protectedPolicy("oidc"), { answer: { kind: "unavailable" } });
    expect(await run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({
      ...{ kind: "refuse", code: "unavailable", headers: [["Retry-After", "2"]], refusal: { rule: "overloaded" } },
    });
  });

  test("at once, each address asks for itself, and anew when the policy has changed", async () => {
    const { run, ask, entry } = setUp(protectedPolicy("basic"));
    const headers = { authorization: basicAuth };
    // One of a network, and one that counts nowhere, are others as well.
    const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
    const asked = [...addresses.map((address) => run({ headers, address })), run({ headers, network: null })];
    entry.policy = { ...protectedPolicy("basic"), version: "v2" };
    await Promise.all([...asked, run({ headers })]);
    expect(ask.map((one) => ("address" in one ? one.address : ""))).toEqual([...addresses, "192.0.2.1", "192.0.2.1"]);
  });

  test("a credential longer than any of ours is none", async () => {
    const { run, ask } = setUp({ ...protectedPolicy("basic"), apiKeys: true });
    const long = "a".repeat(1_025);
    for (const headers of [
      { "x-api-key": `dlk_${long}` },
      { authorization: `Bearer dlk_${long}` },
      { authorization: `Basic ${long}` },
    ])
      expect(await run({ headers })).toMatchObject({ code: "unauthorized" });
    expect(ask).toEqual([]);
  });

  test("a line that only holds something like a credential holds none: it is forwarded as it is", async () => {
    const { run, ask } = setUp({ ...protectedPolicy("basic"), apiKeys: true });
    for (const authorization of [
      "X Bearer dlk_a",
      "Bearer dlk_a b",
      `X ${basicAuth}`,
      `${basicAuth} b`,
      `${basicAuth}!`,
    ])
      expect(await run({ headers: { authorization } })).toMatchObject({ code: "unauthorized" });
    expect(ask).toEqual([]);
  });

  test("guesses can't push out who is let in, and ten thousand of them are remembered", async () => {
    let reply: Answer = allow;
    const { run, ask } = setUp(protectedPolicy("oidc"), { reply: () => Promise.resolve(reply) });
    const headers = { cookie: `dl_visitor=${session}` };
    await run({ headers });
    reply = deny;
    const guess = (i: number) => run({ headers: { cookie: `dl_visitor=${String(i).padStart(43, "x")}` } });
    for (let i = 0; i <= 10_000; i++) await guess(i);
    expect(run({ headers })).toMatchObject({ kind: "pass" });
    await guess(1);
    expect(ask).toHaveLength(10_002);
    await guess(0);
    expect(ask).toHaveLength(10_003);
  });

  test("an identity is bounded, and an empty one is none; the application's own Basic goes on beside it", async () => {
    const endless = setUp(protectedPolicy("oidc"), { answer: { ...allow, user: "a".repeat(10_000), email: "" } });
    expect(await endless.run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({
      user: "a".repeat(512),
      email: null,
    });
    const spaced = setUp(protectedPolicy("oidc"), { answer: { ...allow, user: "Ada Lovelace", email: "ada " } });
    expect(await spaced.run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({
      user: "Ada Lovelace",
      email: "ada%20",
      strip: "keys",
    });
  });
});
