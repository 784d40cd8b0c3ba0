// Judges every visitor request of a shard: one ordered list of steps, the first that says something decides.

import type { ErrorCode } from "../../src/lib/errors.ts";
import type { Answer, Ask, Asker, NameEntry } from "../../src/link/messages.ts";
import { readCookie, visitorCookieName } from "../../src/policy/cookies.ts";
import { authPaths, isAuthPath } from "../../src/policy/paths.ts";
import type { ProtectedPolicy } from "../../src/policy/types.ts";
import { decodeBasic, readApiKey, readBasic } from "./credentials.ts";
import type { PolicyState } from "./state.ts";
import type { Pass, Refusal, Verdict, VisitorRequest } from "./verdict.ts";

type Step = (request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState) => Outcome;
type Outcome = Verdict | null | Promise<Verdict | null>;

/** What a visitor of a protected name passes, in this order; who passes none is asked for a credential. Sessions stand before the limiter: it never locks them out. */
const steps: readonly Step[] = [
  checkRanges,
  checkPreflight,
  checkAuthPath,
  checkSession,
  checkBlock,
  checkApiKey,
  checkBasic,
];

/** What an open name answers to everybody. */
export const openPass: Pass = { kind: "pass", user: null, email: null, strip: "keys" };
const preflightPass: Pass = { kind: "pass", user: null, email: null, strip: "keys+basic" };
const relay: Verdict = { kind: "relay" };
/** Which rule turns a visitor away, for whoever reads the answer. */
const texts = {
  broken: "Nobody may visit this application until its policy is set right.",
  address: "This application may not be visited from your address.",
  api_key: "This application asks for an API key: X-API-Key, or Authorization: Bearer.",
  basic: "This application asks for a username and password (HTTP Basic).",
  oidc: "This application asks to log in with a browser first.",
};
const maxReturnChars = 2_048;
/** What the steps after the first question read. */
const laterHeaders = ["authorization", "x-api-key"] as const;
/** Sessions carry 256 bits in base64url; anything else never was one. */
const sessionPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * Judges one request; the caller acts on the verdict before it looks for an agent, holds the visitor, or shows a page.
 * Without a promise for open names and for credentials seen lately. Whatever goes wrong refuses.
 */
export function judge(request: VisitorRequest, entry: NameEntry, state: PolicyState): Verdict | Promise<Verdict> {
  const { policy } = entry;
  if (policy.kind === "open") return openPass;
  if (policy.kind === "deny") return refuse("policy_denied", [], { rule: "policy_broken" }, texts.broken);
  return runFrom(0, request, entry, policy, state);
}

/** Whether `judge` would answer `openPass` whatever the request: the fast path for names without a policy. */
export function isOpenToAll(policy: NameEntry["policy"]): boolean {
  return policy.kind === "open";
}

function runFrom(
  first: number,
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): Verdict | Promise<Verdict> {
  for (let i = first; i < steps.length; i++) {
    const outcome = steps[i]?.(request, entry, policy, state) ?? null;
    if (outcome === null) continue;
    if (!(outcome instanceof Promise)) return outcome;
    const kept = keepCredentials(request);
    return outcome.then((verdict) => verdict ?? runFrom(i + 1, kept, entry, policy, state));
  }
  return challenge(request, policy);
}

/** The head that a request reads from is somebody else's once we have waited: what later steps read is read now. */
function keepCredentials(request: VisitorRequest): VisitorRequest {
  const { method, target, address, network, wantsHtml } = request;
  const kept = new Map<string, string | null>(laterHeaders.map((name) => [name, request.header(name)]));
  return { method, target, address, network, wantsHtml, header: (name) => kept.get(name) ?? null };
}

function checkRanges(request: VisitorRequest, _entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  const { allowIps, denyIps } = policy;
  const denied = denyIps.length > 0 && state.ranges(denyIps).matches(request.address);
  const allowed = allowIps.length === 0 || state.ranges(allowIps).matches(request.address);
  return !denied && allowed ? null : refuse("policy_denied", [], { rule: "address_denied" }, texts.address);
}

function checkPreflight(request: VisitorRequest, _entry: NameEntry, policy: ProtectedPolicy): Outcome {
  if (!policy.allowPreflight || request.method !== "OPTIONS") return null;
  const isPreflight = request.header("origin") !== null && request.header("access-control-request-method") !== null;
  return isPreflight ? preflightPass : null;
}

function checkAuthPath(
  request: VisitorRequest,
  entry: NameEntry,
  _policy: ProtectedPolicy,
  state: PolicyState,
): Outcome {
  if (!isAuthPath(request.target)) return null;
  if (request.target.startsWith(authPaths.logout)) {
    const session = readSession(request, state);
    if (session !== null) state.cache.delete(state.cache.keyOf(entry.name, "session", session));
  }
  return relay;
}

function checkSession(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.kind === "api_key") return null;
  const session = readSession(request, state);
  if (session === null) return null;
  const ask = (): Ask => ({
    kind: "session",
    name: entry.name,
    appId: entry.appId,
    session,
    ...askerOf(request),
  });
  // A session that has ended is nobody's failure: the visitor is asked to log in again.
  return decide("session", session, ask, () => null, request, entry, policy, state);
}

function checkBlock(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.limiter === null) return null;
  const untilMs = state.blockedUntilMs(scopeOf(entry), request.network);
  return untilMs === 0 ? null : blocked(untilMs - state.nowMs());
}

function checkApiKey(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (!policy.apiKeys) return null;
  const key = readApiKey(request, policy.kind === "api_key");
  if (key === null) return null;
  const { name, appId, orgId } = entry;
  const ask = (): Ask => ({ kind: "api_key", name, appId, orgId, key, ...askerOf(request) });
  return decide("api_key", key, ask, (again) => unauthorized(policy, again), request, entry, policy, state);
}

