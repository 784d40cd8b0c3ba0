// The audit log in memory, with the real one's rule for refusals that repeat.

import { Repeats } from "../../src/lib/repeats.ts";
import type { Audit, AuditEntry } from "../../src/observe/audit.ts";
import { repeated, repeatKeyOf } from "../../src/observe/refusals.ts";

/** Everything told is pushed to `audited`, in order. */
export function fakeAudit(audited: AuditEntry[], nowMs: () => number): Pick<Audit, "record" | "refused"> {
  const repeats = new Repeats<AuditEntry>({
    tell: (entry, times) => void audited.push(repeated(entry, times)),
    nowMs,
  });
  return {
    record: (entry) => void audited.push(entry),
    refused: (entry) => repeats.note(repeatKeyOf(entry), { ...entry, success: false }),
  };
}
