// Credentials on a connection that stays open: who was let in a moment ago is judged again with each request, by what holds then.

import { beforeEach, describe, expect, test } from "bun:test";
import { type FakeVisitor, fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import { allow, basicAuth, deny, protectedPolicy, session, setUp as judgeSetUp } from "../test/helpers/policy-judge.ts";
import { createCidrList } from "../src/lib/cidr.ts";
import type { Answer } from "../src/link/messages.ts";
import { CaptureBudget, CaptureRing } from "./capture.ts";
import type { HttpStream } from "./http-stream.ts";
import { ShardIngress, type ShardIngressOptions } from "./shard-ingress.ts";

let reply: Answer;
beforeEach(() => void (reply = allow));

/** Visitors of one name, from one address; nobody serves it, so that who passes gets a 503. */
function setUp(kind: "basic" | "api_key" | "oidc" = "basic") {
  const judge = judgeSetUp(protectedPolicy(kind), { reply: () => Promise.resolve(reply) });
  const { state, entry } = judge;
  const forwarded: string[] = [];
  const shown: HttpStream["shown"][] = [];
  const tunnel = {
    ...{ isFull: false, ticket: { tunnelId: "t" }, captures: new CaptureRing(0, new CaptureBudget(0)) },
    streamEnded() {},
    open(stream: HttpStream, head: Buffer, length: number): void {
      shown.push(stream.shown);
      forwarded.push(head.toString("latin1", 0, length));
      stream.fail("tunnel_offline", "no agent is here");
    },
  };
  const ingress = new ShardIngress({
    ...{ shard: 0, shards: 1, policy: state, trusted: createCidrList([]) },
    settings: { domain: "tunnel.test", dashboardDomain: "tunnel.test", maxBodyBytes: 0, scheme: "http" },
    tunnels: { entry: () => entry, ofVisitors: () => tunnel },
    ...{ isEnded: () => false, isOrganizationFull: () => false, refusal() {} },
  } as unknown as ShardIngressOptions);
  const host = { kind: "tunnel", name: "app", host: "app.tunnel.test" } as const;
  const visitor = (): FakeVisitor => fakeVisitor((connection, head) => ingress.route(connection, head, host));
  return { ...judge, forwarded, shown, visitor, kept: visitor() };
}

/** The statuses that a visitor gets for these requests, each a list of field lines, sent in one go. */
async function statuses(visitor: FakeVisitor, ...requests: string[][]): Promise<number[]> {
  visitor.send(requests.map((lines) => requestText("GET /", ...lines)).join(""));
  await new Promise((resolve) => setImmediate(resolve));
  return [...visitor.take().matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
}

const passed = 503;
const credentials = {
  basic: [`Authorization: ${basicAuth}`],
  api_key: ["X-API-Key: dlk_a"],
  oidc: [`Cookie: a=1; dl_visitor=${session}; b=2`],
};
const kinds = ["basic", "api_key", "oidc"] as const;

test.each(kinds)("%s: main is asked once, whatever connections the requests come on", async (kind) => {
  const { ask, forwarded, kept, visitor } = setUp(kind);
  for (const one of [kept, kept, visitor(), kept]) expect(await statuses(one, credentials[kind])).toEqual([passed]);
  expect(ask).toHaveLength(1);
  expect(forwarded).toHaveLength(4);
});

test("a change of the policy judges those inside by what they showed, where it was asked for", async () => {
  const { entry, kept, shown } = setUp();
  await statuses(kept, credentials.basic);
  entry.policy = { kind: "open" };
  await statuses(kept, credentials.basic);
  expect(shown.map((one) => one?.basic()?.text ?? null)).toEqual([basicAuth.slice(6), null]);
});

describe.each(kinds)("security: %s, shown and passed before on the same connection,", (kind) => {
  const refused = 401;
  const lines = credentials[kind];
  const change: Record<string, [(world: ReturnType<typeof setUp>) => unknown, number]> = {
    "is asked about again when the policy has changed": [
      ({ entry }) => (entry.policy = { ...protectedPolicy(kind), version: "v2" }),
      refused,
    ],
    "is asked about again when its time is over": [({ clock }) => (clock.ms += 60_000), refused],
    "is asked about again under another name": [({ entry }) => (entry.name = "sibling"), refused],
    "is asked about again when it is forgotten": [
      ({ state, entry }) => {
        const [kindOf, text] =
          kind === "oidc"
            ? ["session", session]
            : kind === "basic"
              ? ["basic", basicAuth.slice(6)]
              : ["api_key", "dlk_a"];
        state.cache.delete(state.cache.keyOf(entry.name, kindOf, text));
      },
      refused,
    ],
    "doesn't open a name that is shut": [({ entry }) => (entry.policy = { kind: "deny" }), 403],
    "doesn't help from an address that is denied": [
      ({ entry }) => (entry.policy = { ...protectedPolicy(kind), denyIps: ["192.0.2.0/24"] }),
      403,
    ],
    "doesn't help from an address that is blocked, unless it is a session": [
      ({ state, clock }) => state.block("app_1", "192.0.2.1", clock.ms + 1_000),
      kind === "oidc" ? passed : 429,
    ],
  };
  test.each(Object.keys(change))("%s", async (what) => {
    const world = setUp(kind);
    expect(await statuses(world.kept, lines)).toEqual([passed]);
    expect(await statuses(world.kept, lines)).toEqual([passed]);
    reply = deny;
    const [make, status] = change[what]!;
    make(world);
    expect(await statuses(world.kept, lines)).toEqual([status]);
    expect(await statuses(world.visitor(), lines)).toEqual([status]);
  });

  test("lets nobody in who shows another one, or none, right behind it", async () => {
    const { ask, kept } = setUp(kind);
    expect(await statuses(kept, lines)).toEqual([passed]);
    reply = deny;
    const other = lines.map((line) =>
      line.replace("Basic YWR", "Basic YWS").replace("dlk_a", "dlk_b").replace("=s", "=t"),
    );
    expect(await statuses(kept, lines, other, [], lines, other)).toEqual([passed, refused, refused, passed, refused]);
    expect(ask.filter((one) => one.kind !== "failure")).toHaveLength(2);
  });

  test("never reaches the local service, the first time or later", async () => {
    const { entry, forwarded, kept, visitor } = setUp(kind);
    const beside = ["X-Mine: 1", ...lines, ...(kind === "oidc" ? [] : ["Cookie: a=1; b=2"])];
    for (const one of [kept, kept, visitor()]) await statuses(one, beside);
    entry.policy = { kind: "open" };
    if (kind !== "basic") await statuses(kept, beside);
    expect(forwarded).toHaveLength(kind === "basic" ? 3 : 4);
    for (const head of forwarded) {
      expect(head).not.toMatch(/dl_visitor|dlk_|Authorization|s{43}/);
      expect(head).toMatch(/X-Mine: 1\r\n(?:.*\r\n)*Cookie: a=1; b=2\r\n/);
    }
  });
});

test("security: whose Authorization: Basic is, is decided by the policy of each request", async () => {
  const { entry, forwarded, kept } = setUp("oidc");
  const lines = [...credentials.oidc, ...credentials.basic];
  const oidc = protectedPolicy("oidc");
  const policies = [oidc, { ...protectedPolicy("basic"), version: "v2" }, oidc, { kind: "open" } as const];
  for (const policy of policies) {
    entry.policy = policy;
    expect(await statuses(kept, lines)).toEqual([passed]);
  }
  expect(forwarded.map((head) => head.includes(basicAuth))).toEqual([true, false, true, true]);
});

test("security: what Connection names goes no further, nor what is left of it without what is ours", async () => {
  const { entry, forwarded, kept } = setUp("oidc");
  const lines = ["Connection: cookie", ...credentials.oidc];
  for (const policy of [protectedPolicy("oidc"), { kind: "open" } as const]) {
    entry.policy = policy;
    expect(await statuses(kept, lines)).toEqual([passed]);
  }
  for (const head of forwarded) expect(head).not.toMatch(/cookie/i);
});
