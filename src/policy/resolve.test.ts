// Table tests of the decision which policy is in force.

import { describe, expect, test } from "bun:test";
import { resolveLimiter, resolvePolicy, type PolicyInput } from "./resolve.ts";
import type { LoadedPolicy, OwnLimiter, Policy, PolicySource } from "./types.ts";

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
    const ofPolicy = kind === "protected" ? source : "none";
    expect<object>(effective.sources).toEqual({
      authentication: source,
      addresses: ofPolicy,
      apiKeys: ofPolicy,
      limiter: "default",
    });
  });

  const [own, shared] = [
    { maxAttempts: 3, windowMs: 60_000, blockMs: 60_000 },
    { maxAttempts: 5, windowMs: 60_000, blockMs: 60_000 },
  ];
  /** [what, application's own limiter, organization's own limiter, what counts, where it comes from] */
  const limiters: [string, OwnLimiter | null, OwnLimiter | null, OwnLimiter, string][] = [
    ["neither has one: the server's", null, null, usualLimiter, "default"],
    ["the organization's for whoever has none", null, shared, shared, "organization"],
    ["off for the whole organization", null, "off", "off", "organization"],
    ["the application's before the organization's", own, shared, own, "application"],
    ["the application's where the organization has it off", own, "off", own, "application"],
    ["off for one application", "off", shared, "off", "application"],
    ["the application's alone", own, null, own, "application"],
  ];
  test.each(limiters)("the limiter: %s", (_what, application, organization, limiter, source) => {
    expect(resolveLimiter<OwnLimiter>(application, organization, usualLimiter)).toEqual({
      limiter,
      source: source as "default",
    });
    // Whatever the policy is, and for an ad-hoc tunnel too.
    for (const [authMode, policy] of [
      ["custom", loaded],
      ["custom", absent],
      ["disabled", absent],
      [null, loaded],
    ] as const) {
      const input = {
        ...inputOf(authMode, policy, loaded),
        limiters: { application, organization, usual: usualLimiter },
      };
      expect(resolvePolicy(input)).toMatchObject({
        limiter: limiter === "off" ? null : limiter,
        sources: { limiter: source as "default" },
      });
    }
  });
});

describe("security", () => {
  /** [what, auth mode, application's policy, organization's policy, whose fault, why] */
  const denied: [string, string | null, LoadedPolicy, LoadedPolicy | null, PolicySource, string][] = [
    ["custom without a policy", "custom", absent, loaded, "application", "custom policy is missing"],
    ["custom with a broken policy doesn't fall back", "custom", broken, loaded, "application", "unreadable"],
    ["inherit of a broken policy", "inherit", loaded, broken, "organization", "unreadable"],
    ["ad hoc under a broken policy", null, absent, broken, "organization", "unreadable"],
    ["an unknown auth mode", "open-to-all", loaded, loaded, "application", "unknown auth mode"],
    ["an empty auth mode", "", absent, null, "application", "unknown auth mode"],
  ];
  test.each(denied)("denies: %s", (_what, authMode, own, org, authentication, reason) => {
    expect(resolvePolicy(inputOf(authMode, own, org))).toMatchObject({
      kind: "deny",
      reason,
      sources: { authentication, addresses: "none", apiKeys: "none" },
    });
  });
});

function inputOf(authMode: string | null, own: LoadedPolicy, org: LoadedPolicy | null): PolicyInput {
  return {
    application: authMode === null ? null : { authMode, policy: own },
    organization: org === null ? null : { policy: org },
    limiters: { application: null, organization: null, usual: usualLimiter },
  };
}
