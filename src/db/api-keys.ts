// Queries of API keys as people manage them; registration and visitors look them up by hash elsewhere.

import { sql, type Expression, type SqlBool } from "kysely";
import type { Queryable, Trx } from "./database.ts";
import type { Keyset } from "./keyset.ts";
import { differs, hasText, readPage, type Choice, type FoundPage } from "./list-page.ts";
import type { ApiKeysTable } from "./tables.ts";

export type ApiKeyRow = ApiKeysTable;

/** A key without its hash, with the names of what it opens. */
export interface ApiKeyListed extends Omit<ApiKeyRow, "key_hash"> {
  org_name: string | null;
  app_name: string | null;
}

/** Public names of the columns that keys may be sorted by. */
export const apiKeySorts = { createdAt: "k.created_at", lastUsed: "k.last_used_at" };

export interface ApiKeyFilter {
  org: Choice | null;
  app: Choice | null;
  /** Words, in lower case, that description or prefix must have and must not have. */
  wanted: readonly string[];
  unwanted: readonly string[];
  /** Expired by `nowMs`, or not yet; null: either. */
  expired: boolean | null;
  nowMs: number;
}

/** One page. */
export function listApiKeys(
  db: Queryable,
  { org, app, wanted, unwanted, expired, nowMs }: ApiKeyFilter,
  column: string,
  page: Keyset,
): Promise<FoundPage<ApiKeyListed>> {
  let query = keysWithNames(db);
  if (app?.not === false) {
    query = query.where("k.app_id", "=", app.value);
    // Only checked, and spelled so that no index is chosen for it: an organization may have far more keys than one of its applications.
    if (org?.not === false) query = query.where(sql`(k.org_id || '')`, "=", org.value);
  } else if (org?.not === false) query = query.where("k.org_id", "=", org.value);
  const checked = [
    ...(org?.not ? [differs("k.org_id", org.value)] : []),
    ...(app?.not ? [differs("k.app_id", app.value)] : []),
    ...wanted.map(found),
    ...unwanted.map((word) => sql<SqlBool>`not ${found(word)}`),
    ...(expired === null ? [] : [endsBy(nowMs, expired)]),
  ];
  return readPage(query, { column, idColumn: "k.id" }, page, checked);
}

const found = (word: string): Expression<SqlBool> => hasText(["k.description", "k.prefix"], word);

/** As whoever presents the key is judged: at `expires_at` it is over. */
const endsBy = (nowMs: number, expired: boolean): Expression<SqlBool> =>
  expired ? sql<SqlBool>`k.expires_at <= ${nowMs}` : sql<SqlBool>`(k.expires_at is null or k.expires_at > ${nowMs})`;

export async function findApiKeyListed(db: Queryable, id: string): Promise<ApiKeyListed | null> {
  return (await keysWithNames(db).where("k.id", "=", id).executeTakeFirst()) ?? null;
}

/** Throws ForeignKeyViolation when the organization or application is gone. */
export async function insertApiKey(trx: Trx, row: ApiKeyRow): Promise<void> {
  await trx.insertInto("api_keys").values(row).execute();
}

/** Removes a key of an organization (null: any); the removed row, or null. */
export async function deleteApiKey(trx: Trx, orgId: string | null, id: string): Promise<ApiKeyRow | null> {
  const query = trx.deleteFrom("api_keys").where("id", "=", id).returningAll();
  const row = await (orgId === null ? query : query.where("org_id", "=", orgId)).executeTakeFirst();
  return row ?? null;
}

const keysWithNames = (db: Queryable) =>
  db
    .selectFrom("api_keys as k")
    .leftJoin("organizations as o", "o.id", "k.org_id")
    .leftJoin("applications as a", "a.id", "k.app_id")
    .select([
      "k.id",
      "k.org_id",
      "k.app_id",
      "k.prefix",
      "k.description",
      "k.scope",
      "k.created_by",
      "k.created_at",
      "k.expires_at",
      "k.last_used_at",
      "o.name as org_name",
      "a.name as app_name",
    ]);
