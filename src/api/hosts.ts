// Which paths exist under which host: the dashboard's under its own, visitors' login under tunnels', nothing across.

import { AppError } from "../lib/errors.ts";
import { factsOf, pathOf } from "./request.ts";

const dashboardPaths = /^\/(setup|auth|admin|org)(\/|$)/;
/** Identity providers send visitors back here, on the base domain wherever the dashboard is. */
const visitorCallback = "/auth/visitor/callback";

/**
 * The ingress has routed by host already; this holds even if it errs, because a tenant's page on `name.DOMAIN` is on an
 * origin of its own and must never be able to talk to the dashboard there. Throws `misdirected` or `not_found`.
 */
export function checkHost(request: Request, settings: { domain: string; dashboardDomain: string }): void {
  const host = factsOf(request).host.replace(/:\d*$/, "");
  const path = pathOf(request);
  const onTunnel = host.endsWith(`.${settings.domain}`) && host !== settings.dashboardDomain;
  const forTunnel = path.startsWith("/__auth/");
  if (onTunnel !== forTunnel) throw new AppError("not_found");
  const forDashboard = dashboardPaths.test(path) && path !== visitorCallback;
  if (forDashboard && host !== settings.dashboardDomain) throw new AppError("misdirected");
}
