// Queries of organizations.

import type { Queryable } from "./database.ts";
import type { OrganizationsTable } from "./tables.ts";

export type OrganizationRow = OrganizationsTable;

export async function findOrganization(db: Queryable, id: string): Promise<OrganizationRow | null> {
  const row = await db.selectFrom("organizations").selectAll().where("id", "=", id).executeTakeFirst();
  return row ?? null;
}

/** Throws UniqueViolation when the name is taken (without regard to case). */
export async function insertOrganization(db: Queryable, row: OrganizationRow): Promise<void> {
  await db.insertInto("organizations").values(row).execute();
}
