// The judge of visitors on a policy of the test's choice, with main's answers and the clock in the test's hand.

import { Head } from "../../src/http1/head.ts";
import { networkOf } from "../../src/lib/cidr.ts";
import type { Answer, Ask, NameEntry } from "../../src/link/messages.ts";
import type { CompiledPolicy, ProtectedPolicy } from "../../src/policy/types.ts";
import { HeadRequest } from "../../workers/policy/head-request.ts";
import { judge } from "../../workers/policy/judge.ts";
import { LatelyShown } from "../../workers/policy/lately-shown.ts";
import { createPolicyState, type PolicyStateOptions } from "../../workers/policy/state.ts";
import type { Verdict } from "../../workers/policy/verdict.ts";
import { requestText } from "./fake-visitor.ts";

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

export interface TestRequest {
  method?: string;
  target?: string;
  /** Field lines by their names. */
  headers?: Record<string, string>;
  address?: string;
  network?: string | null;
  wantsHtml?: boolean;
}

/** The request as a shard reads it, by `head`, which is the next one's as soon as this has been called again. */
export function readRequest(request: TestRequest, head = new Head(), lately = new LatelyShown()): HeadRequest {
  const { method = "GET", target = "/", headers = {}, address = "192.0.2.1", wantsHtml = false } = request;
  const { network = networkOf(address) } = request;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const bytes = Buffer.from(requestText(`${method} ${target}`, ...lines), "latin1");
  if (head.parseRequest(bytes, 0, bytes.length) !== bytes.length) throw new Error(head.detail);
  return new HeadRequest(head, lately.of(head), address, network, wantsHtml);
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
  const head = new Head();
  const lately = new LatelyShown();
  const run = (request: TestRequest): Verdict | Promise<Verdict> =>
    judge(readRequest(request, head, lately), entry, state);
  return { ask, run, entry, clock, state };
}
