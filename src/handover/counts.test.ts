// Connection counts over threads: the sum, per address, and a dead thread's part.

import { describe, expect, test } from "bun:test";
import { ConnectionCounts, createCountsMemory, networkOf } from "./counts.ts";

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
  test("all addresses of an IPv6 /64 share a limit, however they are written", () => {
    const same = ["2001:db8:0:1::1", "2001:db8::1:ffff:0:0:1", "2001:0DB8:0000:0001:a:b:c:d", "2001:db8:0:1::"];
    expect(new Set(same.map(networkOf))).toEqual(new Set(["2001:db8:0:1"]));
    expect(networkOf("2001:db8:0:2::1")).toBe("2001:db8:0:2");
    expect(networkOf("::1")).toBe("0:0:0:0");
    expect(networkOf("fe80::1%eth0")).toBe("fe80:0:0:0");
    expect(networkOf("64:ff9b::192.0.2.1")).toBe("64:ff9b:0:0");
    expect(networkOf("192.0.2.7")).toBe("192.0.2.7");
  });

  test("which addresses collide differs from start to start", () => {
    const bucketsOf = (): string => {
      const counts = new ConnectionCounts(createCountsMemory(0), 0);
      return Array.from({ length: 8 }, (_, i) => counts.opened(`192.0.2.${i}`)).join();
    };
    expect(bucketsOf()).not.toBe(bucketsOf());
  });
});
