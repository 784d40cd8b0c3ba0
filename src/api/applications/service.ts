// What can be done with applications. A change acts on the live tunnel of the name at once; a stranger's lease of a name
// that becomes an application's is ended by the registry of tunnels, which hears of the change.

import type { Static } from "elysia";
import {
  applicationSorts,
  deleteApplication,
  findApplication,
  insertApplication,
  listApplications,
  updateApplication,
  type ApplicationListed,
  type ApplicationRow,
} from "../../db/applications.ts";
import { holdRow } from "../../db/hold.ts";
import { ForeignKeyViolation, isUniqueViolation } from "../../db/engine.ts";
import { findOrganization } from "../../db/organizations.ts";
import { findPolicy } from "../../db/policies.ts";
import type { ListOwner } from "../../db/whitelist-entries.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { changeBy, changedMeanwhile, checkBasedOn } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import type { TunnelDirectory } from "../live/directory.ts";
import { checkRoom } from "../organizations/room.ts";
import { checkDisplayName, checkSubdomain } from "../names.ts";
import type { Choice } from "../../db/list-page.ts";
import { choiceOf, typedChoice } from "../filters.ts";
import { parsePage, parseSort, toPage, type Sort } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import { toApplicationAnswer, toStats, type updateBody } from "./model.ts";

export interface NewApplicationBody {
  subdomain: string;
  name: string;
  authMode?: ApplicationRow["auth_mode"];
}

type ApplicationUpdate = Static<typeof updateBody>;

export interface ApplicationsDeps {
  directory: TunnelDirectory;
  reservedNames: readonly string[];
  urlOf: (name: string) => string;
}

export interface ApplicationsQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  q?: string;
  org?: string;
}

export type Applications = ReturnType<typeof createApplications>;

