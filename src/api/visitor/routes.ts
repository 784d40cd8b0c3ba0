// The routes of visitors' logins: `/__auth/…` on tunnels' hosts, and the one address that identity providers send back to.

import { AppError, type ErrorCode } from "../../lib/errors.ts";
import { authPaths } from "../../policy/paths.ts";
import { factsOf, pathOf } from "../request.ts";
import { newRoutes } from "../routes.ts";
import { bodyErrors, rawAnswers, type RawAnswers } from "../schemas.ts";
import { createStartBudget, startsPerMinute, type StartBudget } from "../start-budget.ts";
import { showBasicForm, submitBasicForm } from "./basic-login.ts";
import type { VisitorDeps } from "./deps.ts";
import { askLogout, logout } from "./logout.ts";
import { beginLogin, finishLogin, receiveAnswer, turnAway } from "./oidc-login.ts";
import { redirect } from "./page.ts";
import { visitOf } from "./visit.ts";

type Statuses = Partial<Record<200 | 303 | 401 | 403 | 429 | 503, string>>;

/** A route whose answers are pages and redirects, as the documentation shows it. */
function page(summary: string, statuses: Statuses, ...codes: ErrorCode[]) {
  return { detail: { summary, responses: rawAnswers(pages(statuses, "text/html"), ...codes) }, parse: "none" as const };
}

/** As `page`, for one that takes a form. */
function formPage(summary: string, statuses: Statuses, fields: readonly string[]) {
  const described = page(summary, statuses, ...bodyErrors);
  const properties = Object.fromEntries(fields.map((name) => [name, { type: "string" as const }]));
  const schema = { type: "object" as const, properties };
  const requestBody = { content: { "application/x-www-form-urlencoded": { schema } } };
  return { ...described, detail: { ...described.detail, requestBody } };
}

function pages(statuses: Statuses, type: string): RawAnswers {
  const content = { [type]: { schema: { type: "string" as const } } };
  return Object.fromEntries(
    Object.entries(statuses).map(([status, description]) => [
      status,
      status === "303" ? { description } : { description, content },
    ]),
  );
}

const refused = { 403: "The login did not succeed.", 429: "Too many attempts from this address." };

/** Joins the API like any feature: `createVisitorRoutes(visitorDeps)` is its Feature. */
export function createVisitorRoutes(deps: VisitorDeps) {
  const budget = createStartBudget({ perMinute: startsPerMinute, nowMs: deps.nowMs });
  const onTunnel = ({ request }: { request: Request }): Promise<Response> => answerVisitor(deps, budget, request);
  return newRoutes("", "visitors")
    .get(authPaths.health, onTunnel, {
      detail: {
        summary: "Tunnel host: says ok, nothing else",
        responses: rawAnswers(pages({ 200: "ok" }, "text/plain")),
      },
      parse: "none",
    })
    .get(
      authPaths.login,
      onTunnel,
      page("Tunnel host: begin a login", { 303: "To the provider, or to the form.", ...refused }),
    )
    .get(
      authPaths.callback,
      onTunnel,
      page("Tunnel host: finish a login at an identity provider", {
        303: "Where the visitor wanted to go.",
        ...refused,
      }),
    )
    .get(authPaths.basic, onTunnel, page("Tunnel host: the login form of a basic policy", { 200: "The form." }))
    .post(
      authPaths.basic,
      onTunnel,
      formPage(
        "Tunnel host: send the login form",
        { 303: "Where the visitor wanted to go.", 401: "The form again.", 503: "The form again.", ...refused },
        ["username", "password", "to"],
      ),
    )
    .get(authPaths.logout, onTunnel, page("Tunnel host: ask whether to log out", { 200: "The question." }))
    .post(
      authPaths.logout,
      onTunnel,
      formPage("Tunnel host: log out", { 200: "Logged out.", 303: "To the provider, to log out there." }, []),
    )
    .get(
      "/auth/visitor/callback",
      ({ request }) => {
        if (factsOf(request).host.replace(/:\d*$/, "") !== deps.settings.domain) throw new AppError("not_found");
        return receiveAnswer(deps, request);
      },
      page("Where identity providers send visitors back to", { 303: "To the tunnel's host.", ...refused }),
    );
}

/**
 * Answers one of our paths on a tunnel's host; 404 where the policy in force has no use for it. That a form comes from
 * our own page is checked by the API's frame, for all routes.
 */
async function answerVisitor(deps: VisitorDeps, budget: StartBudget, request: Request): Promise<Response> {
  const visit = await visitOf(deps, request);
  if (visit === null || visit.effective.kind !== "protected") throw new AppError("not_found");
  const isPost = request.method === "POST";
  const { policy } = visit.effective;
  switch (pathOf(request)) {
    case authPaths.health:
      return new Response("ok", {
        headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
      });
    case authPaths.login:
      if (policy.authType === "oidc") {
        const waitMs = budget.take(visit.network);
        return waitMs > 0
          ? turnAway(deps, visit, "too_many_logins", waitMs)
          : await beginLogin(deps, visit, policy, request);
      }
      if (policy.authType === "basic") return redirect(`${authPaths.basic}${visit.url.search}`);
      break;
    case authPaths.callback:
      if (policy.authType === "oidc") return await finishLogin(deps, visit, request);
      break;
    case authPaths.basic:
      if (policy.authType !== "basic") break;
      return isPost ? await submitBasicForm(deps, visit, policy, request) : showBasicForm(visit);
    case authPaths.logout:
      if (policy.authType === "api_key") break;
      return isPost ? await logout(deps, visit, request) : await askLogout(deps, visit);
  }
  throw new AppError("not_found");
}
