// A shard's side of the link, with main and its timers on paper: how much waits, and how long the port of a dead peer stays.

import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import type { Ledger } from "../handover/ledger.ts";
import type { CapturedRequest, FromShard, ShardEvent, ShardStart, ToShard } from "./messages.ts";
import { connectToMain, type ShardSide } from "./shard-side.ts";

const scope = globalThis as unknown as {
  postMessage: (message: FromShard) => void;
  onmessage: ((event: { data: ShardStart | ToShard }) => void) | null;
};
const before = { postMessage: scope.postMessage, onmessage: scope.onmessage };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
  Object.assign(scope, before);
});

function setUp() {
  const sent: FromShard[] = [];
  const connections: unknown[] = [];
  const handlers = {
    onOrder() {},
    onConnection: (connection: unknown) => void connections.push(connection),
    takeCounters: () => [],
  };
  const ledger = { send: (_fd: number, _owner: number, _incarnation: number, post: () => void) => (post(), true) };
  let side: ShardSide | null = null;
  scope.postMessage = (message) => void sent.push(message);
  connectToMain(
    () => ledger as unknown as Ledger,
    (link) => ((side = link), handlers),
  );
  const start = { type: "start", shard: 0, shards: 2, ticks: new SharedArrayBuffer(8) };
  const hear = (data: unknown): void => scope.onmessage?.({ data: data as ToShard });
  hear(start);
  const sizes = (): number[] =>
    sent
      .splice(0)
      .map((message) =>
        message.type === "events" ? message.events.length : message.type === "request" ? -message.requests.length : 0,
      );
  return { side: side!, hear, sent, sizes, connections };
}
const event = { type: "session.opened" } as unknown as ShardEvent;

describe("what waits for main", () => {
  test("is sent at once when it is 1,000 events, and by the next flush when it is fewer", () => {
    const { side, sizes } = setUp();
    for (let i = 0; i < 999; i++) side.event(event);
    expect(sizes()).toEqual([]);
    side.event(event);
    expect(sizes()).toEqual([1_000]);
    side.event(event);
    jest.advanceTimersByTime(100);
    expect(sizes()).toEqual([1]);
  });

  test("is at most 500 live requests; there is room again behind a flush", () => {
    const { side, sizes } = setUp();
    for (let i = 0; i < 501; i++) side.request({} as CapturedRequest);
    side.flush();
    side.request({} as CapturedRequest);
    jest.advanceTimersByTime(100);
    jest.advanceTimersByTime(100);
    expect(sizes()).toEqual([-500, -1]);
  });
});

test("the port of a replaced peer is read for ten seconds more, and not written", () => {
  const { side, hear, connections } = setUp();
  const peer = (name: string) => {
    const did: string[] = [];
    const port = {
      onmessage: null as ((event: { data: unknown }) => void) | null,
      postMessage: () => void did.push(name),
      close: () => void did.push("closed"),
    };
    return { did, port };
  };
  const [old, fresh] = [peer("old"), peer("fresh")];
  const connection = { fd: 7 } as Parameters<ShardSide["sendConnection"]>[1];
  expect(side.sendConnection(1, connection)).toBe(false);
  hear({ type: "peers", ports: [null, old.port], incarnations: [1, 1] });
  hear({ type: "peer", shard: 1, port: fresh.port, incarnation: 2 });
  expect(side.sendConnection(1, connection)).toBe(true);
  old.port.onmessage!({ data: "late" });
  jest.advanceTimersByTime(9_999);
  expect([old.did, fresh.did, connections]).toEqual([[], ["fresh"], ["late"]]);
  jest.advanceTimersByTime(1);
  expect([old.did, fresh.did]).toEqual([["closed"], ["fresh"]]);
});
