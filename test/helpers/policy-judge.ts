// The judge of visitors on a policy of the test's choice, with main's answers and the clock in the test's hand.

import { networkOf } from "../../src/lib/cidr.ts";
import type { Answer, Ask, NameEntry } from "../../src/link/messages.ts";
import type { CompiledPolicy, ProtectedPolicy } from "../../src/policy/types.ts";
import { judge } from "../../workers/policy/judge.ts";
import { createPolicyState, type PolicyStateOptions } from "../../workers/policy/state.ts";
import type { Verdict, VisitorRequest } from "../../workers/policy/verdict.ts";

export const session = "s".repeat(43);
export const allow: Extract<Answer, { kind: "allow" }> = {
  kind: "allow",
  user: "ada",
  email: "ada@example.com",
  keyId: null,
  cacheMs: 60_000,
};
export const deny: Answer = { kind: "deny", reason: "wrong", cacheMs: 60_000 };
export const basicAuth = `Basic ${Buffer.from("ada:secret").toString("base64")}`;

/** A policy of a kind, otherwise plain. */
export function protectedPolicy(kind: ProtectedPolicy["kind"]): ProtectedPolicy {
  return {
    kind,
    version: "v1",
    allowIps: [],
    denyIps: [],
    apiKeys: kind === "api_key",
    allowPreflight: false,
    limiter: { maxAttempts: 10, windowMs: 60_000, blockMs: 60_000 },
  };
}

interface SetUp extends Partial<Omit<PolicyStateOptions, "ask">> {
  answer?: Answer;
  reply?: () => Promise<Answer>;
}

interface TestRequest extends Partial<Omit<VisitorRequest, "header">> {
  headers?: Record<string, string>;
}

/** What main is asked is in `ask`; `run` judges one request. */
export function setUp(policy: CompiledPolicy, options: SetUp = {}) {
  const { answer = allow, reply = () => Promise.resolve(answer), ...rest } = options;
  const ask: Ask[] = [];
  const clock = { ms: 1_000_000 };
  const state = createPolicyState({
    scheme: "http",
    nowMs: () => clock.ms,
    ask: (one) => {
      ask.push(one);
      return reply();
    },
    ...rest,
  });
  const entry: NameEntry = { name: "app", appId: "app_1", orgId: "org_1", policy, heldUntilMs: 0 };
  const run = ({ headers = {}, ...request }: TestRequest): Verdict | Promise<Verdict> =>
    judge(
      {
        method: "GET",
        target: "/",
        address: "192.0.2.1",
        network: networkOf(request.address ?? "192.0.2.1"),
        wantsHtml: false,
        header: (name) => headers[name] ?? null,
        ...request,
      },
      entry,
      state,
    );
  return { ask, run, entry, clock, state };
}
