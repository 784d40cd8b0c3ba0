// Who did it: the part of an audit row that every change of a caller shares.

import type { Caller } from "./callers.ts";
import type { AuditEntry } from "../observe/audit.ts";
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
