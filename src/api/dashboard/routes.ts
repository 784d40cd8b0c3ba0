// Serves the dashboard: one page for all of its addresses, and its files. Never anything by a path from the request.

import { Elysia } from "elysia";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { factsOf, pathOf } from "../request.ts";
import type { DashboardFile } from "./files.ts";

/** Addresses of the dashboard's pages; what is behind them is decided in the browser. A browser at any other is led back. */
const pages = ["/", "/login", "/setup", "/dashboard", "/dashboard/*"] as const;

/**
 * A feature of the API. `files` as read by readDashboard; null when the dashboard was not built, which its addresses
 * then say.
 */
export function createDashboardRoutes(files: ReadonlyMap<string, DashboardFile> | null) {
  return (deps: ApiDeps) => {
    const { dashboardDomain } = deps.settings;
    // The base domain may be another host than the dashboard's: nothing of it is served there.
    const isHere = (request: Request) => factsOf(request).host.replace(/:\d*$/, "") === dashboardDomain;
    const file = (request: Request, path: string) => {
      if (!isHere(request)) throw new AppError("not_found");
      if (files === null) return notBuilt();
      const found = files.get(path);
      if (found === undefined) throw new AppError("not_found");
      return answer(request, found);
    };
    const app = new Elysia({ normalize: false, detail: { hide: true } });
    for (const path of pages) app.get(path, ({ request }) => file(request, "/index.html"));
    return app
      .get("/assets/*", ({ request }) => file(request, pathOf(request)))
      .get("/favicon.svg", ({ request }) => file(request, "/favicon.svg"))
      .get("/*", ({ request }) => {
        const isPerson = request.headers.get("accept")?.includes("text/html") === true;
        const page = files?.get("/index.html");
        if (!isPerson || !isHere(request) || page === undefined) throw new AppError("not_found");
        return answer(request, page, 404);
      });
  };
}

function answer(request: Request, found: DashboardFile, status = 200): Response {
  const compressed = takesGzip(request.headers.get("accept-encoding") ?? "") ? found.gzip : null;
  return new Response(compressed ?? found.plain, {
    status,
    headers: {
      "content-type": found.contentType,
      // The page itself names the current files, so it is asked for each time.
      "cache-control": found.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      ...(compressed === null ? {} : { "content-encoding": "gzip" }),
    },
  });
}

/** Whether gzip is named, and not with `q=0`. */
function takesGzip(acceptEncoding: string): boolean {
  const codings = acceptEncoding.toLowerCase().split(",");
  return codings.some((coding) => /^\s*gzip\s*(?:;|$)/.test(coding) && !/;\s*q\s*=\s*0(?:\.0*)?\s*$/.test(coding));
}

function notBuilt(): Response {
  return new Response("The dashboard is not built. Run: bun run build\n", {
    status: 503,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
