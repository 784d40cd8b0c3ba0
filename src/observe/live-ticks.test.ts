// What each second tells: rates of a reader's own scope, traffic whose end is told too, and one question at a time.

import { afterEach, beforeEach, describe, expect, type Mock, spyOn, test } from "bun:test";
import { tunnelCounters } from "../../test/helpers/tunnel-counters.ts";
import { LiveNumbers } from "./live-numbers.ts";
import { LiveTicks, type Reader } from "./live-ticks.ts";

let nowMs = 0;
let clock: Mock<() => number>;
beforeEach(() => {
  nowMs = 0;
  clock = spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => clock.mockRestore());
const traffic = (id: string, requests: number, bytesIn: number, bytesOut: number) =>
  tunnelCounters(id, { requests, bytesIn, bytesOut });

test("rates are those of the time since the last tick, by tunnel, by organization and of all", () => {
  const numbers = new LiveNumbers();
  numbers.counted(traffic("t1", 10, 100, 200), "o1");
  numbers.counted(traffic("t2", 0, 50, 0), "");
  nowMs = 2_000;
  const first = numbers.take();
  const rates = (requestsPerSecond: number, bytesPerSecond: number) => ({ requestsPerSecond, bytesPerSecond });
  expect(["o1", "", null, "o2"].map(first.ratesOf)).toEqual([rates(5, 150), rates(0, 25), rates(5, 175), rates(0, 0)]);
  expect(first.tunnels).toEqual([
    ["t1", rates(5, 150)],
    ["t2", rates(0, 25)],
  ]);
  numbers.counted(traffic("t3", 1, 0, 0), "o1");
  nowMs = 3_000;
  const second = numbers.take();
  expect([second.ratesOf("o1"), second.ratesOf(null)]).toEqual([rates(1, 0), rates(1, 0)]);
  expect(second.tunnels).toEqual([
    ["t1", rates(0, 0)],
    ["t2", rates(0, 0)],
    ["t3", rates(1, 0)],
  ]);
  // At the same moment.
  expect(numbers.take().ratesOf(null)).toEqual(rates(0, 0));
});

describe("security", () => {
  test("when far more tunnels have changed than there are, readers hear that they have to look again, and nothing piles up", () => {
    let tunnels = 0;
    const ticks = new LiveTicks({
      ownerOf: () => null,
      viewOf: (id) => ({ id }),
      countConnected: () => new Map(),
      count: () => tunnels,
      newestAudit: async () => null,
    });
    const texts: string[] = [];
    const reader = { orgId: null, readsAudit: false, tell: (text: string) => void texts.push(text), end() {} };
    const change = (count: number, prefix: string): string => {
      for (let n = 0; n < count; n++) ticks.changed(`${prefix}${n}`);
      ticks.tell(new Set([reader]), "e-7");
      return texts.splice(0).join("");
    };
    expect(change(10_000, "a")).toContain('"waiting":9800}');
    expect(change(201, "b")).toStartWith('id: e-7\nevent: gap\ndata: {"reason":"too_old"}\n\nid: e-7\nevent: stats\n');
    expect(change(1, "c")).toContain('"waiting":0}');
    // Where there are so many they are told in turns.
    tunnels = 12_000;
    expect(change(12_000, "d")).not.toContain("gap");
  });

  test("each reader gets the numbers and tunnels of its own scope, whoever else reads", () => {
    let questions = 0;
    const orgs: Record<string, string> = { t1: "o1", t2: "o2" };
    const ticks = new LiveTicks({
      ownerOf: (id) => ({ name: `name-${id}`, appId: null, orgId: orgs[id]! }),
      viewOf: (id) => ({ id }),
      countConnected: () => new Map([["o1", 1]]),
      count: () => 7,
      newestAudit: () => {
        questions++;
        return new Promise(() => {});
      },
    });
    ticks.counted(traffic("t1", 1, 0, 0));
    ticks.counted(traffic("t2", 2, 0, 0));
    ticks.trafficStored(new Set(["o1"]));
    nowMs = 1_000;
    const told = new Map<string, unknown[]>();
    const readers = [null, "o1", "o2"].map((orgId): Reader => ({
      ...{ orgId, readsAudit: true, end() {} },
      tell: (text) =>
        void told.set(
          String(orgId),
          [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as unknown),
        ),
    }));
    for (let i = 0; i < 3; i++) {
      ticks.tell(new Set(readers), "e-1");
      if (i > 0) continue;
      const stored = expect.any(String);
      for (const [orgId, activeTunnels, requestsPerSecond, trafficStoredAt, ids] of [
        ["null", 7, 3, stored, ["t1", "t2"]],
        ["o1", 1, 1, stored, ["t1"]],
        ["o2", 0, 2, null, ["t2"]],
      ] as const) {
        const [stats, changed] = told.get(orgId)! as [object, { tunnels: { id: string }[] }];
        expect(stats).toMatchObject({ activeTunnels, requestsPerSecond, trafficStoredAt, newestAudit: null });
        expect(changed.tunnels.map(({ id }) => id)).toEqual([...ids]);
      }
    }
    // The database is slow: it is not asked again before it has answered.
    expect(questions).toBe(1);
  });
});