function checkBasic(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.kind !== "basic") return null;
  const encoded = readBasic(request);
  if (encoded === null) return null;
  const { name, appId } = entry;
  const ask = (): Ask | null => {
    const basic = decodeBasic(encoded);
    return basic === null ? null : { kind: "basic", name, appId, ...basic, ...askerOf(request) };
  };
  return decide("basic", encoded, ask, (again) => unauthorized(policy, again), request, entry, policy, state);
}

function challenge(request: VisitorRequest, policy: ProtectedPolicy): Verdict {
  const mayLogIn = policy.kind !== "api_key" && request.wantsHtml;
  if (!mayLogIn || (request.method !== "GET" && request.method !== "HEAD")) return unauthorized(policy, null);
  const page = policy.kind === "basic" ? authPaths.basic : authPaths.login;
  const back = request.target.length > maxReturnChars ? "/" : request.target;
  return { kind: "redirect", location: `${page}?to=${encodeURIComponent(back)}` };
}

/**
 * The remembered verdict on a credential, or main's; null when there is nothing to `ask`. `refused` is what a wrong one
 * leads to, and is told when nobody but us knows of it: main has told of what it judged itself.
 */
function decide(
  kind: "session" | "api_key" | "basic",
  credential: string,
  ask: () => Ask | null,
  refused: (again: Refusal | null) => Verdict | null,
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): Outcome {
  const key = state.cache.keyOf(entry.name, kind, credential);
  const known = state.cache.get(key, policy.version, state.nowMs());
  if (known === null) {
    if (kind === "session") return refused(null);
    countAgain(kind, request, entry, policy, state);
    const identity = kind === "basic" ? (decodeBasic(credential)?.username.slice(0, 256) ?? null) : null;
    const rule = kind === "basic" ? "wrong_credential" : "wrong_key";
    return refused({ rule, credential: { authType: kind, identity } });
  }
  if (known !== undefined) return known;
  const question = ask();
  if (question === null) return null;
  // Who asks is part of the question, or one address's failures would be counted on another.
  // The version as well: what was asked before a change says nothing about what is permitted after it.
  return state.ask(`${key} ${policy.version} ${request.address} ${request.network}`, question).then((answer) => {
    if (answer?.kind === "allow") {
      const pass = passOf(answer, policy);
      state.cache.set(key, policy.version, pass, state.nowMs() + answer.cacheMs);
      return pass;
    }
    if (answer?.kind === "deny") {
      state.cache.set(key, policy.version, null, state.nowMs() + answer.cacheMs);
      return refused(null);
    }
    if (answer?.kind === "blocked") return blockedByMain(answer.retryAfterMs, request, entry, state);
    return refuse("unavailable", [["Retry-After", "2"]], { rule: "overloaded" });
  });
}

/** A wrong credential that was remembered is a failure too: main counts it, and may answer with a block. */
function countAgain(
  kind: "api_key" | "basic",
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): void {
  const { address, network } = request;
  if (policy.limiter === null || network === null) return;
  const { name, appId } = entry;
  const id = `again ${name} ${address} ${crypto.randomUUID()}`;
  void state.ask(id, { kind: "failure", of: kind, name, appId, address, network }).then((answer) => {
    if (answer?.kind === "blocked") state.block(scopeOf(entry), network, state.nowMs() + answer.retryAfterMs);
  });
}

function passOf(answer: Extract<Answer, { kind: "allow" }>, policy: ProtectedPolicy): Pass {
  const strip = policy.kind === "basic" ? "keys+basic" : "keys";
  return { kind: "pass", user: printable(answer.user), email: printable(answer.email), strip };
}

/** Identities come from providers and end in a header: whatever isn't printable ASCII is percent-encoded. */
function printable(text: string | null): string | null {
  if (text === null || text === "") return null;
  const safe = /^[!-~]+(?: [!-~]+)*$/.test(text) ? text : encodeURIComponent(text.toWellFormed());
  return safe.slice(0, 512);
}

/** What the limiter counts under: the application, or the name itself when it has none. */
function scopeOf(entry: NameEntry): string {
  return entry.appId ?? `name:${entry.name}`;
}

function askerOf({ address, network }: VisitorRequest): Asker {
  return { address, network };
}

function readSession(request: VisitorRequest, state: PolicyState): string | null {
  const value = readCookie(request.header("cookie"), visitorCookieName(state.scheme));
  return value !== null && sessionPattern.test(value) ? value : null;
}

function unauthorized(policy: ProtectedPolicy, again: Refusal | null): Verdict {
  const scheme = policy.kind === "basic" ? `Basic realm="digit-link", charset="UTF-8"` : `Bearer realm="digit-link"`;
  return refuse("unauthorized", [["WWW-Authenticate", scheme]], again, texts[policy.kind]);
}

function blockedByMain(retryAfterMs: number, request: VisitorRequest, entry: NameEntry, state: PolicyState): Verdict {
  state.block(scopeOf(entry), request.network, state.nowMs() + retryAfterMs);
  return blocked(retryAfterMs);
}

function blocked(retryAfterMs: number): Verdict {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const wait = seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
  const message = `Too many failed attempts from your address. Try again in ${wait}.`;
  return refuse("rate_limited", [["Retry-After", String(seconds)]], { rule: "address_blocked" }, message);
}

function refuse(code: ErrorCode, headers: [string, string][], refusal: Refusal | null, message?: string): Verdict {
  return { kind: "refuse", code, headers, refusal, ...(message === undefined ? {} : { message }) };
}
