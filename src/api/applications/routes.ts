// /admin/applications and /org/applications: one set of routes, two scopes.

import { roomText } from "../organizations/room.ts";
import type { Policies } from "../policies/service.ts";
import { createEffectivePolicyRoute, createPolicyRoutes } from "../policies/routes.ts";
import { createRateLimitRoutes } from "../rate-limits/routes.ts";
import type { RateLimits } from "../rate-limits/service.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, noBody, pageQuery, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal } from "../scopes.ts";
import type { LiveTunnelList } from "../live/tunnels.ts";
import { tunnelsAnswer } from "../live/tunnel-model.ts";
import type { WhitelistEntries } from "../whitelists/entries.ts";
import { createWhitelistRoutes } from "../whitelists/owner-routes.ts";
import * as model from "./model.ts";
import type { Applications } from "./service.ts";

interface Parts {
  applications: Applications;
  rateLimits: RateLimits;
  policies: Policies;
  entries: WhitelistEntries;
  tunnels: LiveTunnelList;
}

const created = answers({ 201: model.applicationChangedAnswer }, ...changeErrors);

/** GET, POST of all applications; the organization is a filter and a field of the body. */
export function createAdminApplicationsRoutes(portal: Portal, parts: Parts) {
  const { applications } = parts;
  const tag = "admin: applications";
  const all = newRoutes("", tag, portal.security)
    .use(portal.change)
    .get("", ({ query }) => applications.list(null, query), {
      query: model.adminListQuery,
      response: answers({ 200: model.applicationsAnswer }, ...readErrors),
      detail: { summary: "List applications" },
    })
    .post(
      "",
      async ({ scope, body, set }) => {
        const application = await applications.create(scope, body.orgId, body);
        set.status = 201;
        return { success: true as const, application };
      },
      {
        body: model.adminCreateBody,
        response: created,
        detail: { summary: "Create an application", description: roomText("applications") },
      },
    );
  return newRoutes("/admin/applications", tag)
    .use(all)
    .use(createOneRoutes(portal, tag, parts));
}

/** GET, POST of the caller's organization's applications. */
export function createOrgApplicationsRoutes(portal: Portal, parts: Parts) {
  const { applications } = parts;
  const tag = "organization: applications";
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", ({ scope, query }) => applications.list(scope.orgId, query), {
      query: model.orgListQuery,
      response: answers({ 200: model.applicationsAnswer }, ...readErrors),
      detail: { summary: "List applications" },
    });
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .post(
      "",
      async ({ scope, body, set }) => {
        const application = await applications.create(scope, scope.orgId ?? "", body);
        set.status = 201;
        return { success: true as const, application };
      },
      {
        body: model.orgCreateBody,
        response: created,
        detail: { summary: "Create an application", description: roomText("applications") },
      },
    );
  return newRoutes("/org/applications", tag)
    .use(read)
    .use(change)
    .use(createOneRoutes(portal, tag, parts));
}

function createOneRoutes(portal: Portal, tag: string, parts: Parts) {
  const { applications, policies, entries, tunnels } = parts;
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", async ({ scope, params }) => ({ application: await applications.get(scope.orgId, params.id) }), {
      params: idParams,
      response: answers({ 200: model.applicationAnswer }, ...readErrors, "not_found"),
      detail: { summary: "One application" },
    })
    .get("/stats", async ({ scope, params }) => ({ stats: await applications.stats(scope.orgId, params.id) }), {
      params: idParams,
      response: answers({ 200: model.statsAnswer }, ...readErrors, "not_found"),
      detail: { summary: "Totals of an application" },
    })
    .get(
      "/tunnels",
      async ({ scope, params, query }) => {
        await applications.row(scope.orgId, params.id);
        return tunnels.list(scope.orgId, { ...query, app: params.id });
      },
      {
        params: idParams,
        query: closed(pageQuery),
        response: answers({ 200: tunnelsAnswer }, ...readErrors, "not_found"),
        detail: { summary: "Live tunnels of an application" },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .put(
      "",
      async ({ scope, params, body }) => ({
        success: true as const,
        application: await applications.update(scope, params.id, body),
      }),
      {
        params: idParams,
        body: model.updateBody,
        response: answers({ 200: model.applicationChangedAnswer }, ...changeErrors),
        detail: {
          summary: "Change an application",
          description:
            "What is left out stays as it is. A new subdomain closes its live tunnel. Of a new `authMode` say by `basedOn` which one was read before, and of `inherit` by `basedOnPolicy` which policy of the organization.",
        },
      },
    )
    .delete(
      "",
      async ({ scope, params }) => {
        await applications.remove(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Delete an application", description: "With its keys, lists, policy and live tunnel." },
      },
    );
  return newRoutes("/:id", tag)
    .use(read)
    .use(change)
    .use(createPolicyRoutes(portal, tag, policies, applications.policyOwner, idParams))
    .use(createEffectivePolicyRoute(portal, tag, policies, applications.policyOwner, idParams))
    .use(createRateLimitRoutes(portal, tag, parts.rateLimits, applications.policyOwner, idParams))
    .use(
      createWhitelistRoutes(portal, tag, {
        entries,
        ownerOf: applications.listOwner,
        summary: "Addresses that agents with a key of the application may connect from",
      }),
    );
}
