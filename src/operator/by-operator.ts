// How the audit log names whoever has a shell on the server's machine.

import type { AuditEntry } from "../observe/audit.ts";

/** No account: the operator may act when there is none. */
export const byOperator: Pick<AuditEntry, "actorName" | "authType"> = { actorName: "operator", authType: "shell" };
