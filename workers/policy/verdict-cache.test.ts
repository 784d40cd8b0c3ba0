// Tests of what a shard remembers of credentials: under which key, for how long, and what goes when it is full.

import { describe, expect, test } from "bun:test";
import type { Pass } from "./verdict.ts";
import { createVerdictCache } from "./verdict-cache.ts";

const pass: Pass = { kind: "pass", user: "ada", email: null, strip: "keys" };

/** A cache of two passes and two refusals, at second 0 of verdicts that end at second 10. */
function setUp() {
  const cache = createVerdictCache(2);
  const set = (key: string, verdict: Pass | null = pass): void => cache.set(key, "v1", verdict, 10);
  const known = (...keys: string[]) => keys.filter((key) => cache.get(key, "v1", 0) !== undefined);
  return { cache, set, known };
}

test("whoever was not seen for longest goes first", () => {
  const { set, known } = setUp();
  set("a");
  set("b");
  expect(known("b", "a")).toEqual(["b", "a"]);
  set("c");
  expect(known("a", "b", "c")).toEqual(["a", "c"]);
});

test("a newer outcome takes the place of the former one, either way", () => {
  const { cache, set } = setUp();
  set("a");
  set("a", null);
  expect(cache.get("a", "v1", 0)).toBeNull();
  set("a");
  expect(cache.get("a", "v1", 0)).toEqual(pass);
  cache.set("a", "v1", pass, 5);
  expect(cache.get("a", "v1", 5)).toBeUndefined();
  set("a");
  set("b");
  cache.delete("a");
  set("c");
  expect(cache.get("b", "v1", 0)).toEqual(pass);
});

describe("security", () => {
  test("a verdict ends at its time, and with the version of the policy, for good", () => {
    for (const [version, nowMs] of [
      ["v1", 10],
      ["v2", 0],
    ] as const) {
      const { cache, set } = setUp();
      set("a");
      set("b", null);
      expect([cache.get("a", version, nowMs), cache.get("b", version, nowMs)]).toEqual([undefined, undefined]);
      expect([cache.get("a", "v1", 0), cache.get("b", "v1", 0)]).toEqual([undefined, undefined]);
    }
  });

  test("what is deleted is unknown, pass or refusal", () => {
    const { cache, set, known } = setUp();
    set("a");
    set("b", null);
    cache.delete("a");
    cache.delete("b");
    expect(known("a", "b")).toEqual([]);
  });

  test("a key is of one name, kind and credential, and tells nothing of them to whoever has another cache's secret", () => {
    const { cache } = setUp();
    const keys = [
      cache.keyOf("app", "session", "x"),
      cache.keyOf("app2", "session", "x"),
      cache.keyOf("app", "api_key", "x"),
      cache.keyOf("app", "session", "y"),
      cache.keyOf("apps", "ession", "x"),
      createVerdictCache(2).keyOf("app", "session", "x"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(cache.keyOf("app", "session", "x")).toBe(keys[0]!);
  });
});
