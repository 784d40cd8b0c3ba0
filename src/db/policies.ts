// Queries of visitor policies: the stored rows, and everything that decides about one name.

import type { Queryable, Trx } from "./database.ts";
import type { ApiKeysTable, ApplicationsTable, PoliciesTable } from "./tables.ts";

export type PolicyRow = PoliciesTable;

/** Who owns a name, as far as its policy depends on it. */
export interface NameOwner {
  name: string;
  appId: string | null;
  orgId: string | null;
  /** The application's, else null. */
  authMode: string | null;
  /** False for a deactivated application. */
  isActive: boolean;
}

/** The owner of a name: its application, else whoever leases it; null when nobody does. */
export async function findNameOwner(db: Queryable, name: string): Promise<NameOwner | null> {
  const app = await applicationOwners(db).where("subdomain", "=", name).executeTakeFirst();
  if (app !== undefined) return toOwner(app);
  const lease = await db
    .selectFrom("leases")
    .leftJoin("accounts", "accounts.id", "leases.account_id")
    .select(["leases.account_id", "leases.org_id", "accounts.id as found_id", "accounts.org_id as account_org_id"])
    .where("leases.name", "=", name)
    .executeTakeFirst();
  if (lease === undefined) return null;
  // The account's organization of now: the lease remembers the one of when it was taken.
  const isOfAccount = lease.account_id !== null;
  return {
    name,
    appId: null,
    orgId: isOfAccount ? lease.account_org_id : lease.org_id,
    authMode: null,
    isActive: !isOfAccount || lease.found_id !== null,
  };
}

/** The owner that each application is for its own name. */
export async function listApplicationOwners(db: Queryable): Promise<NameOwner[]> {
  return (await applicationOwners(db).execute()).map(toOwner);
}

const applicationOwners = (db: Queryable) =>
  db.selectFrom("applications").select(["id", "org_id", "subdomain", "auth_mode", "is_active"]);

type OwningApplication = Pick<ApplicationsTable, "id" | "org_id" | "subdomain" | "auth_mode" | "is_active">;

function toOwner({ id, org_id, subdomain, auth_mode, is_active }: OwningApplication): NameOwner {
  return { name: subdomain, appId: id, orgId: org_id, authMode: auth_mode, isActive: is_active === 1 };
}

/** The owner that an application is for its own name. */
export async function findPolicyOwner(db: Queryable, appId: string): Promise<NameOwner | null> {
  const app = await db.selectFrom("applications").select("subdomain").where("id", "=", appId).executeTakeFirst();
  return app === undefined ? null : await findNameOwner(db, app.subdomain);
}

/** The policy of an organization or application. */
export async function findPolicy(db: Queryable, ownerId: string): Promise<PolicyRow | null> {
  return (await db.selectFrom("policies").selectAll().where("owner_id", "=", ownerId).executeTakeFirst()) ?? null;
}

/** Every policy. */
export async function listPolicies(db: Queryable): Promise<PolicyRow[]> {
  return db.selectFrom("policies").selectAll().execute();
}

/** Changes whenever a key that visitors of the name could use is added or revoked. */
export async function findKeysVersion(db: Queryable, orgId: string, appId: string | null): Promise<string> {
  const row = await visitorKeys(db, orgId, appId)
    .select((eb) => [eb.fn.countAll().as("count"), eb.fn.max("id").as("newest")])
    .executeTakeFirstOrThrow();
  return `${row.count} ${row.newest ?? ""}`;
}

/** The visitor key with this hash, if it opens the application (or the organization's ad-hoc names) and is not expired. */
export async function findVisitorKey(
  db: Queryable,
  key: { hash: string; orgId: string; appId: string | null; nowMs: number },
): Promise<Pick<ApiKeysTable, "id" | "description" | "expires_at" | "last_used_at"> | null> {
  const row = await visitorKeys(db, key.orgId, key.appId)
    .select(["id", "description", "expires_at", "last_used_at"])
    .where("key_hash", "=", key.hash)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", key.nowMs)]))
    .executeTakeFirst();
  return row ?? null;
}

export async function touchVisitorKey(db: Queryable, id: string, nowMs: number): Promise<void> {
  await db.updateTable("api_keys").set({ last_used_at: nowMs }).where("id", "=", id).execute();
}

/**
 * Stores the policy of its owner in place of the version that was there before (null: there was none). False when another one is there
 * by now: of two who replace one version at once, one is told.
 */
export async function replacePolicy(db: Queryable, row: PolicyRow, versionBefore: string | null): Promise<boolean> {
  if (versionBefore === null) {
    const inserted = await db
      .insertInto("policies")
      .values(row)
      .onConflict((conflict) => conflict.column("owner_id").doNothing())
      .executeTakeFirst();
    return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }
  const { id: _id, owner_id, ...changes } = row;
  const updated = await db
    .updateTable("policies")
    .set(changes)
    .where("owner_id", "=", owner_id)
    .where("version", "=", versionBefore)
    .executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/** Removes the policy of an owner; the removed row, or null. */
export async function removePolicy(trx: Trx, ownerId: string): Promise<PolicyRow | null> {
  const row = await trx.deleteFrom("policies").where("owner_id", "=", ownerId).returningAll().executeTakeFirst();
  return row ?? null;
}

/** Keys of the organization itself open all its names; a key of one application opens no sibling. */
function visitorKeys(db: Queryable, orgId: string, appId: string | null) {
  return db
    .selectFrom("api_keys")
    .where("org_id", "=", orgId)
    .where("scope", "in", ["visitor", "both"])
    .where((eb) =>
      appId === null ? eb("app_id", "is", null) : eb.or([eb("app_id", "is", null), eb("app_id", "=", appId)]),
    );
}
