// GET /metrics: the server's numbers for Prometheus.

import type { Metrics } from "../../observe/metrics.ts";
import { isPrivateAddress } from "../addresses.ts";
import type { Feature } from "../app.ts";
import { adminSecurity } from "../guards.ts";
import { factsOf } from "../request.ts";
import { newRoutes } from "../routes.ts";
import { guardErrors } from "../scopes.ts";
import { streamAnswers } from "../schemas.ts";

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Open to loopback and private addresses, as /health's counts are, and to admins. */
export function createMetricsRoutes(metrics: Pick<Metrics, "render">): Feature {
  return (_deps, guards) =>
    newRoutes("", "health", adminSecurity).get(
      "/metrics",
      async ({ request }) => {
        if (!isPrivateAddress(factsOf(request).address)) await guards.callers.admin(request);
        return new Response(metrics.render(), { headers: { "content-type": contentType } });
      },
      {
        detail: {
          summary: "Numbers for Prometheus",
          description: "For loopback and private addresses, and for admins. Counters start at zero with the server.",
          responses: streamAnswers("Prometheus' text format.", ["text/plain"], ...guardErrors),
        },
      },
    );
}
