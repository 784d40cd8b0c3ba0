// Tests of what a shard gets of a policy, and of when its version changes.

import { describe, expect, test } from "bun:test";
import { compilePolicy } from "./compile.ts";
import type { EffectivePolicy, LimiterSettings, Policy } from "./types.ts";

const base = {
  version: "v1",
  allowIps: [],
  denyIps: [],
  apiKeyEnabled: false,
  allowPreflight: false,
  sessionHours: 24,
};
const basic: Policy = { ...base, authType: "basic", basicUsername: "ada", basicPasswordHash: "$2b$hash" };
const sources = {
  authentication: "application",
  addresses: "application",
  apiKeys: "application",
  limiter: "default",
} as const;

const usualLimiter = { maxAttempts: 10, windowMs: 1, blockMs: 1 };

function effective(policy: Policy, limiter: LimiterSettings | null = usualLimiter): EffectivePolicy {
  return { kind: "protected", policy, limiter, sources };
}

describe("compilePolicy", () => {
  test("tells a shard what it needs and no secret", () => {
    const ranges = { allowIps: ["192.0.2.0/24"], denyIps: ["192.0.2.1"] };
    expect(compilePolicy(effective({ ...basic, ...ranges, apiKeyEnabled: true, allowPreflight: true }), "")).toEqual({
      ...{ kind: "basic", version: expect.any(String), ...ranges, apiKeys: true, allowPreflight: true },
      limiter: usualLimiter,
    });
    expect(compilePolicy(effective(basic, null), "")).toEqual({
      ...{ kind: "basic", version: expect.any(String), allowIps: [], denyIps: [], apiKeys: false },
      ...{ allowPreflight: false, limiter: null },
    });
    expect(compilePolicy({ kind: "open", reason: "x", limiter: null, sources }, "")).toEqual({ kind: "open" });
  });

  test("API keys always pass an api_key policy", () => {
    expect(compilePolicy(effective({ ...base, authType: "api_key" }), "")).toMatchObject({ apiKeys: true });
  });

  test("the version follows every part", () => {
    const variants: [EffectivePolicy, string][] = [
      [effective(basic), ""],
      [effective(basic), "1 key_2"],
      [effective(basic, null), ""],
      [effective({ ...basic, version: "v2" }), ""],
      [effective({ ...basic, denyIps: ["10.0.0.0/8"] }), ""],
      [effective({ ...basic, sessionHours: 1 }), ""],
    ];
    const versions = variants.map(([policy, keys]) => {
      const compiled = compilePolicy(policy, keys);
      return "version" in compiled ? compiled.version : "";
    });
    expect(new Set(versions).size).toBe(variants.length);
    expect(compilePolicy(effective({ ...basic }), "")).toEqual(compilePolicy(effective(basic), ""));
  });
});

describe("security", () => {
  test("an unknown type and a range that can't be read compile to deny", () => {
    const unknown = { ...base, authType: "none" } as unknown as Policy;
    expect(compilePolicy(effective(unknown), "").kind).toBe("deny");
    for (const ranges of [{ allowIps: ["x"] }, { denyIps: ["10.0.0.0/99"] }, { denyIps: ["10.0.0.0/8", ""] }])
      expect(compilePolicy(effective({ ...basic, ...ranges }), "").kind).toBe("deny");
    expect(compilePolicy({ kind: "deny", reason: "x", limiter: null, sources }, "").kind).toBe("deny");
  });
});
