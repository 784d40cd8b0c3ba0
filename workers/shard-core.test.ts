// One shard put together, with main on paper: what it keeps of questions that main does not answer, whom it counts, and its last words.

import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import { shardSettings } from "../src/config/shard-settings.ts";
import { loadConfig } from "../src/config/load.ts";
import { ConnectionCounts, createCountsMemory } from "../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../src/handover/ledger.ts";
import type { Answer, FromShard, LocalStatus, ShardEvent } from "../src/link/messages.ts";
import { createLoadMemory } from "../src/link/organization-load.ts";
import type { ShardOrder, ShardSide } from "../src/link/shard-side.ts";
import type { HttpStream } from "./http-stream.ts";
import type { Session } from "./session.ts";
import { Shard } from "./shard-core.ts";
import type { Tunnel } from "./tunnel.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

/** `types`: of what main was sent, of the events that wait for that, and `flushed` where they no longer do. */
function shardOnPaper(env: Record<string, string> = {}) {
  const config = loadConfig({ env: { DOMAIN: "tunnel.test", ...env }, file: null });
  const settings = shardSettings(config, { shard: 0, controlSocket: "/nowhere" });
  const types: string[] = [];
  const events: ShardEvent[] = [];
  const sent: FromShard[] = [];
  const side = {
    start: { settings, shard: 0, shards: 1, loads: createLoadMemory(1) },
    send(message: FromShard) {
      sent.push(message);
      types.push(message.type);
    },
    flush: () => void types.push("flushed"),
    event(event: ShardEvent) {
      events.push(event);
      types.push(event.type);
    },
    request: () => void types.push("request"),
  };
  const ledger = new Ledger(createLedgerMemory(1_024), 1);
  const counts = new ConnectionCounts(createCountsMemory(1), 1);
  return { shard: new Shard(side as unknown as ShardSide, ledger, counts), counts, types, events, sent };
}

test("a question that main never answers is forgotten", () => {
  const { shard, types } = shardOnPaper();
  const question = { kind: "api_key", name: "a", appId: null, orgId: null, key: "k", address: "192.0.2.1" } as const;
  const timers = jest.getTimerCount();
  for (let i = 0; i < 3; i++) void shard["ask"]({ ...question, network: null });
  expect([types, shard["asks"].size]).toEqual([["ask", "ask", "ask"], 3]);
  shard.order({ type: "answer", id: 2, answer: { kind: "denied" } as unknown as Answer });
  // Nothing of one that is answered stays, however many visitors show what nobody knows.
  expect([shard["asks"].size, jest.getTimerCount() - timers]).toEqual([2, 2]);
  jest.advanceTimersByTime(20_000);
  expect(shard["asks"].size).toBe(0);
});

const long = Object.fromEntries(
  ["HEAD_TIMEOUT_MS", "REQUEST_TIMEOUT_MS", "PING_INTERVAL_MS", "IDLE_TIMEOUT_MS", "HOLD_MS"].map((one) => [
    one,
    "20000",
  ]),
);

test.each([
  ["every second, where none is short", "HOLD_MS", 20_000, 1_000],
  ["four times in the shortest: of a head", "HEAD_TIMEOUT_MS", 1_002, 250],
  ["of an answer", "REQUEST_TIMEOUT_MS", 1_002, 250],
  ["of a silent session", "PING_INTERVAL_MS", 1_002, 250],
  ["of an idle connection", "IDLE_TIMEOUT_MS", 1_002, 250],
  ["of who waits for an agent", "HOLD_MS", 1_002, 250],
  ["as for a tenth of a second, where nobody waits for an agent", "HOLD_MS", 0, 25],
  ["no more than a hundred times a second", "HEAD_TIMEOUT_MS", 4, 10],
])("deadlines are looked at %s", (_, name, ms, everyMs) => {
  const timers = spyOn(globalThis, "setInterval");
  const { shard } = shardOnPaper({ ...long, [name]: String(ms) });
  // The other is that of refusals, whose minute must be over.
  expect(timers.mock.calls.map(([, delay]) => delay)).toEqual([everyMs, 1_000]);
  timers.mockRestore();
  const [ticks, sweeps] = [spyOn(shard.tunnels, "tick"), spyOn(shard["refusals"], "sweep")];
  jest.advanceTimersByTime(1_000);
  expect([ticks.mock.calls.length, sweeps.mock.calls.length]).toEqual([1_000 / everyMs, 1]);
});

