// What the soak run of lists asks for: every list of the API under each filter and order that it offers.

import { filledAuditTime } from "../helpers/fill-database.ts";

/** Filters, each with the orders that it may be combined with. */
type Offers = readonly (readonly [filter: string, orders: readonly string[]])[];

/** Every list with every filter and order, and pairs of filters, as paths with a query. */
export function listTargets({ auditRows, applications: apps }: { auditRows: number; applications: number }): string[] {
  // Only the last of the offline tunnels are remembered; the first organization has each hundredth application.
  const lastApp = `app_${apps - 1}`;
  const lastOwnApp = `app_${apps - 100}`;
  const accounts = ["username", "createdAt", "lastUsed"];
  const applications = ["subdomain", "name", "createdAt"];
  const tunnels = ["openedAt", "subdomain", "requests"];
  const requests = ["", "time", "status", "duration", "size"];
  const byTime = ["", "time"];
  const plain: Offers = [["", [""]]];
  const words = ["", "q=10.0.3.4", "q=2001:db8::5", "q=!10.0 nothing", "q=nothing"];
  const entries: Offers = words.map((one) => [one, ["createdAt", "ipRange"]]);
  const levels: Offers = ["", "org=org_3&", "org=!org_3&"].flatMap((org) =>
    words.map((one): Offers[number] => [`${org}${one}`, ["createdAt", "ipRange"]]),
  );
  const middle = `from=${filledAuditTime(Math.floor(auditRows / 3))}&to=${filledAuditTime(Math.floor(auditRows / 2))}`;
  const auditFilters = [
    "app=app_3",
    "actor=acc_4",
    "actor=user-4",
    "action=policy.updated",
    "action=tunnel",
    "action=tunnel !tunnel.opened",
    "action=!tunnel",
    "action=!nothing !visitor",
    "actor=!acc_4",
    "app=!app_3",
    "outcome=failure",
    middle,
  ];
  const audit: Offers = ["", ...auditFilters, ...pairs(auditFilters), auditFilters.slice(-3).join("&")].map((one) => [
    one,
    byTime,
  ]);
  const adminAudit: Offers = ["org=org_3", "org=!org_3"]
    .flatMap((org) => [org, ...auditFilters.map((one) => `${org}&${one}`)])
    .map((one) => [one, byTime]);
  const table: Record<string, Offers> = {
    "/admin/accounts": [
      ["", accounts],
      ["q=user-5", ["username"]],
      ["active=true", accounts],
      ["active=!true", accounts],
      ["q=!user-", accounts],
      ["q=!user-5&org=org_3", accounts],
      ["org=!org_3", accounts],
      ["org=!org_3&q=!user-1&active=true", accounts],
      ["org=org_3", accounts],
      ["org=org_3&q=user-5", ["username"]],
      ["org=org_3&active=false", accounts],
      ["org=org_3&admin=true", accounts],
      ["admin=true", ["username"]],
      ["admin=true&active=false", ["username"]],
      ["admin=true&q=user-5", ["username"]],
      ["q=user-5&active=false", ["username"]],
    ],
    "/org/accounts": [
      ["", accounts],
      ["q=user-5", ["username"]],
      ["active=false", accounts],
      ["q=!user-", accounts],
    ],
    "/admin/organizations": [
      ["", ["name", "createdAt"]],
      ["q=organization", ["name"]],
      ["q=!organization", ["name", "createdAt"]],
    ],
    "/admin/applications": [
      ["", applications],
      ["q=name-5", ["subdomain"]],
      ["q=Name", ["name"]],
      ["org=org_3", applications],
      ["org=org_3&q=name-", ["subdomain"]],
      ["q=!name-", applications],
      ["org=!org_3", applications],
    ],
    "/org/applications": [
      ["", applications],
      ["q=name-", ["subdomain"]],
      ["q=!name-", applications],
    ],
    "/admin/api-keys": [
      ["", ["createdAt", "lastUsed"]],
      ["org=org_3", ["createdAt", "lastUsed"]],
      ["app=app_4", ["createdAt", "lastUsed"]],
      ["org=org_4&app=app_4", ["createdAt", "lastUsed"]],
      ["org=!org_3", ["createdAt", "lastUsed"]],
      ["app=!app_4", ["createdAt", "lastUsed"]],
      ["q=key !nothing", ["createdAt", "lastUsed"]],
      ["q=nothing&state=expired", ["createdAt", "lastUsed"]],
      ["org=org_3&q=!dlk_&state=!expired", ["createdAt", "lastUsed"]],
    ],
    "/org/api-keys": [
      ["", ["createdAt", "lastUsed"]],
      ["app=app_0", ["createdAt", "lastUsed"]],
      ["app=!app_0", ["createdAt", "lastUsed"]],
      ["q=nothing&state=active", ["createdAt", "lastUsed"]],
      ["app=app_0&q=key&state=expired", ["createdAt", "lastUsed"]],
    ],
    "/admin/whitelist": [...entries, ["source=!env", ["ipRange"]]],
    "/org/whitelist": entries,
    "/admin/org-whitelists": levels,
    "/admin/app-whitelists": levels,
    "/admin/account-whitelists": levels,
    "/org/app-whitelist": entries,
    "/org/account-whitelist": entries,
    "/admin/audit": [...audit, ...adminAudit],
    "/org/audit": audit,
    "/admin/audit/stats": [
      ["range=hour", [""]],
      ["range=week", [""]],
      ["range=week&org=org_3", [""]],
    ],
    "/org/audit/stats": [["range=week", [""]]],
    "/admin/overview": [["", [""]]],
    "/org/overview": [["", [""]]],
    "/admin/stats": [["", [""]]],
    "/org/stats": [["", [""]]],
    "/admin/tunnels": [
      ["", tunnels],
      ["q=name-99", tunnels],
      ["state=offline", tunnels],
      ["state=!connected&q=!name-5 name", tunnels],
      ["from=203.0.113.0/24", tunnels],
      ["org=org_3", tunnels],
      ["org=!org_3", tunnels],
      [`app=${lastApp}`, [""]],
      ["org=org_3&state=offline&q=name", tunnels],
    ],
    "/org/tunnels": [
      ["", tunnels],
      ["q=name-99", tunnels],
      ["state=offline", tunnels],
      ["from=203.0.113.0/24", tunnels],
      [`app=${lastOwnApp}`, [""]],
    ],
    "/admin/requests": [
      ["", requests],
      ["org=org_3", requests],
      ["app=app_3&status=5xx", requests],
      ["tunnel=tun_3&method=!GET", requests],
      ["q=path:/a !user:b ms:>10 word", requests],
      ["org=!org_3&to=2026-01-02T00:00:00Z", requests],
    ],
    "/org/requests": [
      ["", requests],
      ["app=app_0&status=!cut", requests],
      ["tunnel=tun_0&method=POST", requests],
      ["q=path:/a !user:b ms:>10 word", requests],
      ["tunnel=!tun_0&to=2026-01-02T00:00:00Z", requests],
    ],
    "/auth/sessions": ["", "q=!firefox 127.0.0.1", "state=ended", "state=any&current=!true"].map((one) => [
      one,
      ["createdAt", "lastSeen", "expiresAt"],
    ]),
    ...Object.fromEntries(
      ["accounts/acc_", "organizations/org_", "applications/app_"].map((one) => [`/admin/${one}0/whitelist`, entries]),
    ),
    "/org/accounts/acc_0/whitelist": entries,
    "/org/applications/app_0/whitelist": entries,
    [`/admin/applications/${lastApp}/tunnels`]: plain,
    [`/org/applications/${lastOwnApp}/tunnels`]: plain,
    "/admin/applications/app_0/stats": plain,
    "/admin/traffic": [
      ["range=hour", [""]],
      ["range=month", [""]],
      ["range=month&org=org_3", [""]],
      ["range=month&app=app_3", [""]],
    ],
    "/org/traffic": [
      ["range=month", [""]],
      ["range=month&app=app_0", [""]],
    ],
  };
  return Object.entries(table).flatMap(([path, offers]) =>
    offers.flatMap(([filter, orders]) =>
      orders
        .flatMap((order) => (order === "" ? [""] : [`sort=${order}`, `sort=-${order}`]))
        .map(
          (order) =>
            `${path}?${[isPaged(path) ? "limit=200" : "", filter, order].filter((part) => part !== "").join("&")}`,
        ),
    ),
  );
}

