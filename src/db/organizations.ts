// Queries of organizations.

import { sql } from "kysely";
import type { Queryable, Trx } from "./database.ts";
import type { Keyset } from "./keyset.ts";
import { beginsOtherwise, beginsWith, readPage, type Choice, type FoundPage } from "./list-page.ts";
import type { OrganizationsTable } from "./tables.ts";

export type OrganizationRow = OrganizationsTable;

/** An organization with the kind of its visitor policy (null: it has none). */
export interface OrganizationListed extends OrganizationRow {
  auth_type: string | null;
}

/** Public names of the columns that organizations may be sorted by. */
export const organizationSorts = { name: "o.name_key", createdAt: "o.created_at" };

export async function findOrganization(db: Queryable, id: string): Promise<OrganizationRow | null> {
  const row = await db.selectFrom("organizations").selectAll().where("id", "=", id).executeTakeFirst();
  return row ?? null;
}

export async function findOrganizationListed(db: Queryable, id: string): Promise<OrganizationListed | null> {
  return (await organizationsWithPolicy(db).where("o.id", "=", id).executeTakeFirst()) ?? null;
}

/** One page. `name` is the canonical beginning of names, or of those that are left out. */
export function listOrganizations(
  db: Queryable,
  filter: { name: Choice | null },
  column: string,
  page: Keyset,
): Promise<FoundPage<OrganizationListed>> {
  const { name } = filter;
  const all = organizationsWithPolicy(db);
  const query = name === null || name.not ? all : all.where(beginsWith("o.name_key", name.value));
  const checked = name?.not ? [beginsOtherwise("o.name_key", name.value)] : [];
  return readPage(query, { column, idColumn: "o.id" }, page, checked);
}

/** Throws UniqueViolation when the name is taken (without regard to case). */
export async function insertOrganization(db: Queryable, row: OrganizationRow): Promise<void> {
  await db.insertInto("organizations").values(row).execute();
}

/** Throws UniqueViolation when the name is taken. */
export async function updateOrganization(
  trx: Trx,
  id: string,
  change: Partial<Pick<OrganizationRow, "name" | "name_key" | "require_totp">>,
): Promise<void> {
  await trx.updateTable("organizations").set(change).where("id", "=", id).execute();
}

/** Keys, lists and policy go with it. Throws ForeignKeyViolation while it has applications or accounts. */
export async function deleteOrganization(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom("organizations").where("id", "=", id).execute();
}

/** How many accounts and applications each of these organizations has. */
export async function countMembers(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, { accounts: number; applications: number }>> {
  if (ids.length === 0) return new Map();
  // One count per organization reads its part of an index and nothing else; grouping made a row of every member first.
  const counted = (table: "accounts" | "applications") => {
    const count = sql<number | string>`(select count(*) from ${sql.table(table)} as m where m.org_id = o.id)`;
    return count.as(table);
  };
  const rows = await db
    .selectFrom("organizations as o")
    .select(["o.id", counted("accounts"), counted("applications")])
    .where("o.id", "in", ids)
    .execute();
  return new Map(
    rows.map((row) => [row.id, { accounts: Number(row.accounts), applications: Number(row.applications) }]),
  );
}

/** Tables whose rows an organization's admin may add to. */
export type Owned = "applications" | "api_keys" | "accounts";

/** How many rows of a table belong to an organization. */
export async function countOwned(db: Queryable, table: Owned, orgId: string): Promise<number> {
  const query = db.selectFrom(table).select((eb) => eb.fn.countAll().as("count"));
  return Number((await query.where("org_id", "=", orgId).executeTakeFirstOrThrow()).count);
}

/** Names of organizations by id. */
export async function findOrganizationNames(db: Queryable, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom("organizations").select(["id", "name"]).where("id", "in", ids).execute();
  return new Map(rows.map((row) => [row.id, row.name]));
}

const organizationsWithPolicy = (db: Queryable) =>
  db
    .selectFrom("organizations as o")
    .leftJoin("policies as p", "p.owner_id", "o.id")
    .selectAll("o")
    .select("p.auth_type");