test("without an access log nothing is collected for it", () => {
  expect(shardOnPaper().shard["accessLog"]).toBeNull();
});

test("requests are told while somebody watches, and else not even read", () => {
  const { shard, types } = shardOnPaper();
  let read = 0;
  const stream = { capture: { toRequest: () => read++ } } as unknown as HttpStream;
  for (const on of [null, true, false]) {
    if (on !== null) shard.order({ type: "watch", on });
    shard.streamEnded({} as Tunnel, stream);
  }
  expect([types, read]).toEqual([["request"], 1]);
});

test("a shard that is to leave closes its ports and idle connections at once, and has left when nothing runs any more", () => {
  const { shard, types } = shardOnPaper();
  const tunnels = [0, 1].map((streams) => ({ streams, goAway: jest.fn(), endQuiet() {} }));
  spyOn(shard.tunnels, "all").mockReturnValue(tunnels as unknown as ReturnType<typeof shard.tunnels.all>);
  const closes = [spyOn(shard["ports"], "close"), spyOn(shard.connections, "closeIdle")];
  shard.order({ type: "drain", inAllMs: 60_000 });
  expect([shard.draining, ...closes.map(({ mock }) => mock.calls.length)]).toEqual([true, 1, 1]);
  expect(tunnels[1]!.goAway.mock.calls).toEqual([[{ reason: "drain", deadlineMs: 60_000, retryable: true }]]);
  jest.advanceTimersByTime(100);
  expect(types).toEqual([]);
  tunnels[1]!.streams = 0;
  jest.advanceTimersByTime(100);
  expect(types).toEqual(["flushed", "drained"]);
});

test.each<[ShardOrder, string]>([
  [{ type: "end" }, "ended"],
  [{ type: "drain", inAllMs: 0 }, "drained"],
])("all that is to be told is told before the last word of %j", (order, last) => {
  const { shard, types } = shardOnPaper({ ACCESS_LOG: "/nowhere/access.log" });
  const at = { startedAt: 0, address: "192.0.2.1", host: "tunnel.test:20000" };
  shard["accessLog"]!.tcp({ ...at, bytesIn: 0, bytesOut: 0 });
  // The second is told with how often it was repeated.
  for (let i = 0; i < 2; i++) shard["refusals"].session("bad_ticket", null, "192.0.2.1", "");
  shard.order(order);
  jest.advanceTimersByTime(100);
  expect(types).toEqual(["session.refused", "session.refused", "access", "flushed", last]);
});

test("main is answered what it asks of a tunnel, be it there or not", async () => {
  const { shard, sent } = shardOnPaper();
  const entry = { id: "r", startedAtMs: 1, line: () => ({ method: "GET", path: "/" }), toRequest: () => ({ id: "r" }) };
  const check = (answer: (status: null) => void) => (answer(null), true);
  const tunnel = { captures: { newest: () => [entry] }, health: { check } } as unknown as Tunnel;
  spyOn(shard.tunnels, "byTunnelId").mockImplementation((id) => (id === "t" ? tunnel : undefined));
  const page = { order: "time", descending: true, after: null, limit: 9, requestId: null, terms: [] };
  const asked = { type: "requests", id: 1, tunnelIds: ["gone", "t"], ...page } as unknown as ShardOrder;
  for (const order of [asked, ...["t", "gone"].map((tunnelId) => ({ type: "check", id: 2, tunnelId }) as ShardOrder)])
    shard.order(order);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  const checked = { type: "checked", id: 2, status: null };
  expect(sent).toEqual(
    expect.arrayContaining([{ type: "requests", id: 1, requests: [{ id: "r" }] }, checked, checked]),
  );
});

