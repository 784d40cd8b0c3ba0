// The failure limiter of an organization or application: its own settings, or what it inherits.

import { ForeignKeyViolation } from "../../db/engine.ts";
import { findRateLimit, removeRateLimit, saveRateLimit } from "../../db/rate-limits.ts";
import type { RateLimitsTable } from "../../db/tables.ts";
import { AppError } from "../../lib/errors.ts";
import { resolveLimiter } from "../../policy/resolve.ts";
import type { LimiterSettings } from "../../policy/types.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { ownerIdOf, type PolicyOwner } from "../policies/service.ts";
import type { Scope } from "../scopes.ts";
import type { RateLimitBody, RateLimitView } from "./model.ts";

export interface RateLimits {
  get(owner: PolicyOwner): Promise<RateLimitView>;
  /** Sets the owner's own limiter; the shards follow within a second. */
  put(scope: Scope, owner: PolicyOwner, body: RateLimitBody): Promise<RateLimitView>;
  /** Back to what is inherited; nothing happens when nothing of its own was set. Answers what is in force then. */
  remove(scope: Scope, owner: PolicyOwner): Promise<RateLimitView>;
}

/** `usual`: the server's limiter, where neither application nor organization has one. */
export function createRateLimits(deps: ApiDeps, usual: LimiterSettings): RateLimits {
  const { db, audit, nowMs } = deps;
  const usualBody: RateLimitBody = {
    enabled: true,
    maxAttempts: usual.maxAttempts,
    windowDurationSeconds: Math.round(usual.windowMs / 1_000),
    blockDurationSeconds: Math.round(usual.blockMs / 1_000),
  };

  const stored = async (ownerId: string | null): Promise<RateLimitBody | null> => {
    const row = ownerId === null ? null : await findRateLimit(db.kysely, ownerId);
    return row === null ? null : bodyOf(row);
  };

  async function get({ orgId, appId }: PolicyOwner): Promise<RateLimitView> {
    const [application, organization] = [await stored(appId), await stored(orgId)];
    const inForce = resolveLimiter(application, organization, usualBody);
    const without =
      appId === null ? resolveLimiter(null, null, usualBody) : resolveLimiter(null, organization, usualBody);
    return {
      ...inForce.limiter,
      isDefault: (appId === null ? organization : application) === null,
      source: inForce.source,
      inherited: { ...without.limiter, source: without.source === "organization" ? "organization" : "default" },
    };
  }

  return {
    get,
    async put(scope, owner, body) {
      const row: RateLimitsTable = {
        owner_id: ownerIdOf(owner),
        org_id: owner.orgId,
        app_id: owner.appId,
        enabled: body.enabled ? 1 : 0,
        max_attempts: body.maxAttempts,
        window_seconds: body.windowDurationSeconds,
        block_seconds: body.blockDurationSeconds,
        updated_at: nowMs(),
      };
      try {
        await db.transaction(async (trx) => {
          const before = await findRateLimit(trx, row.owner_id);
          await saveRateLimit(trx, row);
          await db.changes.record(trx, {
            ...{ kind: "rate_limit", refId: row.owner_id, orgId: owner.orgId },
            action: before === null ? "created" : "updated",
          });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            ...owner,
            action: "rate_limit.changed",
            details: { before: before === null ? null : bodyOf(before), after: bodyOf(row) },
          });
        });
      } catch (error) {
        // The owner was deleted meanwhile.
        if (error instanceof ForeignKeyViolation) throw new AppError("not_found", undefined, { cause: error });
        throw error;
      }
      return get(owner);
    },
    async remove(scope, owner) {
      const ownerId = ownerIdOf(owner);
      await db.transaction(async (trx) => {
        const before = await findRateLimit(trx, ownerId);
        if (before === null || !(await removeRateLimit(trx, ownerId))) return;
        await db.changes.record(trx, { kind: "rate_limit", refId: ownerId, orgId: owner.orgId, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          ...owner,
          action: "rate_limit.removed",
          details: { before: bodyOf(before), after: null },
        });
      });
      return get(owner);
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
