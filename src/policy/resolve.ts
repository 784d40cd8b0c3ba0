// Which policy is in force for a name, as a pure decision; what can't be decided denies.

import type { AuthMode, EffectivePolicy, LimiterSettings, LoadedPolicy, OwnLimiter, PolicySource } from "./types.ts";

/** Everything the decision depends on, loaded by the caller. */
export interface PolicyInput {
  /** The application that owns the name; null for an ad-hoc tunnel. */
  application: { authMode: string; policy: LoadedPolicy } | null;
  /** The organization of the application or, for an ad-hoc tunnel, of the account that opened it; null when it has none. */
  organization: { policy: LoadedPolicy } | null;
  /** The limiters of application and organization (null: none of its own), and the server's. */
  limiters: { application: OwnLimiter | null; organization: OwnLimiter | null; usual: LimiterSettings };
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

/** Which limiter counts: the application's own, else its organization's, else the server's. */
export function resolveLimiter<T>(
  application: T | null,
  organization: T | null,
  usual: T,
): { limiter: T; source: "application" | "organization" | "default" } {
  if (application !== null) return { limiter: application, source: "application" };
  if (organization !== null) return { limiter: organization, source: "organization" };
  return { limiter: usual, source: "default" };
}

function fromLoaded(
  input: PolicyInput,
  loaded: Exclude<LoadedPolicy, { state: "absent" }>,
  source: PolicySource,
): EffectivePolicy {
  if (loaded.state === "broken") return deny(input, source, loaded.reason);
  const { limiter, source: limiterSource } = limiterOf(input);
  return {
    kind: "protected",
    policy: loaded.policy,
    limiter,
    sources: { authentication: source, addresses: source, apiKeys: source, limiter: limiterSource },
  };
}

function open(input: PolicyInput, source: PolicySource, reason: string): EffectivePolicy {
  return { kind: "open", reason, ...withoutPolicy(input, source) };
}

function deny(input: PolicyInput, source: PolicySource, reason: string): EffectivePolicy {
  return { kind: "deny", reason, ...withoutPolicy(input, source) };
}

function withoutPolicy(input: PolicyInput, source: PolicySource): Pick<EffectivePolicy, "limiter" | "sources"> {
  const { limiter, source: limiterSource } = limiterOf(input);
  return { limiter, sources: { authentication: source, addresses: "none", apiKeys: "none", limiter: limiterSource } };
}

function limiterOf({ limiters }: PolicyInput): { limiter: LimiterSettings | null; source: PolicySource } {
  const { limiter, source } = resolveLimiter<OwnLimiter>(limiters.application, limiters.organization, limiters.usual);
  return { limiter: limiter === "off" ? null : limiter, source };
}
