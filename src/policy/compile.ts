// Turns an effective policy into what a shard gets, under a version that ends what was remembered before.

import { parseCidr } from "../lib/cidr.ts";
import type { CompiledPolicy, EffectivePolicy } from "./types.ts";

/**
 * Compiles the policy of one name. `keysVersion` changes whenever an API key that may pass here is added, changed or
 * removed; it is part of the version, so that shards forget what they remembered of the keys.
 * A policy kind that this program doesn't know compiles to `deny`.
 */
export function compilePolicy(effective: EffectivePolicy, keysVersion: string): CompiledPolicy {
  if (effective.kind !== "protected") return { kind: effective.kind };
  const { policy, limiter } = effective;
  // A range that can't be read would let in or shut out the wrong addresses.
  if ([...policy.allowIps, ...policy.denyIps].some((range) => parseCidr(range) === null)) {
    return { kind: "deny" };
  }
  switch (policy.authType) {
    case "basic":
    case "api_key":
    case "oidc":
      return {
        kind: policy.authType,
        version: digest([policy, limiter, keysVersion]),
        allowIps: policy.allowIps,
        denyIps: policy.denyIps,
        apiKeys: policy.authType === "api_key" || policy.apiKeyEnabled,
        allowPreflight: policy.allowPreflight,
        limiter,
      };
    default:
      return { kind: "deny" };
  }
}

/** SHA-256 over JSON, base64url. */
function digest(value: unknown): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(value)).digest("base64url");
}
