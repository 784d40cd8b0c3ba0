// What system admins do with organizations, and organization admins with the settings of their own.

import { ForeignKeyViolation, isUniqueViolation } from "../../db/engine.ts";
import {
  countMembers,
  deleteOrganization,
  findOrganization,
  findOrganizationListed,
  insertOrganization,
  listOrganizations,
  organizationSorts,
  updateOrganization,
  type OrganizationListed,
  type OrganizationRow,
} from "../../db/organizations.ts";
import { holdRow } from "../../db/hold.ts";
import type { ListOwner } from "../../db/whitelist-entries.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import type { TunnelDirectory } from "../live/directory.ts";
import { checkDisplayName, nameKey } from "../names.ts";
import { typedChoice } from "../filters.ts";
import { parsePage, parseSort, toPage } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import { toOrganizationAnswer } from "./model.ts";

export type Organizations = ReturnType<typeof createOrganizations>;

export function createOrganizations(deps: ApiDeps, directory: TunnelDirectory) {
  const { db, audit, nowMs } = deps;

  async function answersOf(rows: readonly OrganizationListed[]) {
    const counts = await countMembers(
      db.kysely,
      rows.map(({ id }) => id),
    );
    const tunnels = directory.countConnected("orgId");
    return rows.map((row) => {
      const { accounts = 0, applications = 0 } = counts.get(row.id) ?? {};
      return toOrganizationAnswer(row, { accounts, applications, activeTunnels: tunnels.get(row.id) ?? 0 });
    });
  }

  async function get(id: string) {
    const row = await findOrganizationListed(db.kysely, id);
    const [answer] = row === null ? [] : await answersOf([row]);
    if (answer === undefined) throw new AppError("not_found");
    return answer;
  }

  async function update(scope: Scope, id: string, body: { name?: string; requireTotp?: boolean }) {
    const name = body.name === undefined ? undefined : checkDisplayName(body.name);
    await uniqueName(() =>
      db.transaction(async (trx) => {
        await holdRow(trx, "organizations", id);
        const before = await findOrganization(trx, id);
        if (before === null) throw new AppError("not_found");
        const after: OrganizationRow = {
          ...before,
          ...(name === undefined ? {} : { name, name_key: nameKey(name) }),
          ...(body.requireTotp === undefined ? {} : { require_totp: body.requireTotp ? 1 : 0 }),
        };
        const { name: newName, name_key, require_totp } = after;
        await updateOrganization(trx, id, { name: newName, name_key, require_totp });
        await db.changes.record(trx, { kind: "organization", refId: id, orgId: id, action: "updated" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "organization.changed",
          orgId: id,
          details: { organization: id, before: shown(before), after: shown(after) },
        });
      }),
    );
    return get(id);
  }

  return {
    get,
    update,
    async list(query: { limit?: number; cursor?: string; sort?: string; q?: string }) {
      const q = typedChoice(query.q);
      const isSearch = q?.not === false;
      const sort = parseSort(query.sort, organizationSorts, isSearch ? "name" : "-createdAt");
      if (isSearch && sort.column !== organizationSorts.name) {
        throw new AppError("validation", "sort must be name when q is given.", { field: "sort" });
      }
      const page = parsePage(query, sort);
      const filter = { name: q === null ? null : { ...q, value: nameKey(q.value) } };
      const found = await listOrganizations(db.kysely, filter, sort.column, page);
      const { rows, nextCursor } = toPage(found, page, sort, (row) => ({
        value: sort.column === organizationSorts.name ? row.name_key : row.created_at,
        id: row.id,
      }));
      return { organizations: await answersOf(rows), nextCursor };
    },
    async create(scope: Scope, body: { name: string; requireTotp?: boolean }) {
      const name = checkDisplayName(body.name);
      const id = newId("org", nowMs());
      const require_totp = body.requireTotp === true ? 1 : 0;
      const row: OrganizationRow = { id, name, name_key: nameKey(name), require_totp, created_at: nowMs() };
      await uniqueName(() =>
        db.transaction(async (trx) => {
          await insertOrganization(trx, row);
          await db.changes.record(trx, { kind: "organization", refId: id, orgId: id, action: "created" });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            action: "organization.created",
            orgId: id,
            details: { organization: id, after: shown(row) },
          });
        }),
      );
      return get(id);
    },
    /**
     * Deletes an organization that has no applications and no accounts: members who lost their organization would
     * open tunnels under the system's defaults, without its policy.
     */
    async remove(scope: Scope, id: string): Promise<void> {
      try {
        await db.transaction(async (trx) => {
          await holdRow(trx, "organizations", id);
          const before = await findOrganization(trx, id);
          if (before === null) throw new AppError("not_found");
          const counts = (await countMembers(trx, [id])).get(id);
          if (counts !== undefined && counts.applications > 0) throw stillHas("applications");
          if (counts !== undefined && counts.accounts > 0) throw stillHas("members");
          await deleteOrganization(trx, id);
          await db.changes.record(trx, { kind: "organization", refId: id, orgId: id, action: "deleted" });
          await audit.within(trx, {
            ...changeBy(scope.caller, scope.request),
            action: "organization.deleted",
            orgId: id,
            details: { organization: id, before: shown(before) },
          });
        });
      } catch (error) {
        // Somebody added one meanwhile.
        if (error instanceof ForeignKeyViolation) throw stillHas("applications or members");
        throw error;
      }
      await deps.tunnels.disconnect({ orgId: id }, "credential_revoked");
    },
    /** The row of an organization that must exist. Throws `not_found`. */
    async row(id: string): Promise<OrganizationRow> {
      const row = await findOrganization(db.kysely, id);
      if (row === null) throw new AppError("not_found");
      return row;
    },
    /** Whose whitelist an organization's is. Throws `not_found`. */
    async listOwner(id: string): Promise<ListOwner> {
      if ((await findOrganization(db.kysely, id)) === null) throw new AppError("not_found");
      return { level: "organization", ownerId: id, orgId: id, appId: null, accountId: null };
    },
  };
}

function shown(row: OrganizationRow) {
  return { name: row.name, requireTotp: row.require_totp === 1 };
}

function stillHas(what: string): AppError {
  return new AppError("conflict", `The organization still has ${what}. Delete or move them first.`);
}

async function uniqueName<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error, "name_key")) throw error;
    throw new AppError("conflict", "An organization with this name exists.", { field: "name", cause: error });
  }
}