test("what becomes of a session, and of a local service, is told", () => {
  const { shard, events } = shardOnPaper();
  const tunnel = { ticket: { tunnelId: "t" }, sessions: [1, 2] } as unknown as Tunnel;
  const status = { state: "up", why: null } as unknown as LocalStatus;
  shard.localChanged(tunnel, status);
  const of = { tunnelId: "t", agentId: "a", generation: 3 };
  shard.sessionClosed(tunnel, { options: of } as Session, "lost");
  expect(events).toMatchObject([
    { type: "local.status", tunnelId: "t", status },
    { type: "session.closed", ...of, reason: "lost", sessions: 2 },
  ]);
});

test("ports of names that are leased or given up are followed", () => {
  const { shard } = shardOnPaper();
  const follow = spyOn(shard["ports"], "follow");
  const order = { type: "names", snapshot: false, set: [], remove: ["tcp-20000"] } as const;
  shard.order(order as unknown as ShardOrder);
  expect(follow.mock.calls).toEqual([[[], ["tcp-20000"]]]);
});

test("behind its last word a shard serves nobody", () => {
  const { shard } = shardOnPaper();
  const { host } = shard.connections["options"];
  const named = { kind: "tunnel", name: "nobody", host: "nobody.tunnel.test" } as const;
  for (const status of ["HTTP/1.1 404", ""]) {
    const visitor = fakeVisitor((connection, head) => host.route(connection, head, named));
    visitor.send(requestText("GET /"));
    expect(visitor.take().slice(0, 12)).toBe(status);
    shard.order({ type: "end" });
  }
});

describe("security", () => {
  test("a request under way counts for its organization as a TCP connection does", () => {
    const { shard } = shardOnPaper({ MAX_CONNECTIONS_PER_ORGANIZATION: "1" });
    shard.streamCounted("org", 1);
    expect([shard["admit"]("192.0.2.1", "org"), shard["admit"]("192.0.2.1", "other")]).toEqual([
      null,
      expect.anything(),
    ]);
    shard.streamCounted("org", -1);
    expect(shard["admit"]("192.0.2.1", "org")).not.toBeNull();
  });

  test("an address that main blocks is blocked here, without another question", () => {
    const { shard } = shardOnPaper();
    const untilMs = Date.now() + 60_000;
    shard.order({ type: "block", appId: "app", network: "192.0.2.1", untilMs });
    const until = (appId: string, network: string) => shard["policy"].blockedUntilMs(appId, network);
    expect([until("app", "192.0.2.1"), until("other", "192.0.2.1"), until("app", "192.0.2.2")]).toEqual([
      untilMs,
      0,
      0,
    ]);
  });

  test("a TCP connection is counted for its address and organization until it is over, and refused beyond the limits", () => {
    const { shard, counts } = shardOnPaper({
      ...{ MAX_CONNECTIONS: "4", MAX_CONNECTIONS_PER_ADDRESS: "1", MAX_CONNECTIONS_PER_ORGANIZATION: "2" },
      TRUSTED_PROXIES: "198.51.100.0/24",
    });
    const admit = (address: string, orgId = address) => shard["admit"](address, orgId);
    const release = admit("192.0.2.1", "org")!;
    expect([counts.total(), admit("192.0.2.1")]).toEqual([1, null]);
    const second = admit("192.0.2.2", "org")!;
    expect(admit("192.0.2.3", "org")).toBeNull();
    release();
    expect(counts.total()).toBe(1);
    const more = [admit("192.0.2.1", "org"), admit("198.51.100.1"), admit("198.51.100.1")];
    expect([more.every((one) => one !== null), counts.total(), admit("198.51.100.2")]).toEqual([true, 4, null]);
    second();
    expect(admit("192.0.2.4")).not.toBeNull();
  });
});
