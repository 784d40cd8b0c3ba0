// /admin/whitelist and /org/whitelist, and the lists of all organizations and applications.

import { systemList, type ListOwner } from "../../db/whitelist-entries.ts";
import { canonicalCidr, rangesAround } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import { choiceOf, idFilter, isChosen, passesWords, wordFilter, wordsOf } from "../filters.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import { entriesAnswer, entriesQuery, entryAnswer, entryBody, type WhitelistEntries } from "./entries.ts";

/** As the database finds words in stored entries. */
function isFound(word: string, range: string): boolean {
  const around = rangesAround(word);
  return around.length === 0 ? `${range} agent_whitelist`.includes(word) : around.includes(range);
}

const envId = (index: number): string => `env_${index}`;

interface Parts {
  entries: WhitelistEntries;
  /** AGENT_WHITELIST: shown with the system's list, stored nowhere. */
  agentWhitelist: readonly string[];
}

/** The list of the portal itself: the system's, or the caller's organization's. */
export function createPortalWhitelistRoutes(portal: Portal, { entries, agentWhitelist }: Parts) {
  const tag = `${portal.tag}: whitelists`;
  const isAdmin = portal.prefix === "/admin";
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
        const { source } = query as { source?: string };
        const asked = choiceOf(source);
        const words = wordsOf(query.q);
        // In front of the first page, beyond its limit: they are few, and no cursor could name them.
        const isShown = scope.orgId === null && query.cursor === undefined && isChosen(asked, "env");
        const shown = isShown
          ? fromEnv.filter((entry) => passesWords(words, (word) => isFound(word, entry.ipRange)))
          : [];
        if (!isChosen(asked, "database")) return { entries: shown, nextCursor: null };
        const page = await entries.list(ownerOf(scope), query);
        return { entries: [...shown, ...page.entries], nextCursor: page.nextCursor };
      },
      {
        query: isAdmin ? closed({ ...entriesQuery, source: wordFilter(["env", "database"]) }) : closed(entriesQuery),
        response: answers({ 200: entriesAnswer }, ...readErrors),
        detail: isAdmin
          ? {
              summary: "Addresses that any agent may connect from",
              description: "Those of AGENT_WHITELIST stand in front of the first page, in any order.",
            }
          : { summary: "Addresses that the organization's agents may connect from" },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .post(
      "",
      async ({ scope, body, set }) => {
        const added = await entries.add(scope, ownerOf(scope), body);
        set.status = 201;
        return added;
      },
      {
        body: entryBody,
        response: answers({ 201: entryAnswer }, ...changeErrors),
        detail: {
          summary: "Add an address or range",
          ...(isAdmin ? {} : { description: "A list has at most 1,000 entries." }),
        },
      },
    )
    .delete(
      "/:id",
      async ({ scope, params }) => {
        if (scope.orgId === null && fromEnv.some(({ id }) => id === params.id)) {
          throw new AppError("conflict", "This entry comes from AGENT_WHITELIST; remove it there and restart.");
        }
        await entries.remove(scope, ownerOf(scope), params.id);
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

/** Lists of many owners: whose, and who may look at them. */
const levels = {
  "/org-whitelists": "organization",
  "/app-whitelists": "application",
  "/app-whitelist": "application",
  "/account-whitelists": "account",
  "/account-whitelist": "account",
} as const;

/** Entries of every organization's, application's or account's list in the caller's scope. */
export function createLevelRoutes(portal: Portal, path: keyof typeof levels, { entries }: Parts) {
  const tag = `${portal.tag}: whitelists`;
  const level = levels[path];
  const isAdmin = portal.prefix === "/admin";
  return (
    newRoutes(portal.prefix, tag, portal.security)
      // Members don't look at each other.
      .use(level === "account" ? portal.change : portal.read)
      .get(
        path,
        ({ scope, query }) =>
          entries.list({ level, org: choiceOf(scope.orgId ?? (query as { org?: string }).org) }, query),
        {
          query: isAdmin ? closed({ ...entriesQuery, org: idFilter }) : closed(entriesQuery),
          response: answers({ 200: entriesAnswer }, ...readErrors),
          detail: { summary: `Entries of all ${level}s' lists` },
        },
      )
  );
}
