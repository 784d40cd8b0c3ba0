// What a visitor policy is, as stored and as compiled for a shard.

/** The compiled policy of one name: everything a shard needs to judge a visitor without a database. */
export type CompiledPolicy =
  | { kind: "open"; allowIps: string[]; denyIps: string[] }
  /** Nobody passes: the policy is missing, broken or unknown. */
  | { kind: "deny"; reason: string }
  | {
      kind: "basic" | "api_key" | "oidc";
      /** Changes when any part changes; caches of verdicts are keyed by it. */
      version: string;
      /** Visitor ranges, judged first: a match in deny refuses, a non-empty allow must match. */
      allowIps: string[];
      denyIps: string[];
      /** API keys pass as well (always for `api_key`, an add-on for the others). */
      apiKeys: boolean;
      /** A CORS preflight passes unauthenticated. */
      allowPreflight: boolean;
      /** Failures per address before it is blocked; null = limiter off. */
      limiter: { maxAttempts: number; windowMs: number; blockMs: number } | null;
    };
