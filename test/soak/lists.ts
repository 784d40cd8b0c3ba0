// Every list of the API under each filter and order that it offers, on an installation of the largest size.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase } from "../../src/db/database.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { fillDatabase, filledAuditTime } from "../helpers/fill-database.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { goodPassword } from "../helpers/people.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { atMost, figure, nothingIn, type Scenario, scaled } from "./scenario.ts";

const limitMs = 50;
const repeats = 5;

export const lists: Scenario = {
  name: "lists",
  about:
    "every list under each filter and order with 100,000 accounts, 10,000 applications, 10 million audit rows: < 50 ms",
  async run(options) {
    const sizes = {
      accounts: scaled(options, 100_000, 1_000),
      applications: scaled(options, 10_000, 200),
      auditRows: scaled(options, 10_000_000, 10_000),
    };
    const folder = mkdtempSync(join(tmpdir(), "digit-link-lists-"));
    const path = join(folder, "digit-link.db");
    const onError = (error: unknown): void => options.say(String(error));
    await (await createDatabase({ url: null, path, onError })).close();
    options.say(`filling ${JSON.stringify(sizes)}`);
    fillDatabase(path, sizes);
    const [port = 0] = await freePorts(1);
    const env = { BCRYPT_COST: "4", AUDIT_RETENTION_DAYS: "36500" };
    await using server = await startServerProcess({ shards: 1, again: { port, folder }, env });
    const api = adminApi(server);
    const member = { username: "boss", password: goodPassword, orgId: "org_0" };
    const { account } = await api.must("POST", "/admin/accounts", member);
    await api.must("PUT", `/admin/accounts/${(account as { id: string }).id}/org-admin`, { isOrgAdmin: true });
    const cookie = await logIn(server.origin, member);

    const times: { target: string; ms: number }[] = [];
    for (const target of targets(sizes.auditRows)) {
      const headers = target.startsWith("/admin/") ? { "x-admin-token": server.token } : { cookie };
      const taken: number[] = [];
      for (let i = 0; i < repeats; i++) {
        const from = performance.now();
        const response = await fetch(`${server.origin}${target}`, { headers });
        const text = await response.text();
        taken.push(performance.now() - from);
        if (response.status !== 200) throw new Error(`${target}: ${response.status} ${text}`);
      }
      times.push({ target, ms: taken.toSorted((a, b) => a - b)[Math.floor(repeats / 2)]! });
    }
    times.sort((a, b) => b.ms - a.ms);
    for (const { target, ms } of times.slice(0, 5)) options.say(`${ms.toFixed(1)} ms ${target}`);
    return [
      figure("lists, filters and orders", times.length),
      atMost("the slowest (median of five)", times[0]!.ms, limitMs, "ms"),
      nothingIn(
        `slower than ${limitMs} ms`,
        times.filter(({ ms }) => ms > limitMs).map(({ target, ms }) => `${target} ${ms.toFixed(0)} ms`),
      ),
    ];
  },
};

async function logIn(origin: string, { username, password }: { username: string; password: string }): Promise<string> {
  const headers = { origin, "content-type": "application/json" };
  const response = await fetch(`${origin}/auth/login`, {
    method: "POST",
    headers,
    body: JSON.stringify({ username, password }),
  });
  const cookie = response.headers.getSetCookie()[0]?.split(";", 1)[0];
  if (cookie === undefined) throw new Error(`no session: ${response.status} ${await response.text()}`);
  return cookie;
}

/** Filters, each with the orders that it may be combined with. */
type Offers = readonly (readonly [filter: string, orders: readonly string[]])[];

function targets(auditRows: number): string[] {
  const accounts = ["username", "createdAt", "lastUsed"];
  const applications = ["subdomain", "name", "createdAt"];
  const byTime = ["", "time"];
  const middle = `from=${filledAuditTime(Math.floor(auditRows / 3))}&to=${filledAuditTime(Math.floor(auditRows / 2))}`;
  const auditFilters = [
    "app=app_3",
    "actor=acc_4",
    "actor=user-4",
    "action=policy.updated",
    "action=tunnel",
    "outcome=failure",
    middle,
  ];
  const audit: Offers = ["", ...auditFilters, ...pairs(auditFilters), auditFilters.slice(-3).join("&")].map((one) => [
    one,
    byTime,
  ]);
  const adminAudit: Offers = ["org=org_3", ...auditFilters.map((one) => `org=org_3&${one}`)].map((one) => [
    one,
    byTime,
  ]);
  const table: Record<string, Offers> = {
    "/admin/accounts": [
      ["", accounts],
      ["q=user-5", ["username"]],
      ["active=true", ["username", "createdAt"]],
      ["active=false", ["username", "createdAt"]],
      ["org=org_3", accounts],
      ["org=org_3&q=user-5", ["username"]],
      ["admin=true", ["username"]],
    ],
    "/org/accounts": [
      ["", accounts],
      ["q=user-5", ["username"]],
    ],
    "/admin/organizations": [
      ["", ["name", "createdAt"]],
      ["q=organization", ["name"]],
    ],
    "/admin/applications": [
      ["", applications],
      ["q=name-5", ["subdomain"]],
      ["q=Name", ["name"]],
      ["org=org_3", applications],
      ["org=org_3&q=name-", ["subdomain"]],
    ],
    "/org/applications": [
      ["", applications],
      ["q=name-", ["subdomain"]],
    ],
    "/admin/api-keys": [
      ["", ["createdAt", "lastUsed"]],
      ["org=org_3", ["createdAt", "lastUsed"]],
      ["app=app_4", ["createdAt"]],
    ],
    "/org/api-keys": [
      ["", ["createdAt", "lastUsed"]],
      ["app=app_0", ["createdAt"]],
    ],
    "/admin/whitelist": [["", [""]]],
    "/org/whitelist": [["", [""]]],
    "/admin/org-whitelists": [
      ["", [""]],
      ["org=org_3", [""]],
    ],
    "/admin/app-whitelists": [
      ["", [""]],
      ["org=org_3", [""]],
    ],
    "/org/app-whitelist": [["", [""]]],
    "/admin/audit": [...audit, ...adminAudit],
    "/org/audit": audit,
    "/admin/audit/stats": [
      ["range=hour", [""]],
      ["range=week", [""]],
    ],
    "/admin/overview": [["", [""]]],
    "/org/overview": [["", [""]]],
    "/admin/stats": [["", [""]]],
    "/org/stats": [["", [""]]],
    "/admin/tunnels": [["", [""]]],
    "/org/tunnels": [["", [""]]],
    "/admin/traffic": [
      ["range=hour", [""]],
      ["range=month", [""]],
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
