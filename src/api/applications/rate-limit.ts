// The failure limiter of one application: its own settings, or the usual ones.

import { findRateLimit } from "../../db/policies.ts";
import { removeRateLimit, saveRateLimit } from "../../db/rate-limits.ts";
import { AppError } from "../../lib/errors.ts";
import { ForeignKeyViolation } from "../../db/engine.ts";
import type { RateLimitsTable } from "../../db/tables.ts";
import type { LimiterSettings } from "../../policy/types.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../scopes.ts";
import type { Applications } from "./service.ts";

export interface RateLimitBody {
  enabled: boolean;
  maxAttempts: number;
  windowDurationSeconds: number;
  blockDurationSeconds: number;
}

export type RateLimits = ReturnType<typeof createRateLimits>;

export function createRateLimits(deps: ApiDeps, applications: Applications, usual: LimiterSettings) {
  const { db, audit, nowMs } = deps;

  const answer = (row: RateLimitsTable | null) =>
    row === null
      ? {
          enabled: true,
          maxAttempts: usual.maxAttempts,
          windowDurationSeconds: Math.round(usual.windowMs / 1_000),
          blockDurationSeconds: Math.round(usual.blockMs / 1_000),
          isDefault: true,
        }
      : { ...bodyOf(row), isDefault: false };

  return {
    async get(orgId: string | null, appId: string) {
      await applications.row(orgId, appId);
      return answer(await findRateLimit(db.kysely, appId));
    },
    async put(scope: Scope, appId: string, body: RateLimitBody) {
      const { org_id: orgId } = await applications.row(scope.orgId, appId);
      const row: RateLimitsTable = {
        app_id: appId,
        enabled: body.enabled ? 1 : 0,
        max_attempts: body.maxAttempts,
        window_seconds: body.windowDurationSeconds,
        block_seconds: body.blockDurationSeconds,
        updated_at: nowMs(),
      };
      try {
        await db.transaction(async (trx) => {
          const before = await findRateLimit(trx, appId);
          await saveRateLimit(trx, row);
          await db.changes.record(trx, { kind: "rate_limit", refId: appId, orgId, action: "updated" });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            action: "rate_limit.changed",
            orgId,
            appId,
            details: { before: before === null ? null : bodyOf(before), after: bodyOf(row) },
          });
        });
      } catch (error) {
        // The application was deleted meanwhile.
        if (error instanceof ForeignKeyViolation) throw new AppError("not_found", undefined, { cause: error });
        throw error;
      }
      return answer(row);
    },
    /** Back to the usual settings; nothing happens when it has them already. */
    async remove(scope: Scope, appId: string): Promise<void> {
      const { org_id: orgId } = await applications.row(scope.orgId, appId);
      await db.transaction(async (trx) => {
        const before = await findRateLimit(trx, appId);
        if (before === null || !(await removeRateLimit(trx, appId))) return;
        await db.changes.record(trx, { kind: "rate_limit", refId: appId, orgId, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "rate_limit.removed",
          orgId,
          appId,
          details: { before: bodyOf(before) },
        });
      });
    },
  };
}

function bodyOf(row: RateLimitsTable): RateLimitBody {
  return {
    enabled: row.enabled === 1,
    maxAttempts: row.max_attempts,
    windowDurationSeconds: row.window_seconds,
    blockDurationSeconds: row.block_seconds,
  };
}
