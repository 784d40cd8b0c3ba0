// The failure limiter of an organization or application: its own settings, or what it inherits.

import { ForeignKeyViolation } from "../../db/engine.ts";
import type { Queryable, Trx } from "../../db/database.ts";
import { holdRow } from "../../db/hold.ts";
import { findRateLimit, removeRateLimit, saveRateLimit } from "../../db/rate-limits.ts";
import type { RateLimitsTable } from "../../db/tables.ts";
import { AppError } from "../../lib/errors.ts";
import { resolveLimiter } from "../../policy/resolve.ts";
import type { LimiterSettings } from "../../policy/types.ts";
import { changeBy, checkBasedOn } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { ownerIdOf, type PolicyOwner } from "../policies/service.ts";
import type { Scope } from "../scopes.ts";
import type { RateLimitBody, RateLimitView } from "./model.ts";

type Limit = Required<RateLimitBody>;

export interface RateLimits {
  get(owner: PolicyOwner): Promise<RateLimitView>;
  /** Sets the owner's own limiter: what the body leaves out stays as it is in force. The shards follow within a second. */
  put(scope: Scope, owner: PolicyOwner, body: RateLimitBody): Promise<RateLimitView>;
  /**
   * Back to what is inherited; nothing happens when nothing of its own was set. Answers what is in force then. Throws `conflict` when what
   * was set is not what this is based on.
   */
  remove(scope: Scope, owner: PolicyOwner, basedOn: string | null | undefined): Promise<RateLimitView>;
}

/** `usual`: the server's limiter, where neither application nor organization has one. */
export function createRateLimits(deps: ApiDeps, usual: LimiterSettings): RateLimits {
  const { db, audit, nowMs } = deps;
  const usualLimit: Limit = {
    enabled: true,
    maxAttempts: usual.maxAttempts,
    windowDurationSeconds: Math.round(usual.windowMs / 1_000),
    blockDurationSeconds: Math.round(usual.blockMs / 1_000),
  };

  /** What the owner and its organization have of their own, and what of it is in force. */
  async function read(from: Queryable, { orgId, appId }: PolicyOwner) {
    const application = appId === null ? null : await findRateLimit(from, appId);
    const organization = await findRateLimit(from, orgId);
    const inForce = resolveLimiter(limitOf(application), limitOf(organization), usualLimit);
    return { own: appId === null ? organization : application, organization, inForce };
  }

  /** The row as it is until the transaction ends; there may be none to hold, so its owner is held. */
  async function held(trx: Trx, owner: PolicyOwner): Promise<RateLimitsTable | null> {
    const ownerId = ownerIdOf(owner);
    await holdRow(trx, owner.appId === null ? "organizations" : "applications", ownerId);
    return findRateLimit(trx, ownerId);
  }

  async function get(owner: PolicyOwner): Promise<RateLimitView> {
    const { appId } = owner;
    const { own, organization, inForce } = await read(db.kysely, owner);
    const without = resolveLimiter(null, appId === null ? null : limitOf(organization), usualLimit);
    return {
      ...inForce.limiter,
      isDefault: own === null,
      updatedAt: own === null ? null : new Date(own.updated_at).toISOString(),
      source: inForce.source,
      inherited: { ...without.limiter, source: without.source === "organization" ? "organization" : "default" },
    };
  }

  return {
    get,
    async put(scope, owner, body) {
      try {
        await db.transaction(async (trx) => {
          const before = await held(trx, owner);
          const after: Limit = { ...(await read(trx, owner)).inForce.limiter, ...body };
          const row: RateLimitsTable = {
            owner_id: ownerIdOf(owner),
            org_id: owner.orgId,
            app_id: owner.appId,
            enabled: after.enabled ? 1 : 0,
            max_attempts: after.maxAttempts,
            window_seconds: after.windowDurationSeconds,
            block_seconds: after.blockDurationSeconds,
            // As of policies: no two have one time.
            updated_at: Math.max(nowMs(), (before?.updated_at ?? 0) + 1),
          };
          await saveRateLimit(trx, row);
          await db.changes.record(trx, {
            ...{ kind: "rate_limit", refId: row.owner_id, orgId: owner.orgId },
            action: before === null ? "created" : "updated",
          });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            ...owner,
            action: "rate_limit.changed",
            details: { before: limitOf(before), after },
          });
        });
      } catch (error) {
        // The owner was deleted meanwhile.
        if (error instanceof ForeignKeyViolation) throw new AppError("not_found", undefined, { cause: error });
        throw error;
      }
      return get(owner);
    },
    async remove(scope, owner, basedOn) {
      const ownerId = ownerIdOf(owner);
      await db.transaction(async (trx) => {
        const before = await held(trx, owner);
        checkBasedOn("The limiter", basedOn, before?.updated_at);
        if (before === null || !(await removeRateLimit(trx, ownerId))) return;
        await db.changes.record(trx, { kind: "rate_limit", refId: ownerId, orgId: owner.orgId, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          ...owner,
          action: "rate_limit.removed",
          details: { before: limitOf(before), after: null },
        });
      });
      return get(owner);
    },
  };
}

function limitOf(row: RateLimitsTable | null): Limit | null {
  return (
    row && {
      enabled: row.enabled === 1,
      maxAttempts: row.max_attempts,
      windowDurationSeconds: row.window_seconds,
      blockDurationSeconds: row.block_seconds,
    }
  );
}
