// The hub of live events: what it costs when nobody reads, and how much it tells at once.

import { afterEach, expect, jest, test } from "bun:test";
import { tunnelCounters } from "../../test/helpers/tunnel-counters.ts";
import type { CapturedRequest } from "../link/messages.ts";
import { createEventHub, type EventHubOptions } from "./events.ts";
import { LiveNumbers } from "./live-numbers.ts";

afterEach(() => void jest.useRealTimers());

test("costs nothing when nobody reads: no shard tells, no tunnel is looked at, nothing is asked of the database", async () => {
  jest.useFakeTimers();
  const asked: string[] = [];
  const noted =
    <T>(name: string, value: T) =>
    () => {
      asked.push(name);
      return value;
    };
  const options: EventHubOptions = {
    link: { shards: 1, send: (_shard, message) => void asked.push(JSON.stringify(message)) },
    ownerOf: noted("owner", { name: "shop", appId: null, orgId: "o1" }),
    viewOf: noted("view", {}),
    tunnelIds: noted("ids", ["t1"]),
    countConnected: noted("connected", new Map()),
    count: noted("count", 1),
    newestAudit: async () => noted("audit", "aud_1")(),
  };
  const hub = createEventHub(options);
  const happen = (): void => {
    const session = { tunnelId: "t1", agentId: "a", generation: 1, address: "192.0.2.1", sessions: 1, atMs: 1 };
    hub.onEvents(0, [{ type: "session.opened", ...session }]);
    hub.onCounters(0, [tunnelCounters("t1")]);
    hub.onRequests(0, [{ tunnelId: "t1", startedAtMs: 1 } as CapturedRequest]);
    hub.onReplaced(0);
    hub.onAudit({ action: "visitor.refused", success: false });
    hub.onTrafficStored(new Set(["o1"]));
    jest.advanceTimersByTime(5_000);
  };
  happen();
  expect(asked).toEqual([]);
  const stop = hub.read({ orgId: null, readsAudit: true, tell: noted("tell", undefined), end() {} }, null);
  happen();
  for (const what of ["view", "count", "audit", "tell"]) expect(asked).toContain(what);
  stop();
  jest.advanceTimersByTime(60_000);
  expect(asked.at(-1)).toBe('{"type":"watch","on":false}');
  asked.length = 0;
  happen();
  expect(asked).toEqual([]);
  hub.close();
});

test("shards are asked once, as long as anybody reads; who comes back later hears that something is missing", () => {
  jest.useFakeTimers();
  const asked: string[] = [];
  const hub = createEventHub({
    link: { shards: 1, send: (_shard, message) => void asked.push(JSON.stringify(message)) },
    ownerOf: (id) => ({ name: "shop", appId: null, orgId: id === "t1" ? "o1" : "o2" }),
    viewOf: (id) => ({ id }),
    tunnelIds: () => ["t1", "t2"],
    countConnected: () => new Map(),
    count: () => 0,
    newestAudit: async () => null,
  });
  const session = { agentId: "a", generation: 1, address: "192.0.2.1", reason: "gone", atMs: 1 };
  const change = (type: "session.opened" | "session.closed", tunnelId: string, sessions: number) =>
    hub.onEvents(0, [{ type, tunnelId, sessions, ...session }]);
  const texts: string[] = [];
  const read = (orgId: string | null, lastId: string | null = null) =>
    hub.read({ orgId, readsAudit: false, tell: (text) => void texts.push(text), end() {} }, lastId);
  const heard = () => texts.splice(0).map((text) => /^event: (.*)$/m.exec(text)![1]);

  const stops = [read("o1"), read("o1")];
  stops[0]!();
  jest.advanceTimersByTime(60_000);
  heard();
  for (const sessions of [2, 1, 0]) change("session.closed", "t1", sessions);
  for (const sessions of [1, 2]) change("session.opened", "t1", sessions);
  const lastId = /^id: (.*)$/m.exec(texts[0]!)![1]!;
  expect(heard()).toEqual(["tunnel.closed", "tunnel.opened"]);
  change("session.opened", "t2", 1);
  expect(heard()).toEqual([]);

  // Within half a minute nothing was missed.
  stops[1]!();
  const stop = read("o1", lastId);
  expect(heard()).toEqual(["tunnel.opened"]);
  jest.advanceTimersByTime(60_000);
  heard();
  hub.onReplaced(0);
  jest.advanceTimersByTime(1_000);
  expect(texts.splice(0).join("")).toContain('{"tunnels":[{"id":"t1",');
  expect(asked).toEqual(['{"type":"watch","on":true}']);

  stop();
  jest.advanceTimersByTime(60_000);
  change("session.closed", "t1", 0);
  read("o1", lastId);
  expect(texts.join("")).toContain('event: gap\ndata: {"reason":"too_old"}');
  hub.close();
});

test("so many tunnels are told at once, whoever waits longest first", () => {
  const numbers = new LiveNumbers();
  for (let n = 0; n < 450; n++) numbers.changed(`t${n}`);
  const told = [numbers.take(), numbers.take(), numbers.take(), numbers.take()];
  expect(told.map(({ tunnels, waiting }) => [tunnels[0]?.[0], tunnels.length, waiting])).toEqual([
    ["t0", 200, 250],
    ["t200", 200, 50],
    ["t400", 50, 0],
    [undefined, 0, 0],
  ]);
});

test("of requests that pass at once a hundred are told one by one, and how many more there were", () => {
  const told: string[] = [];
  const hub = createEventHub({
    link: { shards: 1, send: () => {} },
    ownerOf: () => ({ name: "shop", appId: "a1", orgId: "o1" }),
    viewOf: () => null,
    tunnelIds: () => [],
    countConnected: () => new Map(),
    count: () => 0,
    newestAudit: async () => null,
  });
  hub.read({ orgId: "o1", readsAudit: false, tell: (text) => void told.push(text), end() {} }, null);
  const requests = Array.from({ length: 150 }, (_, n) => ({ id: `r${n}`, tunnelId: "t1", startedAtMs: n }));
  hub.onRequests(0, requests as CapturedRequest[]);
  const data = told.map((text) => JSON.parse(text.split("data: ")[1]!) as unknown);
  expect(data).toEqual([{ tunnelId: "t1", appId: "a1", count: 50 }, expect.any(Array)]);
  expect((data[1] as CapturedRequest[]).map(({ id }) => id)).toEqual(requests.slice(50).map(({ id }) => id));
  hub.close();
});
