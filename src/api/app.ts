// The control plane as one Elysia application, composed here and listening nowhere: tests call `app.handle`.
//
// How a feature joins: one folder with `routes.ts` (paths, guards, schemas; thin), `model.ts` (schemas of bodies and
// answers, rows to answers) and `service.ts` (what happens: transaction, audit row, change row, closing what must close).
// `createXRoutes(deps, guards)` returns an Elysia instance made with `newRoutes(prefix, detail)`; add it to `features`
// below. Guarded groups `.use(guards.admin)` (or orgMember, orgAdmin, session) before their routes and then have
// `caller`; `/org` queries are scoped by `caller.orgId`. Schemas are `closed(…)`, answers `answers({200: …}, codes)`,
// refusals `throw new AppError(code)`. Nothing reads X-Forwarded-*: origin facts are `factsOf(request)`.

import { Elysia, type AnyElysia } from "elysia";
import { createAdminAccountsRoutes, createOrgAccountsRoutes } from "./accounts/routes.ts";
import { checkBodyHeaders, readJson } from "./body.ts";
import { cookieName } from "./cookies.ts";
import { checkCsrf } from "./csrf.ts";
import type { ApiDeps } from "./deps.ts";
import { agentActionOf, answerRefusal, toAppError } from "./errors.ts";
import { createGuards, type Guards } from "./guards.ts";
import { checkHost } from "./hosts.ts";
import { securityHeaders } from "./headers.ts";
import { createHealthRoutes } from "./health/routes.ts";
import { createLoginRoutes } from "./login/routes.ts";
import { checkQuery } from "./nul.ts";
import { createOpenApi } from "./openapi.ts";
import { factsOf, isUnsafe, pathOf } from "./request.ts";
import { createSetupRoutes } from "./setup/routes.ts";
import { createAdminSelfRoutes, createOrgSelfRoutes } from "./self/routes.ts";

/** What describes and serves one feature. */
export type Feature = (deps: ApiDeps, guards: Guards) => AnyElysia;

/** Every feature of the API, in the order in which the documentation lists them. */
const features: readonly Feature[] = [
  createHealthRoutes,
  createSetupRoutes,
  createLoginRoutes,
  createAdminSelfRoutes,
  createOrgSelfRoutes,
  createAdminAccountsRoutes,
  createOrgAccountsRoutes,
];

/** Paths of a tunnel's host that take a form and not JSON. */
const formPaths: ReadonlySet<string> = new Set(["/__auth/basic", "/__auth/logout"]);

/** Where tunnels, and who may do what with them, are managed. */
const managed = /^\/(?:admin|org)\//;

/**
 * Composes the API. `extra` are features of other parts (registration, visitors' login, the dashboard's files).
 * The caller serves it with serveApi and closes nothing: the app holds no resources of its own.
 */
export function createApi(deps: ApiDeps, extra: readonly Feature[] = []) {
  const guards = createGuards(deps);
  const routes = [...features, ...extra].map((feature) => feature(deps, guards));
  const ownHeaders = securityHeaders(deps.settings.scheme === "https");
  const ownCookies = (["session", "setup"] as const).map((kind) => cookieName(kind, deps.settings.scheme));

  const app = new Elysia({ normalize: false, handler: { standardHostname: false } })
    // Before the routes, or an uncaught error's message would reach the client.
    .onError({ as: "global" }, ({ error, code, request, set }) => {
      const refusal = toAppError(error, code, request, deps.log);
      Object.assign(set.headers, ownHeaders);
      const action = agentActionOf(request);
      // The routes of agents return what they refused, and audited with all they knew; this was refused before.
      if (action !== null) {
        const { address, requestId } = factsOf(request);
        deps.audit.refused({ action, reason: refusal.code, address, requestId });
      }
      return answerRefusal(refusal, request, set);
    })
    .onRequest(({ request, set }) => {
      Object.assign(set.headers, ownHeaders);
      set.headers["x-request-id"] = factsOf(request).requestId;
      checkHost(request, deps.settings);
      checkQuery(request);
      if (!formPaths.has(pathOf(request))) checkBodyHeaders(request);
      const cookies = request.headers.get("cookie") ?? "";
      checkCsrf(
        request,
        ownCookies.some((name) => cookies.includes(`${name}=`)),
      );
    })
    // What an answer says is so for visitors and agents, too. A change that can't be told for now is not undone by that.
    .onAfterHandle({ as: "global" }, async ({ request }) => {
      if (isUnsafe(request.method) && managed.test(pathOf(request))) await deps.tunnels.caughtUp();
    })
    // null = parsed by the route itself; with undefined Elysia would read the form, and fail on an empty one.
    .onParse({ as: "global" }, ({ request }) => (formPaths.has(pathOf(request)) ? null : readJson(request)));
  for (const plugin of routes) app.use(plugin);
  return app.use(createOpenApi(() => routes));
}

export type Api = ReturnType<typeof createApi>;
