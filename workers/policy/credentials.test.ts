// Tests of what is read as a credential, for whom it is asked about, and what comes of the answer.

import { describe, expect, test } from "bun:test";
import { allow, basicAuth, deny, protectedPolicy, session, setUp } from "../../test/helpers/policy-judge.ts";

test("where a key is all that opens, one of any shape is judged", async () => {
  const { ask, run } = setUp(protectedPolicy("api_key"), { answer: deny });
  expect(await run({ headers: { "x-api-key": "theirs" } })).toMatchObject({ code: "unauthorized" });
  expect(ask).toMatchObject([{ kind: "api_key", key: "theirs" }]);
});

test("a page whose address is too long to be carried along leads back to the root", () => {
  const { run } = setUp(protectedPolicy("basic"));
  const request = { wantsHtml: true, target: `/${"a".repeat(2_048)}` };
  expect(run(request)).toEqual({ kind: "redirect", location: "/__auth/basic?to=%2F" });
});

describe("security", () => {
  test("a block counts as long as the policy has a limiter", async () => {
    const { run, state, clock } = setUp({ ...protectedPolicy("basic"), limiter: null });
    state.block("app_1", "192.0.2.1", clock.ms + 60_000);
    expect(await run({ headers: { authorization: basicAuth } })).toMatchObject({ kind: "pass" });
  });

  test("at once, each address asks for itself, and anew when the policy has changed", async () => {
    const { run, ask, entry } = setUp(protectedPolicy("basic"));
    const headers = { authorization: basicAuth };
    const asked = [run({ headers }), run({ headers, address: "192.0.2.2" })];
    entry.policy = { ...protectedPolicy("basic"), version: "v2" };
    await Promise.all([...asked, run({ headers })]);
    expect(ask.map((one) => ("address" in one ? one.address : ""))).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.1"]);
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

  test("an identity is bounded, and an empty one is none", async () => {
    const endless = setUp(protectedPolicy("oidc"), { answer: { ...allow, user: "a".repeat(10_000), email: "" } });
    expect(await endless.run({ headers: { cookie: `dl_visitor=${session}` } })).toMatchObject({
      user: "a".repeat(512),
      email: null,
    });
  });
});
