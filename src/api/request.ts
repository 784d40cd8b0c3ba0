// What the control plane knows of a request's origin: headers that only our ingress can set.

import { networkOf } from "../lib/cidr.ts";

/** The ingress strips these from visitors and sets them itself; nothing else is believed about where a request came from. */
const factHeaders = {
  address: "x-digit-link-address",
  network: "x-digit-link-network",
  host: "x-digit-link-host",
  scheme: "x-digit-link-scheme",
  requestId: "x-digit-link-request-id",
} as const;

export interface RequestFacts {
  /** The client's address after trusted proxies; `unknown` when the ingress did not say. */
  address: string;
  /** What limits per address count, as `Visitor` of the ingress says; null: nothing. */
  network: string | null;
  /** The host that was asked for, lower-case; with its port when the visitor named one. */
  host: string;
  scheme: "http" | "https";
  requestId: string;
}

const cache = new WeakMap<Request, RequestFacts>();

/** The facts of one request; the same object each time. */
export function factsOf(request: Request): RequestFacts {
  const known = cache.get(request);
  if (known !== undefined) return known;
  const { headers } = request;
  const address = headers.get(factHeaders.address) ?? "unknown";
  const network = headers.get(factHeaders.network) ?? networkOf(address);
  const facts: RequestFacts = {
    address,
    network: network === "-" ? null : network,
    host: (headers.get(factHeaders.host) ?? "").toLowerCase(),
    scheme: headers.get(factHeaders.scheme) === "https" ? "https" : "http",
    requestId: headers.get(factHeaders.requestId) ?? crypto.randomUUID(),
  };
  cache.set(request, facts);
  return facts;
}

/** Whether the method may change something. */
export function isUnsafe(method: string): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
}

/** The path of a request without decoding it. */
export function pathOf(request: Request): string {
  const start = request.url.indexOf("/", request.url.indexOf("://") + 3);
  const path = start === -1 ? "/" : request.url.slice(start);
  const query = path.indexOf("?");
  return query === -1 ? path : path.slice(0, query);
}
