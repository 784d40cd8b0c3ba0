// What the dashboard shows live: tunnels, numbers, traffic, the last requests.

import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, noBody, successSchema, text } from "../schemas.ts";
import { changeErrors, readErrors, type Portal } from "../scopes.ts";
import type { Applications } from "../applications/service.ts";
import * as model from "./model.ts";
import type { Numbers } from "./numbers.ts";
import type { Requests } from "./requests.ts";
import * as tunnelModel from "./tunnel-model.ts";
import type { LiveTunnelList } from "./tunnels.ts";

interface Parts {
  tunnels: LiveTunnelList;
  numbers: Numbers;
  requests: Requests;
  applications: Applications;
}

const requestParams = closed({ id: text(100, { minLength: 1, pattern: "^[A-Za-z0-9_-]+$" }) });

/** GET /tunnels, DELETE /tunnels/{id}, POST /tunnels/{id}/check, POST /tunnels/{id}/clear. */
export function createTunnelListRoutes(portal: Portal, { tunnels }: Parts) {
  const tag = `${portal.tag}: tunnels`;
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get("", ({ scope, query }) => tunnels.list(scope.orgId, query), {
      query: portal.prefix === "/admin" ? tunnelModel.adminListQuery : tunnelModel.orgListQuery,
      response: answers({ 200: tunnelModel.tunnelsAnswer }, ...readErrors),
      detail: { summary: "Live tunnels, and those that went offline within the last day" },
    })
    .post(
      "/:id/check",
      async ({ scope, params }) => ({ success: true as const, local: await tunnels.check(scope, params.id) }),
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: tunnelModel.checkAnswer }, ...changeErrors),
        detail: { summary: "Ask the agent whether its local service answers now" },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .delete(
      "/:id",
      async ({ scope, params }) => {
        await tunnels.disconnect(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Disconnect a tunnel", description: "Its agents are told why and may come back." },
      },
    )
    .post(
      "/:id/clear",
      async ({ scope, params }) => {
        await tunnels.clear(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: {
          summary: "Take an offline tunnel out of the list",
          description: "A name that was still leased is free at once. Refused while an agent is connected.",
        },
      },
    );
  return newRoutes(`${portal.prefix}/tunnels`, tag).use(read).use(change);
}

/** GET /stats, /overview, /traffic, /requests, /requests/{id}. */
export function createNumberRoutes(portal: Portal, { numbers, requests, applications }: Parts) {
  const tag = `${portal.tag}: live`;
  const isAdmin = portal.prefix === "/admin";
  return newRoutes(portal.prefix, tag, portal.security)
    .use(portal.read)
    .get("/stats", ({ scope }) => numbers.stats(scope.orgId), {
      response: answers({ 200: model.statsAnswer }, ...readErrors),
      detail: { summary: "Counts" },
    })
    .get("/overview", ({ scope }) => numbers.overview(scope.orgId), {
      response: answers({ 200: model.overviewAnswer }, ...readErrors),
      detail: { summary: "The busiest tunnels and the last refusals" },
    })
    .get(
      "/traffic",
      async ({ scope, query }) => {
        const range = query.range ?? "hour";
        if (query.app !== undefined) {
          await applications.row(scope.orgId, query.app);
          return numbers.traffic({ kind: "application", appId: query.app }, range);
        }
        const orgId = scope.orgId ?? (query as { org?: string }).org ?? null;
        return numbers.traffic(numbers.ofScope(orgId), range);
      },
      {
        query: isAdmin ? model.adminTrafficQuery : model.orgTrafficQuery,
        response: answers({ 200: model.trafficAnswer }, ...readErrors, "not_found"),
        detail: { summary: "Traffic over time" },
      },
    )
    .get("/requests", ({ scope, query }) => requests.list(scope.orgId, query), {
      query: isAdmin ? model.adminRequestsQuery : model.orgRequestsQuery,
      response: answers({ 200: model.requestsAnswer }, ...readErrors),
      detail: {
        summary: "The last requests through the tunnels, newest first unless sorted otherwise",
        description:
          "From the memory of the threads that serve them, all of it searched: gone with them. No bodies. What still runs changes its place as it grows.",
      },
    })
    .get("/requests/:id", async ({ scope, params }) => ({ request: await requests.get(scope.orgId, params.id) }), {
      params: requestParams,
      response: answers({ 200: model.requestAnswer }, ...readErrors, "not_found"),
      detail: { summary: "One of the last requests" },
    });
}
