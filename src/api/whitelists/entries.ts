// Entries of a whitelist of agents, for any owner: schemas, pages, adding and removing with audit and change rows.

import { t } from "elysia";
import { findAccountWithin } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import { ForeignKeyViolation, isUniqueViolation } from "../../db/engine.ts";
import { holdRow } from "../../db/hold.ts";
import {
  countWhitelist,
  deleteWhitelistEntry,
  insertWhitelistEntry,
  type ListOwner,
  type WhitelistRow,
} from "../../db/whitelist-entries.ts";
import { listWhitelist, whitelistSorts, type WhitelistsOf } from "../../db/whitelist-lists.ts";
import { canonicalCidr, isEverything } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { wordsFilter, wordsOf } from "../filters.ts";
import { parsePage, parseSort, toPage } from "../paging.ts";
import { closed, idSchema, listOf, pageQuery, text, timeSchema } from "../schemas.ts";
import type { Scope } from "../scopes.ts";

export const entryBody = closed({
  ipRange: text(64, { minLength: 1, description: "An IPv4 or IPv6 address or range (CIDR)." }),
  description: t.Optional(text(200)),
});
export const entrySchema = closed({
  id: idSchema,
  ipRange: t.String(),
  description: t.String(),
  level: t.Union([t.Literal("system"), t.Literal("organization"), t.Literal("application"), t.Literal("account")]),
  ownerId: t.Nullable(t.String()),
  ownerName: t.Nullable(t.String({ description: "Of the organization, application or account, in lists." })),
  createdAt: t.Nullable(timeSchema),
  source: t.Union([t.Literal("database"), t.Literal("env")], { description: "`env`: set by AGENT_WHITELIST." }),
});
export const entriesAnswer = listOf("entries", entrySchema);
export const entryAnswer = closed({
  entry: entrySchema,
  warning: t.Optional(t.String({ description: "Why the entry may be a mistake." })),
});

/** Of a tenant's list: each registration of its agents reads it, and each of their tickets takes it to a shard. */
const mostEntries = 1_000;

const everythingWarning = "This range contains every address: any agent with a valid credential may connect.";

/** An entry as the API shows it. */
export function toEntryAnswer(row: WhitelistRow, ownerName: string | null = null) {
  return {
    id: row.id,
    ipRange: row.cidr,
    description: row.description,
    level: row.level,
    ownerId: row.owner_id === "" ? null : row.owner_id,
    ownerName,
    createdAt: new Date(row.created_at).toISOString(),
    source: "database" as const,
  };
}

export interface EntriesQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  q?: string;
}

export interface WhitelistEntries {
  list(
    of: WhitelistsOf,
    query: EntriesQuery,
  ): Promise<{ entries: ReturnType<typeof toEntryAnswer>[]; nextCursor: string | null }>;
  /** Adds the canonical form of a range. Throws `validation`, `conflict`, and `not_found` for an owner that has left the scope. */
  add(
    scope: Scope,
    owner: ListOwner,
    body: { ipRange: string; description?: string },
  ): Promise<{ entry: ReturnType<typeof toEntryAnswer>; warning?: string }>;
  /** Removes an entry of this owner; live sessions that no longer pass close through the feed of changes. Throws `not_found`. */
  remove(scope: Scope, owner: ListOwner, entryId: string): Promise<void>;
}

/** Parameters of every list of entries. */
export const entriesQuery = {
  ...pageQuery,
  sort: t.Optional(
    text(32, { description: "`createdAt`, or `ipRange` by its letters; `-` in front turns it round (`-createdAt`)." }),
  ),
  q: wordsFilter("Words that all stand in range or description; an address or range is found in what contains it."),
};

export function createWhitelistEntries(deps: ApiDeps): WhitelistEntries {
  const { db, audit, nowMs } = deps;
  return {
    async list(of, query) {
      const sort = parseSort(query.sort, whitelistSorts, "-createdAt");
      const page = parsePage(query, sort);
      const found = await listWhitelist(db.kysely, of, wordsOf(query.q), sort.column, page);
      const { rows, nextCursor } = toPage(found, page, sort, (row) => ({
        value: sort.column === whitelistSorts.ipRange ? row.cidr : row.created_at,
        id: row.id,
      }));
      return { entries: rows.map((row) => toEntryAnswer(row, row.owner_name)), nextCursor };
    },
    async add(scope, owner, body) {
      const cidr = canonicalCidr(body.ipRange.trim());
      if (cidr === null) {
        throw new AppError("validation", "ipRange must be an IPv4 or IPv6 address or range.", { field: "ipRange" });
      }
      try {
        const row = await db.transaction(async (trx) => {
          const orgId = await holdOwner(trx, scope, owner);
          if (owner.level !== "system" && (await countWhitelist(trx, owner.ownerId)) >= mostEntries) throw fullList();
          const added: WhitelistRow = {
            id: newId("wl", nowMs()),
            level: owner.level,
            owner_id: owner.ownerId,
            org_id: orgId,
            app_id: owner.appId,
            account_id: owner.accountId,
            cidr,
            description: body.description ?? "",
            created_by: scope.caller.account.id,
            created_at: nowMs(),
          };
          await insertWhitelistEntry(trx, added);
          await db.changes.record(trx, { kind: "whitelist", refId: added.id, orgId, action: "created" });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            action: "whitelist.added",
            orgId,
            appId: owner.appId,
            details: { level: owner.level, owner: owner.ownerId, ipRange: cidr },
          });
          return added;
        });
        return { entry: toEntryAnswer(row), ...(isEverything(cidr) ? { warning: everythingWarning } : {}) };
      } catch (error) {
        if (isUniqueViolation(error)) {
          throw new AppError("conflict", `${cidr} is on this list already.`, { field: "ipRange", cause: error });
        }
        // The owner was deleted meanwhile.
        if (error instanceof ForeignKeyViolation) throw new AppError("not_found", undefined, { cause: error });
        throw error;
      }
    },
    async remove(scope, owner, entryId) {
      await db.transaction(async (trx) => {
        const orgId = await holdOwner(trx, scope, owner);
        const row = await deleteWhitelistEntry(trx, owner.ownerId, entryId);
        if (row === null) throw new AppError("not_found");
        await db.changes.record(trx, { kind: "whitelist", refId: entryId, orgId, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "whitelist.removed",
          orgId,
          appId: owner.appId,
          details: { level: owner.level, owner: owner.ownerId, ipRange: row.cidr },
        });
      });
    },
  };
}

/**
 * Makes whoever else changes the list, or moves the account whose it is, wait until the transaction ends. The organization that the list
 * is in: an account may just have been moved to another one.
 */
async function holdOwner(trx: Trx, scope: Scope, { level, ownerId, orgId }: ListOwner): Promise<string | null> {
  if (level === "system") return null;
  await holdRow(trx, `${level}s`, ownerId);
  if (level !== "account") return orgId;
  const account = await findAccountWithin(trx, scope.orgId, ownerId);
  if (account === null) throw new AppError("not_found");
  return account.orgId;
}

function fullList(): AppError {
  const message = `This list has ${mostEntries} entries, as many as it may have. Remove some, or add a range that contains them.`;
  return new AppError("conflict", message, { field: "ipRange" });
}
