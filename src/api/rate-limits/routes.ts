// GET, PUT, DELETE …/rate-limit for whatever owner a group of routes has.

import type { PolicyOwner } from "../policies/service.ts";
import { newRoutes } from "../routes.ts";
import { answers, type idParams } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import * as model from "./model.ts";
import type { RateLimits } from "./service.ts";

/**
 * The routes of the limiter of one owner. `ownerOf` finds it within the caller's scope, or throws `not_found`; `params`
 * describes the path's parameters (undefined: there are none).
 */
export function createRateLimitRoutes(
  portal: Portal,
  tag: string,
  rateLimits: RateLimits,
  ownerOf: (scope: Scope, id: string) => Promise<PolicyOwner>,
  params: typeof idParams | undefined,
) {
  const input = params === undefined ? {} : { params };
  const idOf = (values: Record<string, string> | undefined): string => values?.["id"] ?? "";
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get(
      "",
      async ({ scope, params: values }) => ({ rateLimit: await rateLimits.get(await ownerOf(scope, idOf(values))) }),
      {
        ...input,
        response: answers({ 200: model.rateLimitAnswer }, ...readErrors, "not_found"),
        detail: {
          summary: "How many failures of a visitor's address are allowed",
          description: "An application's own settings count, else its organization's, else the server's.",
        },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .put(
      "",
      async ({ scope, params: values, body }) => {
        const rateLimit = await rateLimits.put(scope, await ownerOf(scope, idOf(values)), body);
        return { success: true as const, rateLimit };
      },
      {
        ...input,
        body: model.rateLimitBody,
        response: answers({ 200: model.rateLimitChangedAnswer }, ...changeErrors),
        detail: { summary: "Set the limiter" },
      },
    )
    .delete(
      "",
      async ({ scope, params: values, body }) => {
        const rateLimit = await rateLimits.remove(scope, await ownerOf(scope, idOf(values)), body?.basedOn);
        return { success: true as const, rateLimit };
      },
      {
        ...input,
        body: model.rateLimitRemovalBody,
        response: answers({ 200: model.rateLimitChangedAnswer }, ...changeErrors),
        detail: {
          summary: "Back to the inherited limiter",
          description: "Say by `basedOn` which one was read before.",
        },
      },
    );
  return newRoutes("/rate-limit", tag).use(read).use(change);
}
