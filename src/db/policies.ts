// Queries of visitor policies: the stored rows, and everything that decides about one name.

import type { Queryable, Trx } from "./database.ts";
import type { ApiKeysTable, PoliciesTable } from "./tables.ts";

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
  const app = await db
    .selectFrom("applications")
    .select(["id", "org_id", "auth_mode", "is_active"])
    .where("subdomain", "=", name)
    .executeTakeFirst();
  if (app !== undefined) {
    return { name, appId: app.id, orgId: app.org_id, authMode: app.auth_mode, isActive: app.is_active === 1 };
  }
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

/** The owner that an application is for its own name. */
export async function findPolicyOwner(db: Queryable, appId: string): Promise<NameOwner | null> {
  const app = await db.selectFrom("applications").select("subdomain").where("id", "=", appId).executeTakeFirst();
  return app === undefined ? null : await findNameOwner(db, app.subdomain);
}

/** The policy of an organization or application. */
export async function findPolicy(db: Queryable, ownerId: string): Promise<PolicyRow | null> {
  return (await db.selectFrom("policies").selectAll().where("owner_id", "=", ownerId).executeTakeFirst()) ?? null;
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

/** As `findPolicy`, and makes every other transaction that changes the policy wait for this one. Writing the row is the lock that both engines have. */
export async function holdPolicy(trx: Trx, ownerId: string): Promise<PolicyRow | null> {
  const row = await trx
    .updateTable("policies")
    .set((eb) => ({ version: eb.ref("version") }))
    .where("owner_id", "=", ownerId)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** Stores the policy of its owner, replacing the one before. */
export async function savePolicy(db: Queryable, row: PolicyRow): Promise<void> {
  const { id: _id, owner_id: _owner, ...changes } = row;
  await db
    .insertInto("policies")
    .values(row)
    .onConflict((conflict) => conflict.column("owner_id").doUpdateSet(changes))
    .execute();
}

/** Removes the policy of an owner; false when there was none. */
export async function removePolicy(db: Queryable, ownerId: string): Promise<boolean> {
  const result = await db.deleteFrom("policies").where("owner_id", "=", ownerId).executeTakeFirst();
  return result.numDeletedRows > 0n;
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