export function createApplications(deps: ApiDeps, { directory, reservedNames, urlOf }: ApplicationsDeps) {
  const { db, audit, nowMs } = deps;

  /** A foreign application is as unknown as one that never was. */
  async function row(orgId: string | null, id: string): Promise<ApplicationListed> {
    const found = await findApplication(db.kysely, orgId, id);
    if (found === null) throw new AppError("not_found");
    return found;
  }

  function answer(found: ApplicationListed, tunnels = directory.countConnected("appId")) {
    return toApplicationAnswer(found, tunnels.get(found.id) ?? 0, urlOf(found.subdomain));
  }

  const get = async (orgId: string | null, id: string) => answer(await row(orgId, id));

  async function create(scope: Scope, orgId: string, body: NewApplicationBody) {
    const subdomain = checkSubdomain(body.subdomain, reservedNames);
    const name = checkDisplayName(body.name);
    const id = newId("app", nowMs());
    const created: ApplicationRow = {
      id,
      org_id: orgId,
      subdomain,
      name,
      auth_mode: body.authMode ?? "inherit",
      is_active: 1,
      total_connections: 0,
      bytes_sent: 0,
      bytes_received: 0,
      request_count: 0,
      created_at: nowMs(),
    };
    await uniqueSubdomain(() =>
      db.transaction(async (trx) => {
        if ((await findOrganization(trx, orgId)) === null) throw unknownOrganization();
        await checkRoom(trx, deps.settings.room, "applications", orgId);
        await insertApplication(trx, created);
        await db.changes.record(trx, { kind: "application", refId: id, orgId, action: "created" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "application.created",
          orgId,
          appId: id,
          details: { after: shown(created) },
        });
      }),
    );
    return get(orgId, id);
  }

  async function update(scope: Scope, id: string, body: ApplicationUpdate) {
    const subdomain = body.subdomain === undefined ? undefined : checkSubdomain(body.subdomain, reservedNames);
    const name = body.name === undefined ? undefined : checkDisplayName(body.name);
    const renamed = await uniqueSubdomain(() =>
      db.transaction(async (trx) => {
        await holdRow(trx, "applications", id);
        const before = await findApplication(trx, scope.orgId, id);
        if (before === null) throw new AppError("not_found");
        if (before.auth_mode !== (body.basedOn ?? before.auth_mode)) throw changedMeanwhile("The application's policy");
        const inherited = await findPolicy(trx, before.org_id);
        checkBasedOn("The organization's policy", body.basedOnPolicy, inherited?.updated_at, "basedOnPolicy");
        const after = {
          name: name ?? before.name,
          subdomain: subdomain ?? before.subdomain,
          auth_mode: body.authMode ?? before.auth_mode,
        };
        await updateApplication(trx, id, after);
        await db.changes.record(trx, { kind: "application", refId: id, orgId: before.org_id, action: "updated" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "application.changed",
          orgId: before.org_id,
          appId: id,
          details: { before: shown(before), after: shown(after) },
        });
        return after.subdomain !== before.subdomain;
      }),
    );
    if (renamed) await deps.tunnels.disconnect({ appId: id }, "application_changed");
    return get(scope.orgId, id);
  }

  return {
    get,
    row,
    create,
    update,
    async list(orgId: string | null, query: ApplicationsQuery) {
      const q = typedChoice(query.q);
      const sort = parseSort(query.sort, applicationSorts, q?.not === false ? "subdomain" : "-createdAt");
      const page = parsePage(query, sort);
      const filter = { org: choiceOf(orgId ?? query.org), beginning: q === null ? null : beginningOf(q, sort) };
      const found = await listApplications(db.kysely, filter, sort.column, page);
      const { rows, nextCursor } = toPage(found, page, sort, (one) => ({ value: sortValue(one, sort), id: one.id }));
      const tunnels = directory.countConnected("appId");
      return { applications: rows.map((one) => answer(one, tunnels)), nextCursor };
    },
    /** Deletes the application with everything that is only its own, and closes its tunnel. */
    async remove(scope: Scope, id: string): Promise<void> {
      await db.transaction(async (trx) => {
        await holdRow(trx, "applications", id);
        const before = await findApplication(trx, scope.orgId, id);
        if (before === null) throw new AppError("not_found");
        await deleteApplication(trx, id);
        await db.changes.record(trx, { kind: "application", refId: id, orgId: before.org_id, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "application.deleted",
          orgId: before.org_id,
          appId: id,
          details: { before: shown(before) },
        });
      });
      await deps.tunnels.disconnect({ appId: id }, "application_changed");
    },
    async stats(orgId: string | null, id: string) {
      const found = await row(orgId, id);
      return { ...toStats(found), activeTunnelCount: directory.countConnected("appId").get(id) ?? 0 };
    },
    /** Whose policy. Throws `not_found` outside the scope. */
    async policyOwner(scope: Scope, id: string): Promise<{ orgId: string; appId: string }> {
      return { orgId: (await row(scope.orgId, id)).org_id, appId: id };
    },
    /** Whose whitelist. Throws `not_found` outside the scope. */
    async listOwner(scope: Scope, id: string): Promise<ListOwner> {
      const { org_id: orgId } = await row(scope.orgId, id);
      return { level: "application", ownerId: id, orgId, appId: id, accountId: null };
    },
  };
}

/** What a search compares with the column that is sorted by. Throws `validation` where nothing can be searched. */
function beginningOf(q: Choice, sort: Sort): Choice & { column: string } {
  if (sort.column === applicationSorts.name) return { ...q, value: q.value.normalize("NFKC"), column: sort.column };
  if (q.not || sort.column === applicationSorts.subdomain) {
    return { ...q, value: q.value.toLowerCase(), column: applicationSorts.subdomain };
  }
  throw new AppError("validation", "sort must be subdomain or name when q is given.", { field: "sort" });
}

function sortValue(row: ApplicationListed, sort: Sort): string | number {
  if (sort.column === applicationSorts.subdomain) return row.subdomain;
  return sort.column === applicationSorts.name ? row.name : row.created_at;
}

function shown(row: Pick<ApplicationRow, "name" | "subdomain" | "auth_mode">) {
  return { name: row.name, subdomain: row.subdomain, authMode: row.auth_mode };
}

function unknownOrganization(): AppError {
  return new AppError("validation", "orgId is no organization of this server.", { field: "orgId" });
}

async function uniqueSubdomain<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ForeignKeyViolation) throw unknownOrganization();
    if (!isUniqueViolation(error, "subdomain")) throw error;
    throw new AppError("conflict", "This subdomain is taken.", { field: "subdomain", cause: error });
  }
}
