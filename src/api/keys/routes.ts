// /admin/api-keys and /org/api-keys.

import { roomText } from "../organizations/room.ts";
import { newRoutes } from "../routes.ts";
import { answers, idParams, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal } from "../scopes.ts";
import * as model from "./model.ts";
import type { Keys } from "./service.ts";

const created = answers({ 201: model.keyCreatedAnswer }, ...changeErrors);

/** Keys of every organization. */
export function createAdminKeysRoutes(portal: Portal, keys: Keys) {
  const tag = "admin: API keys";
  const all = newRoutes("", tag, portal.security)
    .use(portal.change)
    .get("", ({ query }) => keys.list(null, query), {
      query: model.adminListQuery,
      response: answers({ 200: model.keysAnswer }, ...readErrors),
      detail: { summary: "List API keys" },
    })
    .post(
      "",
      async ({ scope, body, set }) => {
        const answer = await keys.create(scope, body.orgId, body);
        set.status = 201;
        return { success: true as const, ...answer };
      },
      {
        body: model.adminCreateBody,
        response: created,
        detail: { summary: "Make an API key", description: roomText("api_keys") },
      },
    );
  return newRoutes("/admin/api-keys", tag)
    .use(all)
    .use(createRevokeRoute(portal, tag, keys));
}

/** Keys of the caller's organization. */
export function createOrgKeysRoutes(portal: Portal, keys: Keys) {
  const tag = "organization: API keys";
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", ({ scope, query }) => keys.list(scope.orgId, query), {
      query: model.orgListQuery,
      response: answers({ 200: model.keysAnswer }, ...readErrors),
      detail: { summary: "List API keys" },
    });
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .post(
      "",
      async ({ scope, body, set }) => {
        const answer = await keys.create(scope, scope.orgId ?? "", body);
        set.status = 201;
        return { success: true as const, ...answer };
      },
      {
        body: model.orgCreateBody,
        response: created,
        detail: { summary: "Make an API key", description: roomText("api_keys") },
      },
    );
  return newRoutes("/org/api-keys", tag)
    .use(read)
    .use(change)
    .use(createRevokeRoute(portal, tag, keys));
}

function createRevokeRoute(portal: Portal, tag: string, keys: Keys) {
  return newRoutes("", tag, portal.security)
    .use(portal.change)
    .delete(
      "/:id",
      async ({ scope, params }) => {
        await keys.remove(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Revoke an API key", description: "Tunnels opened with it close." },
      },
    );
}
