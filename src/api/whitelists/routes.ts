// /admin/whitelist and /org/whitelist, and the lists of all organizations and applications.

import { t } from "elysia";
import { systemList, type ListOwner } from "../../db/whitelist-entries.ts";
import { listWhitelistLevel } from "../../db/whitelist-levels.ts";
import { canonicalCidr } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { parsePage, toPage } from "../paging.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, idSchema, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import {
  entriesAnswer,
  entriesQuery,
  entriesSort,
  entryAnswer,
  entryBody,
  toEntryAnswer,
  type WhitelistEntries,
} from "./entries.ts";

const envId = (index: number): string => `env_${index}`;

interface Parts {
  deps: ApiDeps;
  entries: WhitelistEntries;
  /** AGENT_WHITELIST: shown with the system's list, stored nowhere. */
  agentWhitelist: readonly string[];
}

/** The list of the portal itself: the system's, or the caller's organization's. */
export function createPortalWhitelistRoutes(portal: Portal, { entries, agentWhitelist }: Parts) {
  const tag = `${portal.tag}: whitelists`;
  const fromEnv = agentWhitelist.map((range, index) => ({
    id: envId(index + 1),
    ipRange: canonicalCidr(range) ?? range,
    description: "AGENT_WHITELIST",
    level: "system" as const,
    ownerId: null,
    ownerName: null,
    createdAt: null,
    source: "env" as const,
  }));
  const ownerOf = ({ orgId }: Scope): ListOwner =>
    orgId === null ? systemList : { level: "organization", ownerId: orgId, orgId, appId: null, accountId: null };

  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get(
      "",
      async ({ scope, query }) => {
        const page = await entries.list(ownerOf(scope), query);
        // In front of the first page, beyond its limit: they are few, and no cursor could name them.
        const shown = scope.orgId === null && query.cursor === undefined ? fromEnv : [];
        return { entries: [...shown, ...page.entries], nextCursor: page.nextCursor };
      },
      {
        query: closed(entriesQuery),
        response: answers({ 200: entriesAnswer }, ...readErrors),
        detail: {
          summary:
            portal.prefix === "/admin"
              ? "Addresses that any agent may connect from"
              : "Addresses that the organization's agents may connect from",
        },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .post(
      "",
      async ({ scope, body, set }) => {
        const added = await entries.add(ownerOf(scope), body, scope.caller, scope.request);
        set.status = 201;
        return added;
      },
      {
        body: entryBody,
        response: answers({ 201: entryAnswer }, ...changeErrors),
        detail: { summary: "Add an address or range" },
      },
    )
    .delete(
      "/:id",
      async ({ scope, params }) => {
        if (scope.orgId === null && fromEnv.some(({ id }) => id === params.id)) {
          throw new AppError("conflict", "This entry comes from AGENT_WHITELIST; remove it there and restart.");
        }
        await entries.remove(ownerOf(scope), params.id, scope.caller, scope.request);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Remove an entry", description: "Sessions that no longer pass close." },
      },
    );
  return newRoutes(`${portal.prefix}/whitelist`, tag).use(read).use(change);
}

/** Entries of every organization's or application's list in the caller's scope. */
export function createLevelRoutes(
  portal: Portal,
  path: "/org-whitelists" | "/app-whitelists" | "/app-whitelist",
  { deps }: Parts,
) {
  const tag = `${portal.tag}: whitelists`;
  const level = path === "/org-whitelists" ? "organization" : "application";
  const isAdmin = portal.prefix === "/admin";
  return newRoutes(portal.prefix, tag, portal.security)
    .use(portal.read)
    .get(
      path,
      async ({ scope, query }) => {
        const sort = entriesSort(query);
        const page = parsePage(query, sort);
        const orgId = scope.orgId ?? (query as { org?: string }).org ?? null;
        const found = await listWhitelistLevel(deps.db.kysely, level, orgId, page);
        const { rows, nextCursor } = toPage(found, page, sort, (row) => ({ value: row.created_at, id: row.id }));
        return { entries: rows.map((row) => toEntryAnswer(row, row.owner_name)), nextCursor };
      },
      {
        query: isAdmin ? closed({ ...entriesQuery, org: t.Optional(idSchema) }) : closed(entriesQuery),
        response: answers({ 200: entriesAnswer }, ...readErrors),
        detail: { summary: `Entries of all ${level}s' lists` },
      },
    );
}
