// Tests of what a shard gets of a policy, and of when its version changes.

import { describe, expect, test } from "bun:test";
import { compilePolicy } from "./compile.ts";
import type { EffectivePolicy, Policy } from "./types.ts";

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

function effective(policy: Policy): EffectivePolicy {
  return { kind: "protected", policy, limiter: { maxAttempts: 10, windowMs: 1, blockMs: 1 }, sources };
}

describe("compilePolicy", () => {
  test("tells a shard what it needs and no secret", () => {
    const compiled = compilePolicy(effective({ ...basic, apiKeyEnabled: true }), "");
    expect(compiled).toMatchObject({ kind: "basic", apiKeys: true, allowPreflight: false });
    expect(JSON.stringify(compiled)).not.toContain("$2b$");
    expect(JSON.stringify(compiled)).not.toContain("ada");
  });

  test("API keys always pass an api_key policy", () => {
    expect(compilePolicy(effective({ ...base, authType: "api_key" }), "")).toMatchObject({ apiKeys: true });
  });

  test("the version follows every part", () => {
    const variants: [Policy, string][] = [
      [basic, ""],
      [basic, "1 key_2"],
      [{ ...basic, version: "v2" }, ""],
      [{ ...basic, denyIps: ["10.0.0.0/8"] }, ""],
      [{ ...basic, sessionHours: 1 }, ""],
    ];
    const versions = variants.map(([policy, keys]) => {
      const compiled = compilePolicy(effective(policy), keys);
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
    expect(compilePolicy(effective({ ...basic, denyIps: ["10.0.0.0/99"] }), "").kind).toBe("deny");
    expect(compilePolicy({ kind: "deny", reason: "x", limiter: null, sources }, "").kind).toBe("deny");
  });
});
