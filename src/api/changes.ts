// What changes share: who did it, as the audit row says it, and the refusal of what was made from an older state.

import type { Caller } from "./callers.ts";
import type { AuditEntry } from "../observe/audit.ts";
import { AppError } from "../lib/errors.ts";
import { timeOf } from "./paging.ts";
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

/**
 * Throws `conflict` when the change says by `basedOn` (or by the field of another name) that it is based on another time than `updatedAt`
 * (undefined: nothing is stored). Without one: whatever is stored.
 */
export function checkBasedOn(
  what: string,
  basedOn: string | null | undefined,
  updatedAt: number | undefined,
  field = "basedOn",
): void {
  if (basedOn !== undefined && timeOf(basedOn ?? undefined, field) !== (updatedAt ?? null))
    throw changedMeanwhile(what);
}
