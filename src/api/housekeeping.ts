// Removes what nobody needs any more: ended sessions, expired half-done logins, used codes, old failures, changes read by all.

import { pruneChanges } from "../db/changes.ts";
import { createLimiterStore } from "../db/limiter.ts";
import { pruneSecondFactors } from "../db/second-factors.ts";
import { pruneSessions } from "../db/sessions.ts";
import { pruneSignInStates } from "../db/sign-ins.ts";
import { pruneVisitorLogins } from "../db/visitor-logins.ts";
import type { ApiDeps } from "./deps.ts";
import { placesKnownForMs } from "./login/code-limits.ts";
import { failuresKeptMs } from "./settings.ts";

/** Call it at the start and every hour. Throws when the database fails; the next call makes up for it. */
export async function prune(deps: Pick<ApiDeps, "db" | "nowMs" | "settings">): Promise<void> {
  const nowMs = deps.nowMs();
  await pruneSessions(deps.db.kysely, nowMs - placesKnownForMs);
  await pruneSecondFactors(deps.db.kysely, nowMs);
  await pruneSignInStates(deps.db.kysely, nowMs);
  await pruneVisitorLogins(deps.db.kysely, nowMs);
  await createLimiterStore(deps.db.kysely, failuresKeptMs(deps.settings)).prune(nowMs);
  await pruneChanges(deps.db.kysely, nowMs);
}
