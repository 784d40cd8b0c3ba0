// Every list, under each filter and order that it offers, is answered from an index: asked of SQLite's planner.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createQueryId, sql, type CompiledQuery, type RootOperationNode } from "kysely";
import { auditByIndex, auditIndexes } from "../../../src/db/audit-log.ts";
import { openTestSqlite, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";
import { createTenantApi, type TenantApi } from "../../helpers/tenants.ts";

let database: TestDatabase;
let api: TenantApi;
let admin: Person;
let boss: Person;
let orgId: string;
let appId: string;
let recorded: RootOperationNode[] = [];

beforeAll(async () => {
  database = await openTestSqlite();
  const kysely = database.db.kysely.withPlugin({
    transformQuery({ node }) {
      recorded.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  api = createTenantApi({ ...database, db: { ...database.db, kysely } });
  admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
  orgId = await createOrganization(api, "Acme");
  boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
  const body = { subdomain: "one", name: "One" };
  const created = await api.call("POST", "/org/applications", { session: boss.session, body });
  appId = (created.body["application"] as { id: string }).id;
});
afterAll(async () => {
  await api.tenants.close();
  await database[Symbol.asyncDispose]();
});

async function planOf(query: CompiledQuery): Promise<string[]> {
  const explained = { ...query, sql: `explain query plan ${query.sql}`, queryId: createQueryId() };
  const { rows } = await database.db.kysely.executeQuery<{ detail: string }>(explained);
  return rows.map(({ detail }) => detail);
}

/**
 * What is wrong with a plan. Without any filter a page may be read off the index of its order. Sorting by the last term
 * behind a unique one sorts groups of one.
 */
function problems(plan: string[], isFiltered: boolean, isUnique = false): string[] {
  return plan.filter(
    (step) =>
      step.includes("USE TEMP B-TREE FOR ORDER BY") ||
      (step.includes("USE TEMP B-TREE FOR LAST TERM") && !isUnique) ||
      (/^SCAN (?!CONSTANT|\(subquery)/.test(step) && (isFiltered || !step.includes("USING"))),
  );
}

/** Paths, the orders they offer, and combinations of filters: `[filter, orders that it allows]`. */
function lists(): [string, string, readonly Offer[]][] {
  const sorts = {
    accounts: ["username", "createdAt", "lastUsed"],
    applications: ["subdomain", "name", "createdAt"],
    organizations: ["name", "createdAt"],
    keys: ["createdAt", "lastUsed"],
    entries: ["", "createdAt", "ipRange"],
    sessions: ["", "createdAt", "lastSeen", "expiresAt"],
  };
  const words = ["", "q=10.1.2.3", "q=!office ci"];
  const entries = words.map((one): Offer => [one, sorts.entries]);
  return [
    [
      "/admin/accounts",
      "accounts",
      [
        ["", sorts.accounts],
        ["q=b", ["username"]],
        ["active=true", sorts.accounts],
        [`org=${orgId}`, sorts.accounts],
        [`org=${orgId}&q=b`, ["username"]],
        ["admin=true", ["username"]],
        ["q=!b", sorts.accounts],
        [`org=!${orgId}&active=!false`, sorts.accounts],
      ],
    ],
    [
      "/org/accounts",
      "accounts",
      [
        ["", sorts.accounts],
        ["q=b", ["username"]],
      ],
    ],
    [
      "/admin/organizations",
      "organizations",
      [
        ["", sorts.organizations],
        ["q=a", ["name"]],
        ["q=!a", sorts.organizations],
      ],
    ],
    [
      "/admin/applications",
      "applications",
      [
        ["", sorts.applications],
        ["q=o", ["subdomain", "name"]],
        [`org=${orgId}`, sorts.applications],
        [`org=${orgId}&q=o`, ["subdomain", "name"]],
        [`org=!${orgId}&q=!o`, sorts.applications],
      ],
    ],
    [
      "/org/applications",
      "applications",
      [
        ["", sorts.applications],
        ["q=o", ["subdomain", "name"]],
      ],
    ],
    [
      "/admin/api-keys",
      "api_keys",
      [
        ["", sorts.keys],
        [`org=${orgId}`, sorts.keys],
        [`app=${appId}`, sorts.keys],
        [`org=${orgId}&app=${appId}`, sorts.keys],
        [`org=!${orgId}`, sorts.keys],
        [`org=${orgId}&app=!${appId}`, sorts.keys],
        ["q=deploy !ci", sorts.keys],
        ["state=expired", sorts.keys],
        [`org=${orgId}&q=deploy&state=active`, sorts.keys],
        [`app=${appId}&q=deploy&state=active`, sorts.keys],
      ],
    ],
    [
      "/org/api-keys",
      "api_keys",
      [
        ["", sorts.keys],
        [`app=${appId}`, sorts.keys],
        ["q=deploy&state=!active", sorts.keys],
      ],
    ],
    ["/admin/whitelist", "whitelist_entries", entries],
    ["/org/whitelist", "whitelist_entries", entries],
    [`/org/applications/${appId}/whitelist`, "whitelist_entries", entries],
    ["/org/account-whitelist", "whitelist_entries", entries],
    [
      "/auth/sessions",
      "dashboard_sessions as s",
      [...words, "state=any", "current=!true"].map((one) => [one, sorts.sessions]),
    ],
    ...["org", "app", "account"].map((level): ReturnType<typeof lists>[number] => [
      `/admin/${level}-whitelists`,
      "whitelist_entries",
      [
        ...entries,
        ...words.map((one): Offer => [`org=${orgId}&${one}`, sorts.entries]),
        [`org=!${orgId}`, sorts.entries],
      ],
    ]),
    ["/org/app-whitelist", "whitelist_entries", entries],
    ["/admin/traffic", "traffic", [["range=hour"], [`range=day&org=${orgId}`], [`range=month&app=${appId}`]].map(once)],
    ["/org/traffic", "traffic", [["range=hour"], [`range=day&app=${appId}`]].map(once)],
    ["/admin/overview", "audit_log", [["", [""]]]],
    ["/org/overview", "audit_log", [["", [""]]]],
  ];
}
type Offer = readonly [filter: string, orders: string[]];
const once = ([filter = ""]: string[]): Offer => [filter, [""]];

test("lists use indexes", async () => {
  const found: Record<string, string[]> = {};
  let plans = 0;
  for (const [path, table, filters] of lists()) {
    for (const [filter, orders] of filters) {
      for (const order of orders.flatMap((name) => (name === "" ? [""] : [name, `-${name}`]))) {
        const query = [filter, order === "" ? "" : `sort=${order}`].filter((part) => part !== "").join("&");
        const name = `${path}?${query}`;
        recorded = [];
        const session = path.startsWith("/admin") ? admin.session : boss.session;
        expect({ name, status: (await api.call("GET", name, { session })).status }).toEqual({ name, status: 200 });
        const compiled = recorded
          .filter(({ kind }) => kind === "SelectQueryNode")
          .map((node) => database.db.kysely.getExecutor().compileQuery(node, createQueryId()))
          .filter(({ sql: text }) => text.includes(`from "${table.replace(" as ", '" as "')}"`));
        expect({ name, queries: compiled.length > 0 }).toEqual({ name, queries: true });
        // Everything of /org is filtered by the organization. What is only checked is read off the index of the order.
        const parts = filter.split("&").filter((part) => !(table === "api_keys" && /^(q|state)=/.test(part)));
        const isFiltered = (parts.join("") !== "" && !filter.includes("=!")) || path.startsWith("/org");
        for (const one of compiled) {
          const wrong = problems(await planOf(one), isFiltered, order.endsWith("username"));
          if (wrong.length > 0) found[`${name}: ${one.sql}`] = wrong;
          plans++;
        }
      }
    }
  }
  expect(found).toEqual({});
  expect(plans).toBeGreaterThan(60);
});

test("each combination of filters of the audit log has an index that ends in the position", async () => {
  for (const columns of auditIndexes) {
    for (const after of [null, 100]) {
      const equals = Object.fromEntries(columns.map((column) => [column, column === "success" ? 1 : "x"]));
      const page = { limit: 50, descending: true, after };
      const query = auditByIndex(database.db.kysely, columns, equals, page, { from: 5, to: 500 }, 51).compile();
      const plan = await planOf(query);
      const name = `${columns.join(" ")} after ${after}`;
      expect({ name, wrong: problems(plan, true), steps: plan.length }).toEqual({ name, wrong: [], steps: 1 });
      if (columns.length > 0) expect(plan[0]).toContain(`(${columns[0]}=?`);
      expect(plan[0]).toMatch(/(seq|rowid)>\? AND (seq|rowid)<\?/);
    }
  }
});

test("times become positions through the index of times", async () => {
  await sql`select 1`.execute(database.db.kysely);
  recorded = [];
  const from = new Date(0).toISOString();
  const query = `from=${from}&to=${from}&action=login&actor=boss&outcome=success`;
  expect((await api.call("GET", `/admin/audit?${query}`, { session: admin.session })).status).toBe(200);
  for (const node of recorded.filter(({ kind }) => kind === "SelectQueryNode")) {
    const compiled = database.db.kysely.getExecutor().compileQuery(node, createQueryId());
    expect({ sql: compiled.sql, wrong: problems(await planOf(compiled), true) }).toEqual({
      sql: compiled.sql,
      wrong: [],
    });
  }
});
