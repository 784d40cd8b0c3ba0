// Table tests of the decision which policy is in force.

import { describe, expect, test } from "bun:test";
import { resolvePolicy, type PolicyInput } from "./resolve.ts";
import type { LoadedPolicy, Policy } from "./types.ts";

const policy: Policy = {
  version: "v1",
  authType: "api_key",
  allowIps: [],
  denyIps: [],
  apiKeyEnabled: true,
  allowPreflight: false,
  sessionHours: 24,
};
const usualLimiter = { maxAttempts: 10, windowMs: 900_000, blockMs: 1_800_000 };
const loaded: LoadedPolicy = { state: "loaded", policy };
const absent: LoadedPolicy = { state: "absent" };
const broken: LoadedPolicy = { state: "broken", reason: "unreadable" };

/** [what, auth mode (null = ad hoc), application's policy, organization's policy (null = no organization), kind, source] */
const table: [string, string | null, LoadedPolicy, LoadedPolicy | null, string, string][] = [
  ["disabled is open, whatever else is stored", "disabled", loaded, loaded, "open", "application"],
  ["disabled is open beside a broken policy", "disabled", broken, broken, "open", "application"],
  ["custom takes its own", "custom", loaded, absent, "protected", "application"],
  ["inherit takes the organization's", "inherit", absent, loaded, "protected", "organization"],
  ["inherit ignores the application's own", "inherit", loaded, loaded, "protected", "organization"],
  ["inherit without an organization's policy is open", "inherit", absent, absent, "open", "none"],
  ["ad hoc takes the organization's", null, absent, loaded, "protected", "organization"],
  ["ad hoc without an organization's policy is open", null, absent, absent, "open", "none"],
  ["ad hoc without an organization is open", null, absent, null, "open", "none"],
];

describe("resolvePolicy", () => {
  test.each(table)("%s", (_what, authMode, own, org, kind, source) => {
    const effective = resolvePolicy(inputOf(authMode, own, org));
    expect(effective.kind).toBe(kind as typeof effective.kind);
    expect(effective.sources.authentication).toBe(source as typeof effective.sources.authentication);
  });

  test("the limiter is the application's, the default, or off", () => {
    const own = { maxAttempts: 3, windowMs: 60_000, blockMs: 60_000 };
    const base = inputOf("custom", loaded, null);
    expect(resolvePolicy(base)).toMatchObject({ limiter: usualLimiter, sources: { limiter: "default" } });
    expect(resolvePolicy({ ...base, limiter: own })).toMatchObject({
      limiter: own,
      sources: { limiter: "application" },
    });
    expect(resolvePolicy({ ...base, limiter: "off" })).toMatchObject({ limiter: null });
  });
});

describe("security", () => {
  const denied: [string, string | null, LoadedPolicy, LoadedPolicy | null][] = [
    ["custom without a policy", "custom", absent, loaded],
    ["custom with a broken policy doesn't fall back", "custom", broken, loaded],
    ["inherit of a broken policy", "inherit", loaded, broken],
    ["ad hoc under a broken policy", null, absent, broken],
    ["an unknown auth mode", "open-to-all", loaded, loaded],
    ["an empty auth mode", "", absent, null],
  ];
  test.each(denied)("denies: %s", (_what, authMode, own, org) => {
    expect(resolvePolicy(inputOf(authMode, own, org)).kind).toBe("deny");
  });
});

function inputOf(authMode: string | null, own: LoadedPolicy, org: LoadedPolicy | null): PolicyInput {
  return {
    application: authMode === null ? null : { authMode, policy: own },
    organization: org === null ? null : { policy: org },
    limiter: null,
    usualLimiter,
  };
}
