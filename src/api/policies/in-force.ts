// Which policy is in force for a name now, read from the database; anything that goes wrong denies.

import { StorageFailure } from "../../db/engine.ts";
import type { Sealer } from "../../auth/sealing.ts";
import type { Queryable } from "../../db/database.ts";
import {
  findKeysVersion,
  findNameOwner,
  findPolicy,
  listApplicationOwners,
  listPolicies,
  type NameOwner,
  type PolicyRow,
} from "../../db/policies.ts";
import { findRateLimit, listRateLimits } from "../../db/rate-limits.ts";
import type { RateLimitsTable } from "../../db/tables.ts";
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
  /** As `compileForName` for the name of every application, by name, without asking for each. Throws what the database throws. */
  compileForApplications(): Promise<Map<string, CompiledPolicy>>;
  /** The owner and policy of a name; null when nobody has it. Throws what the database throws: the caller refuses. */
  find(name: string): Promise<NameInForce | null>;
}

/** Where the rows of an owner, an application or organization, come from. */
interface OwnRows {
  policy(ownerId: string): Promise<PolicyRow | null> | PolicyRow | null;
  rateLimit(ownerId: string): Promise<RateLimitsTable | null> | RateLimitsTable | null;
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
      const { owner, effective } = found;
      const { orgId, appId } = owner;
      // Counting the keys of a large organization is dear, and only what is protected has a version.
      const isVersioned = effective.kind === "protected" && orgId !== null;
      return compilePolicy(effective, isVersioned ? await findKeysVersion(kysely, orgId, appId) : "");
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
    async compileForApplications() {
      const rows = await readAllRows(kysely);
      const compiled = new Map<string, CompiledPolicy>();
      for (const owner of await listApplicationOwners(kysely)) {
        const load = async () => ({ owner, effective: await effectiveOf(deps, owner, rows) });
        compiled.set(owner.name, await compile(owner.name, load));
      }
      return compiled;
    },
  };
}

async function readAllRows(db: Queryable): Promise<OwnRows> {
  const policies = new Map((await listPolicies(db)).map((row) => [row.owner_id, row]));
  const rateLimits = new Map((await listRateLimits(db)).map((row) => [row.owner_id, row]));
  return { policy: (id) => policies.get(id) ?? null, rateLimit: (id) => rateLimits.get(id) ?? null };
}

/** The effective policy of an owner. */
export async function effectiveOf(
  deps: Pick<PoliciesInForceDeps, "kysely" | "sealer" | "usualLimiter">,
  owner: NameOwner,
  rows: OwnRows = {
    policy: (id) => findPolicy(deps.kysely, id),
    rateLimit: (id) => findRateLimit(deps.kysely, id),
  },
): Promise<EffectivePolicy> {
  const { sealer, usualLimiter } = deps;
  const { appId, orgId, authMode, isActive } = owner;
  const application =
    appId === null ? null : { authMode: authMode ?? "", policy: loadPolicy(await rows.policy(appId), sealer) };
  const organization = orgId === null ? null : { policy: loadPolicy(await rows.policy(orgId), sealer) };
  const limiters = {
    application: await ownLimiter(rows, appId),
    organization: await ownLimiter(rows, orgId),
    usual: usualLimiter,
  };
  const effective = resolvePolicy({ application, organization, limiters });
  if (isActive) return effective;
  const { sources, limiter } = effective;
  return { kind: "deny", reason: "the application or account is deactivated", sources, limiter };
}

async function ownLimiter(rows: OwnRows, ownerId: string | null): Promise<OwnLimiter | null> {
  const row = ownerId === null ? null : await rows.rateLimit(ownerId);
  if (row === null) return null;
  if (row.enabled === 0) return "off";
  return { maxAttempts: row.max_attempts, windowMs: row.window_seconds * 1_000, blockMs: row.block_seconds * 1_000 };
}
