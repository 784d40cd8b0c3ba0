// What changes share: who did it, as the audit row says it, and the refusal of what was made from an older state.

import type { Caller } from "./callers.ts";
import type { AuditEntry } from "../observe/audit.ts";
import { AppError } from "../lib/errors.ts";
import { factsOf } from "./request.ts";

/** Actor, organization, address and request of a change made by `caller`. */
export function changeBy(
  caller: Caller,
  request: Request,
): Pick<AuditEntry, "orgId" | "actorId" | "actorName" | "authType" | "address" | "requestId"> {
  const { address, requestId } = factsOf(request);
  return {
    orgId: caller.account.orgId,
    actorId: caller.account.id,
    actorName: caller.account.username,
    authType: caller.sessionId === null ? "token" : "session",
    address,
    requestId,
  };
}

/** The refusal of a change that says by `basedOn` what was read before it, when that is something else by now. `what`: "The policy". */
export const changedMeanwhile = (what: string): AppError =>
  new AppError("conflict", `${what} was changed meanwhile. Look at what is stored now, then try again.`);
