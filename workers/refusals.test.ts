// What main hears of visitors and agents that a shard turned away: the first at once, repeats with their number.

import { expect, test } from "bun:test";
import type { NameEntry, ShardEvent, Ticket } from "../src/link/messages.ts";
import { deny, protectedPolicy, setUp } from "../test/helpers/policy-judge.ts";
import { Refusals } from "./refusals.ts";

const entry = { name: "app", appId: "app_1", orgId: "org_1" } as NameEntry;

function hear() {
  const told: ShardEvent[] = [];
  return { told, refusals: new Refusals((event) => told.push(event)) };
}

test("visitors by name, rule and network; who came last stands for the others", () => {
  const { told, refusals } = hear();
  for (let i = 1; i <= 4; i++) refusals.visitor(entry, { rule: "address_denied" }, `2001:db8::${i}`, `r${i}`);
  refusals.visitor(entry, { rule: "address_denied" }, "2001:db8:0:1::1", "other");
  const credential = { authType: "basic" as const, identity: "ada" };
  refusals.visitor(entry, { rule: "wrong_credential", credential }, "2001:db8::1", "wrong");
  refusals.flush();
  expect(told).toMatchObject([
    { type: "refusal", ...entry, rule: "address_denied", authType: null, requestId: "r1", times: 1 },
    { requestId: "other", times: 1 },
    { rule: "wrong_credential", ...credential, requestId: "wrong", times: 1 },
    { address: "2001:db8::4", requestId: "r4", times: 3 },
  ]);
});

test("agents by tunnel, as far as the ticket was ours", () => {
  const { told, refusals } = hear();
  const principal = { accountId: "acc_1", keyId: null, orgId: "org_1" };
  const ticket = { tunnelId: "tun_1", name: "app", appId: null, principal } as Ticket;
  refusals.session("replaced", ticket, "192.0.2.1", "r1");
  for (let i = 2; i <= 9; i++) refusals.session("bad_ticket", null, "192.0.2.1", `r${i}`);
  refusals.flush();
  expect(told).toMatchObject([
    { type: "session.refused", tunnelId: "tun_1", name: "app", ...principal, rule: "replaced", requestId: "r1" },
    { type: "session.refused", tunnelId: null, name: null, accountId: null, rule: "bad_ticket", times: 1 },
    { rule: "bad_ticket", requestId: "r9", times: 7 },
  ]);
});

test("a wrong key that is known is told of where no limiter counts it, too", async () => {
  const { run, ask } = setUp({ ...protectedPolicy("api_key"), limiter: null }, { answer: deny });
  const visit = () => run({ headers: { "x-api-key": "dlk_wrong" } });
  expect(await visit()).toMatchObject({ code: "unauthorized", refusal: null });
  const credential = { authType: "api_key", identity: null };
  expect(await visit()).toMatchObject({ code: "unauthorized", refusal: { rule: "wrong_key", credential } });
  expect(ask).toHaveLength(1);
});
