// Tests of what becomes of those inside when the policy of their name changes.

import { expect, test } from "bun:test";
import {
  allow,
  basicAuth,
  deny,
  protectedPolicy,
  readRequest,
  session,
  setUp,
} from "../../test/helpers/policy-judge.ts";
import { judgeAgain, type Admitted } from "./again.ts";

function visitor(headers: Record<string, string>): Admitted & { isOut: boolean } {
  return {
    ...{ address: "192.0.2.1", shown: readRequest({ headers }).shown, isOut: false },
    expel() {
      this.isOut = true;
    },
  };
}

const always = (): boolean => true;

test("who would not pass now is out, whatever the answer to a newcomer; who would, stays", async () => {
  const { entry, state } = setUp({ ...protectedPolicy("basic"), apiKeys: true }, { answer: allow });
  const shown = [{ authorization: basicAuth }, { "x-api-key": "dlk_a" }, { cookie: `dl_visitor=${session}` }, {}];
  const inside = shown.map(visitor);
  await judgeAgain(entry, inside, state, always);
  expect(inside.map(({ isOut }) => isOut)).toEqual([false, false, false, true]);
});

test("who can't be judged is judged again in a moment, and is out after the last try", async () => {
  const cookie = `dl_visitor=${session}`;
  let isBusy = true;
  const recovers = setUp(protectedPolicy("oidc"), {
    reply: async () => {
      if (!isBusy) return allow;
      isBusy = false;
      throw new Error("busy");
    },
  });
  const silent = setUp(protectedPolicy("oidc"), { answer: { kind: "unavailable" } });
  const [stays, leaves] = [visitor({ cookie }), visitor({ cookie })];
  await Promise.all([
    judgeAgain(recovers.entry, [stays], recovers.state, always),
    judgeAgain(silent.entry, [leaves], silent.state, always, 2),
  ]);
  expect([stays.isOut, leaves.isOut]).toEqual([false, true]);
  expect([recovers.ask.length, silent.ask.length]).toEqual([2, 2]);
});

test("who is known not to pass is out without another try", async () => {
  const denied = setUp({ ...protectedPolicy("oidc"), denyIps: ["192.0.2.0/24"] });
  const [one, other] = [visitor({}), visitor({ cookie: `dl_visitor=${session}` })];
  const done = judgeAgain(denied.entry, [one, other], denied.state, always);
  await new Promise((resolve) => setImmediate(resolve));
  expect([one.isOut, other.isOut]).toEqual([true, true]);
  await done;
});

test("nobody is put out by a policy that another one has taken the place of meanwhile: that one judges them", async () => {
  const cookie = `dl_visitor=${session}`;
  for (const answer of [deny, { kind: "unavailable" }] as const) {
    const before = setUp(protectedPolicy("oidc"), { answer });
    const one = visitor({ cookie });
    await judgeAgain(before.entry, [one], before.state, () => before.ask.length === 0, 2);
    expect([one.isOut, before.ask.length]).toEqual([false, 1]);
  }
});

test("security: a credential that is wrong by now is no failure of an address", async () => {
  const { ask, entry, run, state } = setUp(protectedPolicy("basic"), { answer: deny });
  const headers = { authorization: basicAuth };
  await run({ headers });
  await judgeAgain(entry, [visitor(headers)], state, always);
  expect(ask.map(({ kind }) => kind)).toEqual(["basic"]);
});
