// /admin/organizations, and /org/settings, /org/policy and limits for the caller's own.

import type { Policies } from "../policies/service.ts";
import { createPolicyRoutes } from "../policies/routes.ts";
import { createRateLimitRoutes } from "../rate-limits/routes.ts";
import type { RateLimits } from "../rate-limits/service.ts";
import { newRoutes } from "../routes.ts";
import { answers, idParams, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import type { WhitelistEntries } from "../whitelists/entries.ts";
import { createWhitelistRoutes } from "../whitelists/owner-routes.ts";
import { createLimitsRoute, type LimitsParts } from "./limits.ts";
import * as model from "./model.ts";
import type { Organizations } from "./service.ts";

interface Parts {
  organizations: Organizations;
  policies: Policies;
  rateLimits: RateLimits;
  limits: LimitsParts;
  entries: WhitelistEntries;
}

/** /admin/organizations: every organization, with its policy and its list. */
export function createAdminOrganizationsRoutes(portal: Portal, parts: Parts) {
  const { organizations, policies, entries } = parts;
  const tag = "admin: organizations";
  const ownerOf = async (_scope: Scope, id: string) => ({ orgId: (await organizations.row(id)).id, appId: null });
  const all = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", ({ query }) => organizations.list(query), {
      query: model.organizationsQuery,
      response: answers({ 200: model.organizationsAnswer }, ...readErrors),
      detail: { summary: "List organizations" },
    })
    .post(
      "",
      async ({ scope, body, set }) => {
        const organization = await organizations.create(scope, body);
        set.status = 201;
        return { success: true as const, organization };
      },
      {
        body: model.createBody,
        response: answers({ 201: model.organizationChangedAnswer }, ...changeErrors),
        detail: { summary: "Create an organization" },
      },
    );
  const one = newRoutes("/:id", tag, portal.security)
    .use(portal.change)
    .get("", async ({ params }) => ({ organization: await organizations.get(params.id) }), {
      params: idParams,
      response: answers({ 200: model.organizationAnswer }, ...readErrors, "not_found"),
      detail: { summary: "One organization" },
    })
    .put(
      "",
      async ({ scope, params, body }) => ({
        success: true as const,
        organization: await organizations.update(scope, params.id, body),
      }),
      {
        params: idParams,
        body: model.updateBody,
        response: answers({ 200: model.organizationChangedAnswer }, ...changeErrors),
        detail: { summary: "Rename an organization, or require a second factor of its members" },
      },
    )
    .delete(
      "",
      async ({ scope, params }) => {
        await organizations.remove(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: {
          summary: "Delete an organization",
          description: "With its keys, lists and policy. Refused while it has applications or members.",
        },
      },
    )
    .use(createPolicyRoutes(portal, tag, policies, ownerOf, idParams))
    .use(createRateLimitRoutes(portal, tag, parts.rateLimits, ownerOf, idParams))
    .use(createLimitsRoute(portal, tag, parts.limits, ownerOf, idParams))
    .use(
      createWhitelistRoutes(portal, tag, {
        entries,
        ownerOf: (_scope, id) => organizations.listOwner(id),
        summary: "Addresses that the organization's agents may connect from",
      }),
    );
  return newRoutes(`${portal.prefix}/organizations`, tag).use(all).use(one);
}

/** /org/settings, /org/policy, /org/rate-limit and /org/limits. */
export function createOwnOrganizationRoutes(portal: Portal, parts: Parts) {
  const { organizations, policies } = parts;
  const tag = "organization: settings";
  const settings = newRoutes("/settings", tag, portal.security)
    .use(portal.change)
    .get("", async ({ scope }) => ({ settings: model.toSettings(await organizations.row(scope.orgId ?? "")) }), {
      response: answers({ 200: model.settingsAnswer }, ...readErrors),
      detail: { summary: "Settings of the organization" },
    })
    .put(
      "",
      async ({ scope, body }) => {
        const { name, requireTotp } = await organizations.update(scope, scope.orgId ?? "", body);
        return { success: true as const, settings: { name, requireTotp } };
      },
      {
        body: model.updateBody,
        response: answers({ 200: model.settingsChangedAnswer }, ...changeErrors),
        detail: { summary: "Change the settings of the organization" },
      },
    );
  const ownerOf = async (scope: Scope) => ({ orgId: scope.orgId ?? "", appId: null });
  return newRoutes(portal.prefix, tag)
    .use(settings)
    .use(createPolicyRoutes(portal, "organization: policy", policies, ownerOf, undefined))
    .use(createRateLimitRoutes(portal, "organization: limits", parts.rateLimits, ownerOf, undefined))
    .use(createLimitsRoute(portal, "organization: limits", parts.limits, ownerOf, undefined));
}
