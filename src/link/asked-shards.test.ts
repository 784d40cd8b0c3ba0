// What main asks a shard, which never answers or isn't there.

import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { AskedShards } from "./asked-shards.ts";
import type { Incarnation } from "./incarnation.ts";
import type { ToShard } from "./messages.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

class SilentShards extends AskedShards {
  isUp = true;
  readonly asked: string[] = [];

  protected override readyShard(): Incarnation | null {
    const shard = { post: ({ type }: ToShard) => void this.asked.push(type) };
    return this.isUp ? (shard as unknown as Incarnation) : null;
  }

  askAll(): Promise<unknown[]> {
    const query = { tunnelIds: ["tun_1"] } as Parameters<AskedShards["requests"]>[1];
    return Promise.all([this.check(0, "tun_1"), this.openPort(0, "tcp:1"), this.requests(0, query)]);
  }
}

test("a shard that stays silent has no answer when the time is up, one that isn't there at once", async () => {
  const shards = new SilentShards();
  const answers = shards.askAll();
  expect(shards.asked).toEqual(["check", "open-port", "requests"]);
  jest.advanceTimersByTime(10_000);
  expect(await answers).toEqual([null, null, null]);
  shards.isUp = false;
  expect(await shards.askAll()).toEqual([null, null, null]);
  expect(shards.asked).toHaveLength(3);
});
