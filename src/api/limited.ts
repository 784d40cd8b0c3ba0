// What the log is told of attempts that a limiter guards: every outcome, and no flood of entries.

import { AppError } from "../lib/errors.ts";
import type { Audit, AuditEntry } from "./deps.ts";

/**
 * The `rate_limited` of an attempt that the limiter does not let through; `attempted` describes it as its other outcomes are
 * described. However often it comes, it is one entry a minute with its number.
 */
export function blocked(audit: Pick<Audit, "refused">, attempted: AuditEntry, retryAfterMs: number): AppError {
  audit.refused({ reason: "too many failed attempts", ...attempted });
  return new AppError("rate_limited", undefined, { retryAfterMs });
}

/** Audits a failed attempt: each one where a limiter counts them, which ends them soon; else one entry a minute with their number. */
export function noteFailure(audit: Pick<Audit, "record" | "refused">, isLimited: boolean, entry: AuditEntry): void {
  if (isLimited) audit.record({ ...entry, success: false });
  else audit.refused(entry);
}
