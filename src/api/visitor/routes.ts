// The routes of visitors' logins: `/__auth/…` on tunnels' hosts, and the one address that identity providers send back to.

import { AppError } from "../../lib/errors.ts";
import { authPaths } from "../../policy/paths.ts";
import { factsOf, pathOf } from "../request.ts";
import { newRoutes } from "../routes.ts";
import { showBasicForm, submitBasicForm } from "./basic-login.ts";
import type { VisitorDeps } from "./deps.ts";
import { askLogout, logout } from "./logout.ts";
import { beginLogin, finishLogin, receiveAnswer } from "./oidc-login.ts";
import { redirect } from "./page.ts";
import { visitOf } from "./visit.ts";

/** Joins the API like any feature: `createVisitorRoutes(visitorDeps)` is its Feature. */
export function createVisitorRoutes(deps: VisitorDeps) {
  const onTunnel = ({ request }: { request: Request }): Promise<Response> => answerVisitor(deps, request);
  const page = (summary: string) => ({ detail: { summary, tags: ["visitors"] }, parse: "none" as const });
  return newRoutes("", "visitors")
    .get(authPaths.health, onTunnel, page("Tunnel host: says ok"))
    .get(authPaths.login, onTunnel, page("Tunnel host: begin a login"))
    .get(authPaths.callback, onTunnel, page("Tunnel host: finish a login at an identity provider"))
    .get(authPaths.basic, onTunnel, page("Tunnel host: the login form of a basic policy"))
    .post(authPaths.basic, onTunnel, page("Tunnel host: send the login form"))
    .get(authPaths.logout, onTunnel, page("Tunnel host: ask whether to log out"))
    .post(authPaths.logout, onTunnel, page("Tunnel host: log out"))
    .get(
      "/auth/visitor/callback",
      ({ request }) => {
        if (factsOf(request).host.replace(/:\d*$/, "") !== deps.settings.domain) throw new AppError("not_found");
        return receiveAnswer(deps, request);
      },
      page("Where identity providers send visitors back to"),
    );
}

/**
 * Answers one of our paths on a tunnel's host; 404 where the policy in force has no use for it. That a form comes from
 * our own page is checked by the API's frame, for all routes.
 */
export async function answerVisitor(deps: VisitorDeps, request: Request): Promise<Response> {
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
      if (policy.authType === "oidc") return await beginLogin(deps, visit, policy, request);
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