function isPaged(path: string): boolean {
  return !/\/(stats|overview|traffic)$/.test(path);
}

/** Two filters at a time, of different kinds. */
function pairs(filters: readonly string[]): string[] {
  const kindOf = (filter: string): string => filter.split("=", 1)[0] ?? "";
  return filters.flatMap((a, i) => filters.slice(i + 1).flatMap((b) => (kindOf(a) === kindOf(b) ? [] : [`${a}&${b}`])));
}

/** Lists, filters and orders that the OpenAPI document offers and that none of `targets` asks for. */
export function notAsked(document: OpenApi, targets: readonly string[]): string[] {
  const asked = targets.map((target) => new URL(target, "http://localhost"));
  return Object.entries(document.paths).flatMap(([path, { get }]) => {
    const query = (get?.parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name);
    const isList = query.some((name) => name === "limit" || name === "range");
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, "\\w+")}$`);
    const here = asked.filter(({ pathname }) => pattern.test(pathname));
    if (!isList) return [];
    if (here.length === 0) return [path];
    const given = new Set(here.flatMap(({ searchParams }) => [...searchParams.keys()]));
    return query.filter((name) => name !== "cursor" && !given.has(name)).map((name) => `${path}?${name}`);
  });
}

export interface OpenApi {
  paths: Record<string, { get?: { parameters?: { in: string; name: string }[] } }>;
}
