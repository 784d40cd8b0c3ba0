// GET, POST, DELETE …/{id}/whitelist of an organization or application: whoever the group of routes says owns the list.

import type { ListOwner } from "../../db/whitelist-entries.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, idSchema, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import { entriesAnswer, entriesQuery, entryAnswer, entryBody, type WhitelistEntries } from "./entries.ts";

const entryParams = closed({ id: idSchema, entryId: idSchema });

/** `ownerOf` finds the owner within the caller's scope, or throws `not_found`. */
export function createWhitelistRoutes(
  portal: Portal,
  tag: string,
  {
    entries,
    ownerOf,
    summary,
  }: { entries: WhitelistEntries; ownerOf: (scope: Scope, id: string) => Promise<ListOwner>; summary: string },
) {
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", async ({ scope, params, query }) => entries.list(await ownerOf(scope, params.id), query), {
      params: idParams,
      query: closed(entriesQuery),
      response: answers({ 200: entriesAnswer }, ...readErrors, "not_found"),
      detail: { summary },
    });
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .post(
      "",
      async ({ scope, params, body, set }) => {
        const owner = await ownerOf(scope, params.id);
        const added = await entries.add(scope, owner, body);
        set.status = 201;
        return added;
      },
      {
        params: idParams,
        body: entryBody,
        response: answers({ 201: entryAnswer }, ...changeErrors),
        detail: { summary: "Add an address or range", description: "A list has at most 1,000 entries." },
      },
    )
    .delete(
      "/:entryId",
      async ({ scope, params }) => {
        const owner = await ownerOf(scope, params.id);
        await entries.remove(scope, owner, params.entryId);
        return { success: true as const };
      },
      {
        params: entryParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Remove an entry", description: "Sessions that no longer pass close." },
      },
    );
  return newRoutes("/whitelist", tag).use(read).use(change);
}
