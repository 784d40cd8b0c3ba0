// Which policy is in force for a name now, read from the database; anything that goes wrong denies.

import { StorageFailure } from "../../db/engine.ts";
import type { Sealer } from "../../auth/sealing.ts";
import type { Queryable } from "../../db/database.ts";
import { findKeysVersion, findNameOwner, findPolicy, type NameOwner } from "../../db/policies.ts";
import { findRateLimit } from "../../db/rate-limits.ts";
import type { Logger } from "../../lib/log.ts";
import { compilePolicy } from "../../policy/compile.ts";
import { resolvePolicy } from "../../policy/resolve.ts";
import type { CompiledPolicy, EffectivePolicy, LimiterSettings, OwnLimiter } from "../../policy/types.ts";
import { loadPolicy } from "./stored.ts";

/** A name with its owner and the policy that visitors meet there. */
export interface NameInForce {
  owner: NameOwner;
  effective: EffectivePolicy;
}

export interface PoliciesInForce {
  /** As `compileForName`, for an owner that is known already (a lease that is not stored yet). */
  compileForOwner(owner: NameOwner): Promise<CompiledPolicy>;
  /** The compiled policy of a name for its shard. Never throws, and denies when anything about it can't be read. */
  compileForName(name: string): Promise<CompiledPolicy>;
  /** The owner and policy of a name; null when nobody has it. Throws what the database throws: the caller refuses. */
  find(name: string): Promise<NameInForce | null>;
}

export interface PoliciesInForceDeps {
  kysely: Queryable;
  sealer: Sealer;
  log: Logger;
  /** The limiter where neither application nor organization has one. */
  usualLimiter: LimiterSettings;
}

export function createPoliciesInForce(deps: PoliciesInForceDeps): PoliciesInForce {
  const { kysely, log } = deps;

  async function find(name: string): Promise<NameInForce | null> {
    const owner = await findNameOwner(kysely, name);
    if (owner === null) return null;
    return { owner, effective: await effectiveOf(deps, owner) };
  }

  /** Whatever is wrong with a policy denies everybody. A database that fails is no property of the policy: its error is thrown. */
  async function compile(name: string, load: () => Promise<NameInForce | null>): Promise<CompiledPolicy> {
    try {
      const found = await load();
      if (found === null) return { kind: "deny" };
      const { orgId, appId } = found.owner;
      const keysVersion = orgId === null ? "" : await findKeysVersion(kysely, orgId, appId);
      return compilePolicy(found.effective, keysVersion);
    } catch (error) {
      if (error instanceof StorageFailure) throw error;
      log.error("a policy could not be compiled; its name denies everybody", { name, error: String(error) });
      return { kind: "deny" };
    }
  }

  return {
    find,
    compileForName: (name) => compile(name, () => find(name)),
    compileForOwner: (owner) => compile(owner.name, async () => ({ owner, effective: await effectiveOf(deps, owner) })),
  };
}

/** The effective policy of an owner. */
export async function effectiveOf(
  deps: Pick<PoliciesInForceDeps, "kysely" | "sealer" | "usualLimiter">,
  owner: NameOwner,
): Promise<EffectivePolicy> {
  const { kysely: db, sealer, usualLimiter } = deps;
  const { appId, orgId, authMode, isActive } = owner;
  const application =
    appId === null ? null : { authMode: authMode ?? "", policy: loadPolicy(await findPolicy(db, appId), sealer) };
  const organization = orgId === null ? null : { policy: loadPolicy(await findPolicy(db, orgId), sealer) };
  const limiters = {
    application: await ownLimiter(db, appId),
    organization: await ownLimiter(db, orgId),
    usual: usualLimiter,
  };
  const effective = resolvePolicy({ application, organization, limiters });
  if (isActive) return effective;
  const { sources, limiter } = effective;
  return { kind: "deny", reason: "the application or account is deactivated", sources, limiter };
}

async function ownLimiter(db: Queryable, ownerId: string | null): Promise<OwnLimiter | null> {
  const row = ownerId === null ? null : await findRateLimit(db, ownerId);
  if (row === null) return null;
  if (row.enabled === 0) return "off";
  return { maxAttempts: row.max_attempts, windowMs: row.window_seconds * 1_000, blockMs: row.block_seconds * 1_000 };
}
