// Cross-site request forgery: an unsafe request that a browser sends must come from our own pages.

import { AppError } from "../lib/errors.ts";
import { factsOf, isUnsafe } from "./request.ts";

/**
 * Throws `csrf` for an unsafe request that another origin made a browser send. `Origin` must be the very host that was
 * asked for, `Sec-Fetch-Site` must be `same-origin`, and a request with one of our cookies must have one of the two:
 * browsers always send `Origin` with such requests, and scripts have no business with cookies.
 */
export function checkCsrf(request: Request, hasOurCookie: boolean): void {
  if (!isUnsafe(request.method)) return;
  checkSameOrigin(request);
  const saysNothing = !request.headers.has("origin") && !request.headers.has("sec-fetch-site");
  if (saysNothing && hasOurCookie) throw new AppError("csrf");
}

/** Throws `csrf` for any request, a safe one too, that another origin made a browser send: for streams. */
export function checkSameOrigin(request: Request): void {
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  if (origin !== null && !isOwnOrigin(origin, request)) throw new AppError("csrf");
  if (site !== null && site !== "same-origin") throw new AppError("csrf");
}

function isOwnOrigin(origin: string, request: Request): boolean {
  const { host, scheme } = factsOf(request);
  const url = URL.parse(origin);
  if (url === null || url.origin === "null" || url.protocol !== `${scheme}:`) return false;
  // The ingress may have removed the port; the same host on another port shares our cookies in any case.
  return host.includes(":") && !host.endsWith("]")
    ? url.host === withoutDefaultPort(host, scheme)
    : url.hostname === host;
}

function withoutDefaultPort(host: string, scheme: "http" | "https"): string {
  const port = scheme === "https" ? ":443" : ":80";
  return host.endsWith(port) ? host.slice(0, -port.length) : host;
}
