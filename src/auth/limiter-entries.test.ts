// Tests of what a limiter remembers: its bound, and what makes room for what.

import { describe, expect, test } from "bun:test";
import { LimiterEntries } from "./limiter-entries.ts";

describe("security", () => {
  test("what has expired makes room first, in whichever scope", () => {
    const entries = new LimiterEntries(100, () => 1);
    const take = (scope: string, i: number) => entries.take([{ scope, subject: `${i}`, windowMs: 60_000 }])[0]!;
    for (let i = 0; i < 40; i++) take("totp", i);
    for (let i = 0; i < 61; i++) take("login", i).window.add(1);
    const left = (scope: string, count: number) =>
      Array.from({ length: count }, (_, i) => entries.find({ scope, subject: `${i}` })).filter(
        (entry) => entry !== undefined,
      ).length;
    expect([left("totp", 40), left("login", 61)]).toEqual([0, 61]);
  });

  test("memory is bounded by a flood of blocks as well, and what is in use stays", () => {
    const entries = new LimiterEntries(1_000, () => 1);
    const take = (scope: string, subject: string) => entries.take([{ scope, subject, windowMs: 60_000 }])[0]!;
    take("totp", "mary").blockedUntilMs = 2;
    take("login", "used").pending = 1;
    for (let i = 0; i < 5_000; i++) take("login", `flood${i}`).blockedUntilMs = 2;
    const left = Array.from({ length: 5_000 }, (_, i) => entries.find({ scope: "login", subject: `flood${i}` }));
    expect(left.filter((entry) => entry !== undefined).length).toBeWithin(800, 1_000);
    expect(entries.find({ scope: "login", subject: "used" })).toBeDefined();
    expect(entries.find({ scope: "totp", subject: "mary" })).toBeDefined();
  });

  test("entries that are taken together are made together", () => {
    const entries = new LimiterEntries(100, () => 1);
    for (let i = 0; i < 99; i++) entries.take([{ scope: "login", subject: `${i}`, windowMs: 60_000 }]);
    const pair = ["a", "b"].map((subject) => ({ scope: "login", subject, windowMs: 60_000 }));
    expect(entries.take(pair)).toEqual(pair.map((key) => entries.find(key)!));
    const left = Array.from({ length: 99 }, (_, i) => entries.find({ scope: "login", subject: `${i}` }));
    expect(left.filter((entry) => entry !== undefined).length).toBeLessThanOrEqual(98);
  });
});
