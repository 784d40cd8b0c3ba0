// Which policy is in force for a name, as a pure decision; what can't be decided denies.

import type { AuthMode, EffectivePolicy, LimiterSettings, LoadedPolicy, PolicySource } from "./types.ts";

/** Everything the decision depends on, loaded by the caller. */
export interface PolicyInput {
  /** The application that owns the name; null for an ad-hoc tunnel. */
  application: { authMode: string; policy: LoadedPolicy } | null;
  /** The organization of the application or, for an ad-hoc tunnel, of the account that opened it; null when it has none. */
  organization: { policy: LoadedPolicy } | null;
  /** The application's own limiter: settings, switched off, or null for the default. */
  limiter: LimiterSettings | "off" | null;
  /** What counts when the application has none of its own. */
  usualLimiter: LimiterSettings;
}

const authModes: readonly string[] = ["inherit", "disabled", "custom"] satisfies AuthMode[];

/** Decides the effective policy: `disabled` is open, `custom` without a policy and anything unreadable is denied. */
export function resolvePolicy(input: PolicyInput): EffectivePolicy {
  const { application, organization } = input;
  if (application !== null && !authModes.includes(application.authMode)) {
    return deny(input, "application", `unknown auth mode`);
  }
  if (application?.authMode === "disabled") {
    return open(input, "application", "The application's policy is disabled.");
  }
  if (application?.authMode === "custom") {
    if (application.policy.state === "absent") return deny(input, "application", "custom policy is missing");
    return fromLoaded(input, application.policy, "application");
  }
  if (organization === null)
    return open(input, "none", "The account belongs to no organization, so there is no policy.");
  if (organization.policy.state === "absent") return open(input, "none", "The organization has no policy.");
  return fromLoaded(input, organization.policy, "organization");
}

function fromLoaded(
  input: PolicyInput,
  loaded: Exclude<LoadedPolicy, { state: "absent" }>,
  source: PolicySource,
): EffectivePolicy {
  if (loaded.state === "broken") return deny(input, source, loaded.reason);
  return {
    kind: "protected",
    policy: loaded.policy,
    ...limiterOf(input),
    sources: { authentication: source, addresses: source, apiKeys: source, limiter: limiterSource(input) },
  };
}

function open(input: PolicyInput, source: PolicySource, reason: string): EffectivePolicy {
  return { kind: "open", reason, ...limiterOf(input), sources: sameSource(input, source) };
}

function deny(input: PolicyInput, source: PolicySource, reason: string): EffectivePolicy {
  return { kind: "deny", reason, ...limiterOf(input), sources: sameSource(input, source) };
}

function sameSource(input: PolicyInput, source: PolicySource): EffectivePolicy["sources"] {
  return { authentication: source, addresses: "none", apiKeys: "none", limiter: limiterSource(input) };
}

function limiterOf(input: PolicyInput): { limiter: LimiterSettings | null } {
  return { limiter: input.limiter === "off" ? null : (input.limiter ?? input.usualLimiter) };
}

function limiterSource(input: PolicyInput): PolicySource {
  return input.limiter === null ? "default" : "application";
}
