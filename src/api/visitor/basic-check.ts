// Checks the one user and password of a basic policy: behind the limiter, in the same time whatever is wrong, audited.

import { timingSafeEqual } from "node:crypto";
import { hashSecret } from "../../auth/secrets.ts";
import type { NameOwner } from "../../db/policies.ts";
import { AppError } from "../../lib/errors.ts";
import type { LimiterSettings, Policy } from "../../policy/types.ts";
import { noteFailure } from "../limited.ts";
import { pushBlock, visitorEntry, visitorLimits, type VisitorDeps } from "./deps.ts";

export type BasicPolicy = Extract<Policy, { authType: "basic" }>;
export type BasicOutcome = { kind: "right" } | { kind: "wrong" } | { kind: "blocked"; retryAfterMs: number };

/** Throws `unavailable` when too many passwords wait to be checked. */
export async function checkBasic(
  deps: VisitorDeps,
  owner: NameOwner,
  policy: BasicPolicy,
  rule: LimiterSettings | null,
  given: { username: string; password: string; address: string; network: string | null; requestId?: string },
): Promise<BasicOutcome> {
  const { address, network } = given;
  const identity = given.username.slice(0, 256);
  const attempted = {
    action: "visitor.auth",
    authType: "basic",
    address,
    identity,
    requestId: given.requestId ?? null,
  };
  const entry = (success: boolean, reason: string | null) => visitorEntry(owner, { ...attempted, success, reason });

  const limit = await deps.limiter.begin(visitorLimits(owner, network, rule));
  if (!limit.allowed) {
    deps.audit.refused(entry(false, "address_blocked"));
    return { kind: "blocked", retryAfterMs: limit.retryAfterMs };
  }
  let isRight: boolean;
  try {
    // More than bcrypt reads is no password of ours; a wrong user costs the same hash as a wrong password.
    const isUser = equal(given.username, policy.basicUsername);
    const isPossible = isUser && Buffer.byteLength(given.password) <= 72;
    isRight = await deps.passwords.verify(given.password.slice(0, 72), isPossible ? policy.basicPasswordHash : null);
  } catch (error) {
    limit.attempt.abandon();
    if (error instanceof AppError) deps.audit.refused(entry(false, error.code));
    throw error;
  }
  if (isRight) {
    await limit.attempt.succeed();
    deps.audit.record(entry(true, null));
    return { kind: "right" };
  }
  const { blocked } = await limit.attempt.fail();
  noteFailure(
    deps.audit,
    rule !== null && network !== null,
    entry(false, blocked ? "address_blocked" : "wrong_credential"),
  );
  if (!blocked || rule === null) return { kind: "wrong" };
  pushBlock(deps, owner, network, rule);
  return { kind: "blocked", retryAfterMs: rule.blockMs };
}

function equal(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}
