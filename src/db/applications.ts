// Queries of applications: reserved subdomains of organizations, with the kind of policy that is in force for each.

import type { Queryable, Trx } from "./database.ts";
import type { Keyset } from "./keyset.ts";
import { beginsOtherwise, beginsWith, differs, readPage, type Choice, type FoundPage } from "./list-page.ts";
import type { ApplicationsTable } from "./tables.ts";

export type ApplicationRow = ApplicationsTable;

/** An application with what its organization and policies add. */
export interface ApplicationListed extends ApplicationRow {
  org_name: string | null;
  /** Kind of its own policy; null when it has none. */
  own_auth_type: string | null;
  /** Kind of the organization's policy; null when it has none. */
  org_auth_type: string | null;
}

/** Public names of the columns that applications may be sorted by. */
export const applicationSorts = { subdomain: "a.subdomain", name: "a.name", createdAt: "a.created_at" };

export interface ApplicationFilter {
  org: Choice | null;
  /** Beginning of a column; the one that is sorted by, unless it is left out. */
  beginning: (Choice & { column: string }) | null;
}

/** The application within an organization (null: any); null when it is another's or none. */
export async function findApplication(
  db: Queryable,
  orgId: string | null,
  id: string,
): Promise<ApplicationListed | null> {
  const query = applicationsWithPolicies(db).where("a.id", "=", id);
  const row = await (orgId === null ? query : query.where("a.org_id", "=", orgId)).executeTakeFirst();
  return row ?? null;
}

/** One page. */
export function listApplications(
  db: Queryable,
  { org, beginning }: ApplicationFilter,
  column: string,
  page: Keyset,
): Promise<FoundPage<ApplicationListed>> {
  let query = applicationsWithPolicies(db);
  if (org?.not === false) query = query.where("a.org_id", "=", org.value);
  if (beginning?.not === false) query = query.where(beginsWith(beginning.column, beginning.value));
  const checked = [
    ...(org?.not ? [differs("a.org_id", org.value)] : []),
    ...(beginning?.not ? [beginsOtherwise(beginning.column, beginning.value)] : []),
  ];
  const isUnique = column === applicationSorts.subdomain;
  return readPage(query, { column, idColumn: "a.id", isUnique }, page, checked);
}

/** Throws UniqueViolation when the subdomain is taken, ForeignKeyViolation when the organization is gone. */
export async function insertApplication(trx: Trx, row: ApplicationRow): Promise<void> {
  await trx.insertInto("applications").values(row).execute();
}

/** Throws UniqueViolation when the subdomain is taken. */
export async function updateApplication(
  trx: Trx,
  id: string,
  change: Partial<Pick<ApplicationRow, "name" | "subdomain" | "auth_mode">>,
): Promise<void> {
  await trx.updateTable("applications").set(change).where("id", "=", id).execute();
}

/** Its keys, lists, policy, limiter, leases and visitors' sessions go with it. */
export async function deleteApplication(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom("applications").where("id", "=", id).execute();
}

/** Names and subdomains of applications by id. */
export async function findApplicationNames(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, { name: string; subdomain: string }>> {
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom("applications").select(["id", "name", "subdomain"]).where("id", "in", ids).execute();
  return new Map(rows.map((row) => [row.id, { name: row.name, subdomain: row.subdomain }]));
}

/** Adds to the totals of an application; one that is gone is no error. */
export async function addApplicationTotals(
  trx: Trx,
  id: string,
  added: { requests: number; connections: number; bytesIn: number; bytesOut: number },
): Promise<void> {
  await trx
    .updateTable("applications")
    .set((eb) => ({
      total_connections: eb("total_connections", "+", added.connections),
      bytes_sent: eb("bytes_sent", "+", added.bytesOut),
      bytes_received: eb("bytes_received", "+", added.bytesIn),
      request_count: eb("request_count", "+", added.requests),
    }))
    .where("id", "=", id)
    .execute();
}

const applicationsWithPolicies = (db: Queryable) =>
  db
    .selectFrom("applications as a")
    .leftJoin("organizations as o", "o.id", "a.org_id")
    .leftJoin("policies as own", "own.owner_id", "a.id")
    .leftJoin("policies as orgs", "orgs.owner_id", "a.org_id")
    .selectAll("a")
    .select(["o.name as org_name", "own.auth_type as own_auth_type", "orgs.auth_type as org_auth_type"]);
