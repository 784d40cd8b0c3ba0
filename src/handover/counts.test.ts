// Connection counts over threads: the sum, per address, and a dead thread's part.

import { describe, expect, test } from "bun:test";
import { ConnectionCounts, createCountsMemory } from "./counts.ts";

test("every thread sees the sum, and a dead thread's part can be taken out", () => {
  const memory = createCountsMemory(2);
  const [main, first, second] = [0, 1, 2].map((row) => new ConnectionCounts(memory, row)) as [
    ConnectionCounts,
    ConnectionCounts,
    ConnectionCounts,
  ];
  const bucket = main.opened("192.0.2.1");
  first.opened("192.0.2.1");
  second.opened("192.0.2.1");
  second.opened("192.0.2.2");
  expect([main.total(), first.ofAddress("192.0.2.1"), second.ofAddress("192.0.2.2")]).toEqual([4, 3, 1]);
  main.clearRow(2);
  expect([first.total(), main.ofAddress("192.0.2.1"), main.ofAddress("192.0.2.2")]).toEqual([2, 2, 0]);
  main.closed(bucket);
  expect([second.total(), second.ofAddress("192.0.2.1")]).toEqual([1, 1]);
});

describe("security", () => {
  test("connections from all of an IPv6 /64 count together", () => {
    const counts = new ConnectionCounts(createCountsMemory(0), 0);
    counts.opened("2001:db8:0:1::1");
    counts.opened("2001:db8:0:1:a:b:c:d");
    expect(["2001:db8:0:1::9", "2001:db8:0:2::1"].map((address) => counts.ofAddress(address))).toEqual([2, 0]);
  });

  test("which addresses collide differs from start to start", () => {
    const bucketsOf = (): string => {
      const counts = new ConnectionCounts(createCountsMemory(0), 0);
      return Array.from({ length: 8 }, (_, i) => counts.opened(`192.0.2.${i}`)).join();
    };
    expect(bucketsOf()).not.toBe(bucketsOf());
  });
});
