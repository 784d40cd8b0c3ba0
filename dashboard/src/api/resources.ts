// Reading: one query description per resource of the portal; keys start with the resource's name, see query-client.

import { queryOptions, type QueryFunctionContext } from "@tanstack/solid-query";
import { get, list, type Page, type Query, type Reading } from "./client.ts";
import { base } from "./session.ts";
import type * as t from "./types.ts";

/** What is on screen is fetched again by a timer, the stream or a focus: that nobody is logged in then asks for nothing. */
const readingOf = ({ client, queryKey, signal }: QueryFunctionContext): Reading => ({
  signal,
  quiet: client.getQueryData(queryKey) !== undefined,
});

/**
 * A page of a list: `resource` names it in the cache, `path` is below the portal's prefix. While another page or filter
 * of the same list loads, the old rows stay (dimmed); rows of another list never do.
 */
function listOf<T>(resource: string, path: string, key: string, query: Query) {
  return queryOptions<Page<T>, Error, Page<T>, ListKey>({
    queryKey: [resource, base(), path, query],
    queryFn: (context) => list<T>(base() + path, key, query, readingOf(context)),
    placeholderData: keepOf(path),
  });
}

/** Old rows stay only while they are of the same list. */
const keepOf =
  (path: string) =>
  <T>(previous: T | undefined, query: { queryKey: ListKey } | undefined): T | undefined =>
    query?.queryKey[2] === path ? previous : undefined;

type RequestsPage = Omit<t.RequestsAnswer, "requests"> & { items: t.CapturedRequest[] };
type ListKey = [resource: string, base: string, path: string, query: Query];

function oneOf<T>(resource: string, path: string, key: string, query: Query = {}) {
  return queryOptions({
    queryKey: [resource, base(), path, query],
    queryFn: async (context) => {
      const body = await get<Record<string, unknown>>(base() + path, query, readingOf(context));
      return (key === "" || body[key] === undefined ? body : body[key]) as T;
    },
  });
}

export const organizations = (query: Query) =>
  listOf<t.Organization>("organizations", "/organizations", "organizations", query);
export const organization = (id: string) =>
  oneOf<t.Organization>("organizations", `/organizations/${id}`, "organization");
export const accounts = (query: Query) => listOf<t.Account>("accounts", "/accounts", "accounts", query);
export const account = (id: string) => oneOf<t.Account>("accounts", `/accounts/${id}`, "account");
export const applications = (query: Query) =>
  listOf<t.Application>("applications", "/applications", "applications", query);
export const application = (id: string) => oneOf<t.Application>("applications", `/applications/${id}`, "application");
export const applicationTunnels = (id: string) =>
  listOf<t.Tunnel>("tunnels", `/applications/${id}/tunnels`, "tunnels", {});
export const tunnels = (query: Query) => listOf<t.Tunnel>("tunnels", "/tunnels", "tunnels", query);
export const apiKeys = (query: Query) => listOf<t.ApiKey>("keys", "/api-keys", "keys", query);
export const auditEvents = (query: Query) => listOf<t.AuditEvent>("audit", "/audit", "events", query);
export const requests = (query: Query) =>
  queryOptions<RequestsPage, Error, RequestsPage, ListKey>({
    queryKey: ["requests", base(), "/requests", query],
    queryFn: async (context) => {
      const { requests: items, ...rest } = await get<t.RequestsAnswer>(`${base()}/requests`, query, readingOf(context));
      return { items, ...rest };
    },
    placeholderData: keepOf("/requests"),
  });
export const request = (id: string) => oneOf<t.CapturedRequest>("requests", `/requests/${id}`, "request");
export const stats = () => oneOf<t.Stats>("stats", "/stats", "stats");
export const overview = () => oneOf<t.Overview>("overview", "/overview", "overview");

export type TrafficRange = "hour" | "day" | "month";
export const traffic = (query: { range: TrafficRange; org?: string | undefined; app?: string | undefined }) =>
  listOf<t.TrafficPoint>("traffic", "/traffic", "points", query);

/** Entries of a whitelist; `path` is one of whitelist-paths. */
export const whitelist = (path: string, query: Query = {}) =>
  listOf<t.WhitelistEntry>("whitelist", path, "entries", query);

/** The stored policy; null when there is none. */
export const policy = (ownerPath: string) => oneOf<t.Policy | null>("policy", `${ownerPath}/policy`, "policy");
export const effectivePolicy = (applicationId: string) =>
  oneOf<t.EffectivePolicy>("policy", `/applications/${applicationId}/policy/effective`, "effective");
export const rateLimit = (ownerPath: string) =>
  oneOf<t.RateLimit>("rate-limit", `${ownerPath}/rate-limit`, "rateLimit");
export const limits = (ownerPath: string) => oneOf<t.Limit[]>("limits", `${ownerPath}/limits`, "limits");
export const orgSettings = () => oneOf<{ name: string; requireTotp: boolean }>("settings", "/settings", "settings");

/** The login sessions of whoever is logged in. */
export const loginSessions = (query: Query) =>
  queryOptions<Page<t.LoginSession>, Error, Page<t.LoginSession>, ListKey>({
    queryKey: ["sessions", "/auth", "/sessions", query],
    queryFn: (context) => list<t.LoginSession>("/auth/sessions", "sessions", query, readingOf(context)),
    placeholderData: (previous) => previous,
  });
