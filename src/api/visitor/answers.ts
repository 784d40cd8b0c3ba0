// Answers what the shards can't know: whether an API key, a session or a Basic credential passes the policy of a name.

import { hashSecret } from "../../auth/secrets.ts";
import { hashToken, parseToken } from "../../auth/tokens.ts";
import { findVisitorKey, touchVisitorKey } from "../../db/policies.ts";
import { findVisitorSession } from "../../db/visitor-logins.ts";
import { AppError } from "../../lib/errors.ts";
import type { Answer, Ask } from "../../link/messages.ts";
import type { Policy } from "../../policy/types.ts";
import { noteFailure } from "../limited.ts";
import { noteUse } from "../noted-use.ts";
import type { NameInForce } from "../policies/in-force.ts";
import { checkBasic } from "./basic-check.ts";
import { pushBlock, visitorBlockedForMs, visitorEntry, visitorLimits, type VisitorDeps } from "./deps.ts";

export interface VisitorAuth {
  /** Judges one credential by the database as it is now. Never rejects: what fails is `unavailable`. */
  answer(ask: Ask): Promise<Answer>;
}

type Found = NameInForce & { effective: { kind: "protected"; policy: Policy } };
type AskOf<K extends Ask["kind"]> = Extract<Ask, { kind: K }>;

/** Shards ask again after this, so a revoked key or ended session is out everywhere within it, whatever else is lost. */
const recheckMs = 3_000;
/** bcrypt is slow and the policy's version says when it changes. */
const basicMs = 300_000;
const refusedMs = 10_000;
/** A key's admission is audited, and its last use written, once in this time. */
const noteEveryMs = 300_000;
const maxNoted = 10_000;

export function createVisitorAuth(deps: VisitorDeps): VisitorAuth {
  const { db, policies, limiter, audit, nowMs } = deps;
  const noted = new Map<string, number>();

  async function judge(ask: Ask): Promise<Answer> {
    const found = await policies.find(ask.name);
    // The shard asks about what it knows; when that is outdated, its next version is on the way.
    if (found === null || !isProtected(found) || found.owner.appId !== ask.appId) return denied("no_policy", 0);
    switch (ask.kind) {
      case "session":
        return await judgeSession(ask, found);
      case "api_key":
        return await judgeKey(ask, found);
      case "basic":
        return await judgeBasic(ask, found);
      case "failure":
        return (await countFailure(ask, found)) ?? denied("wrong_credential", refusedMs);
    }
  }

  async function judgeSession(ask: AskOf<"session">, { owner, effective: { policy } }: Found): Promise<Answer> {
    const now = nowMs();
    const session = await findVisitorSession(db.kysely, hashSecret(ask.session), now);
    const isValid =
      session !== null &&
      session.kind === policy.authType &&
      session.name === owner.name &&
      session.app_id === owner.appId &&
      session.org_id === owner.orgId &&
      session.policy_version === policy.version;
    if (!isValid) return denied("no_session", refusedMs);
    const cacheMs = Math.min(recheckMs, session.expires_at - now);
    return { kind: "allow", user: session.subject, email: session.email, keyId: null, cacheMs };
  }

  async function judgeKey(ask: AskOf<"api_key">, found: Found): Promise<Answer> {
    const { owner, effective } = found;
    const { policy, limiter: rule } = effective;
    if (owner.orgId === null || (policy.authType !== "api_key" && !policy.apiKeyEnabled)) return denied("no_policy", 0);
    const now = nowMs();
    const wanted = { hash: hashToken(ask.key), orgId: owner.orgId, appId: owner.appId, nowMs: now };
    const key = parseToken(ask.key) === "dlk" ? await findVisitorKey(db.kysely, wanted) : null;
    if (key === null) {
      noteFailure(
        audit,
        rule !== null && ask.network !== null,
        visitorEntry(owner, refusal("api_key", "wrong_key", ask.address)),
      );
      return (await countFailure(ask, found)) ?? denied("wrong_key", refusedMs);
    }
    // A key has 256 bits: nobody guesses it, in parallel or not.
    const retryAfterMs = visitorBlockedForMs(limiter, owner, ask.network, rule);
    if (retryAfterMs > 0) return { kind: "blocked", retryAfterMs };
    if (worthNoting(`${key.id} ${owner.name} ${ask.address}`, now)) {
      const by = { success: true, address: ask.address, identity: key.description, keyId: key.id };
      audit.record(visitorEntry(owner, { action: "visitor.auth", authType: "api_key", ...by }));
      if (Math.abs(now - key.last_used_at) > 60_000)
        await noteUse(deps.log, "API key", touchVisitorKey(db.kysely, key.id, now));
    }
    const cacheMs = Math.min(recheckMs, (key.expires_at ?? Infinity) - now);
    return { kind: "allow", user: null, email: null, keyId: key.id, cacheMs };
  }

  async function judgeBasic(ask: AskOf<"basic">, { owner, effective }: Found): Promise<Answer> {
    if (effective.policy.authType !== "basic") return denied("no_policy", 0);
    const outcome = await checkBasic(deps, owner, effective.policy, effective.limiter, ask);
    switch (outcome.kind) {
      case "right":
        return { kind: "allow", user: effective.policy.basicUsername, email: null, keyId: null, cacheMs: basicMs };
      case "wrong":
        return denied("wrong_credential", basicMs);
      case "blocked":
        return outcome;
    }
  }

  /** Counts a failure; a `blocked` answer when the address is, or now is, blocked. */
  async function countFailure(ask: Ask, { owner, effective }: Found): Promise<Answer | null> {
    const rule = effective.limiter;
    const before = visitorBlockedForMs(limiter, owner, ask.network, rule);
    if (before > 0) return { kind: "blocked", retryAfterMs: before };
    const { blocked } = await limiter.fail(visitorLimits(owner, ask.network, rule));
    if (!blocked || rule === null) return null;
    pushBlock(deps, owner, ask.network, rule);
    audit.record(visitorEntry(owner, refusal("limiter", "address_blocked", ask.address)));
    return { kind: "blocked", retryAfterMs: rule.blockMs };
  }

  function worthNoting(key: string, now: number): boolean {
    // Either way: what was noted by a clock that was ahead is no news of now.
    if (Math.abs(now - (noted.get(key) ?? -Infinity)) < noteEveryMs) return false;
    noted.delete(key);
    noted.set(key, now);
    if (noted.size > maxNoted) noted.delete(noted.keys().next().value ?? "");
    return true;
  }

  return {
    async answer(ask) {
      try {
        return await judge(ask);
      } catch (error) {
        if (!(error instanceof AppError))
          deps.log.error("a visitor could not be judged", { name: ask.name, error: String(error) });
        return { kind: "unavailable" };
      }
    },
  };
}

function isProtected(found: NameInForce): found is Found {
  return found.effective.kind === "protected";
}

function denied(reason: string, cacheMs: number): Answer {
  return { kind: "deny", reason, cacheMs };
}

function refusal(authType: string, reason: string, address: string) {
  return { action: "visitor.auth", authType, success: false, reason, address };
}
