// Judges every visitor request of a shard: one ordered list of steps, the first that says something decides.

import type { ErrorCode } from "../../src/lib/errors.ts";
import type { Answer, Ask, Asker, NameEntry } from "../../src/link/messages.ts";
import { authPaths } from "../../src/policy/paths.ts";
import type { ProtectedPolicy } from "../../src/policy/types.ts";
import { type Credential, decodeBasic } from "./credentials.ts";
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
    return goOn(outcome, i + 1, keep(request), entry, policy, state);
  }
  return challenge(request, policy);
}

async function goOn(
  outcome: Promise<Verdict | null>,
  next: number,
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): Promise<Verdict> {
  return (await outcome) ?? runFrom(next, request, entry, policy, state);
}

/** The head that a request reads from is somebody else's once we have waited: what later steps read is read now. */
function keep({ method, target, isOurs, isPreflight, shown, address, network, wantsHtml }: VisitorRequest) {
  return { method, target, isOurs, isPreflight, shown, address, network, wantsHtml };
}

function checkRanges(request: VisitorRequest, _entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  const { allowIps, denyIps } = policy;
  const denied = denyIps.length > 0 && state.ranges(denyIps).matches(request.address);
  const allowed = allowIps.length === 0 || state.ranges(allowIps).matches(request.address);
  return !denied && allowed ? null : refuse("policy_denied", [], { rule: "address_denied" }, texts.address);
}

function checkPreflight(request: VisitorRequest, _entry: NameEntry, policy: ProtectedPolicy): Outcome {
  return policy.allowPreflight && request.isPreflight ? preflightPass : null;
}

function checkAuthPath(
  request: VisitorRequest,
  entry: NameEntry,
  _policy: ProtectedPolicy,
  state: PolicyState,
): Outcome {
  if (!request.isOurs) return null;
  if (request.target.startsWith(authPaths.logout)) {
    const session = request.shown.session(state.scheme);
    if (session !== null) state.cache.delete(session.keyUnder(entry.name, state.cache));
  }
  return relay;
}

function checkSession(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.kind === "api_key") return null;
  const session = request.shown.session(state.scheme);
  return session === null ? null : decide(session, request, entry, policy, state);
}

function checkBlock(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.limiter === null) return null;
  const untilMs = state.blockedUntilMs(scopeOf(entry), request.network);
  return untilMs === 0 ? null : blocked(untilMs - state.nowMs());
}

function checkApiKey(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (!policy.apiKeys) return null;
  const key = request.shown.apiKey(policy.kind === "api_key");
  return key === null ? null : decide(key, request, entry, policy, state);
}

function checkBasic(request: VisitorRequest, entry: NameEntry, policy: ProtectedPolicy, state: PolicyState): Outcome {
  if (policy.kind !== "basic") return null;
  const basic = request.shown.basic();
  return basic === null ? null : decide(basic, request, entry, policy, state);
}

function challenge(request: VisitorRequest, policy: ProtectedPolicy): Verdict {
  const mayLogIn = policy.kind !== "api_key" && request.wantsHtml;
  if (!mayLogIn || (request.method !== "GET" && request.method !== "HEAD")) return unauthorized(policy, null);
  const page = policy.kind === "basic" ? authPaths.basic : authPaths.login;
  const back = request.target.length > maxReturnChars ? "/" : request.target;
  return { kind: "redirect", location: `${page}?to=${encodeURIComponent(back)}` };
}

/** The remembered verdict on a credential, or main's; null when there is nothing to ask, and for a session that is none. */
function decide(
  credential: Credential,
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): Outcome {
  const known = state.cache.get(credential.keyUnder(entry.name, state.cache), policy.version, state.nowMs());
  if (known === undefined) return askMain(credential, request, entry, policy, state);
  if (known !== null) return known;
  const { kind, text } = credential;
  if (kind === "session") return null;
  // Nobody but us knows of it: main has told of what it judged itself.
  countAgain(kind, request, entry, policy, state);
  const identity = kind === "basic" ? (decodeBasic(text)?.username.slice(0, 256) ?? null) : null;
  const rule = kind === "basic" ? "wrong_credential" : "wrong_key";
  return unauthorized(policy, { rule, credential: { authType: kind, identity } });
}

function askMain(
  credential: Credential,
  request: VisitorRequest,
  entry: NameEntry,
  policy: ProtectedPolicy,
  state: PolicyState,
): Outcome {
  const { address, network } = request;
  const question = questionOf(credential, entry, { address, network });
  if (question === null) return null;
  const key = credential.keyUnder(entry.name, state.cache);
  // Who asks is part of the question, or one address's failures would be counted on another.
  // The version as well: what was asked before a change says nothing about what is permitted after it.
  return state.ask(`${key} ${policy.version} ${address} ${network}`, question).then((answer) => {
    if (answer?.kind === "allow") {
      const pass = passOf(answer, policy);
      state.cache.set(key, policy.version, pass, state.nowMs() + answer.cacheMs);
      return pass;
    }
    if (answer?.kind === "deny") {
      state.cache.set(key, policy.version, null, state.nowMs() + answer.cacheMs);
      // A session that has ended is nobody's failure: the visitor is asked to log in again.
      return credential.kind === "session" ? null : unauthorized(policy, null);
    }
    if (answer?.kind === "blocked") return blockedByMain(answer.retryAfterMs, request, entry, state);
    return refuse("unavailable", [["Retry-After", "2"]], { rule: "overloaded" });
  });
}

function questionOf({ kind, text }: Credential, { name, appId, orgId }: NameEntry, asker: Asker): Ask | null {
  if (kind === "session") return { kind, name, appId, session: text, ...asker };
  if (kind === "api_key") return { kind, name, appId, orgId, key: text, ...asker };
  const basic = decodeBasic(text);
  return basic === null ? null : { kind, name, appId, ...basic, ...asker };
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
