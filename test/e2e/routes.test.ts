// Every route of the router × back, forward, reload × every role: what it shows, or for whom it is, or that there is nothing.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { follow, startBrowser, type Browser, type Tab } from "./browser.ts";
import { startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(120_000);
let browser: Browser;
let stage: Stage;
const ids = { org: "", app: "", account: "", foreignOrg: "", foreignApp: "", foreignAccount: "" };
let people: Record<Role, Person>;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  const organization = async (name: string) =>
    (await create<{ organization: { id: string } }>("/admin/organizations", { name })).organization.id;
  const application = async (orgId: string, subdomain: string, name: string) =>
    (await create<{ application: { id: string } }>("/admin/applications", { orgId, subdomain, name })).application.id;
  const account = async (username: string, orgId: string) =>
    (await create<{ account: { id: string } }>("/admin/accounts", { username, orgId })).account.id;
  ids.org = await organization("Acme");
  ids.app = await application(ids.org, "shop", "Shop");
  ids.account = await account("otto", ids.org);
  ids.foreignOrg = await organization("Other Corp");
  ids.foreignApp = await application(ids.foreignOrg, "secret", "Secret");
  ids.foreignAccount = await account("stranger", ids.foreignOrg);
  people = {
    admin,
    orgAdmin: await stage.person({ username: "olga", orgId: ids.org, isOrgAdmin: true }),
    member: await stage.person({ username: "milo", orgId: ids.org }),
    loner: await stage.person({ username: "lone" }),
  };
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

type Role = "admin" | "orgAdmin" | "member" | "loner";
type Shown = [heading: string, mark: string | RegExp];
/** Its pattern in the router, its address, and what each role finds there. Without an entry the page is not for that role. */
type Route = [pattern: string, path: string, shown: Partial<Record<Role | "all" | "members" | "managers", Shown>>];

const organizationPage = (tab: string, mark: string): Route => [
  "/organizations/:id/:tab?",
  `organizations/${ids.org}${tab}`,
  { admin: ["Acme", mark] },
];
const applicationPage = (tab: string, mark: string): Route => [
  "/applications/:id/:tab?",
  `applications/${ids.app}${tab}`,
  { members: ["Shop", mark] },
];
const routes = (): Route[] => [
  [
    "/overview",
    "overview",
    { members: ["Overview", "Tunnels connected"], loner: ["Hello, lone", "no organization yet"] },
  ],
  ["/tunnels", "tunnels", { members: ["Tunnels", "No tunnels yet"] }],
  ["/requests", "requests", { members: ["Requests", "Waiting for the first request"] }],
  ["/organizations", "organizations", { admin: ["Organizations", "None: public"] }],
  organizationPage("", "New application"),
  organizationPage("/members", "New member"),
  organizationPage("/traffic", "Show as a table"),
  organizationPage("/policy", "There is no policy yet"),
  organizationPage("/limits", "MAX_TUNNELS_PER_ORGANIZATION"),
  organizationPage("/keys", "New key"),
  organizationPage("/whitelist", "Add a range"),
  organizationPage("/settings", "Delete this organization"),
  ["/applications", "applications", { members: ["Applications", "shop"] }],
  applicationPage("", "No agent is connected"),
  applicationPage("/policy", "In force now"),
  applicationPage("/keys", "API keys of this application"),
  applicationPage("/whitelist", "Counts for keys"),
  applicationPage("/limiter", "inherited from the server"),
  [
    "/applications/:id/:tab?",
    `applications/${ids.app}/settings`,
    { managers: ["Shop", "Delete this application"], member: ["Shop", "This is for admins of the organization"] },
  ],
  ["/accounts", "accounts", { managers: ["Accounts", "milo"] }],
  ["/accounts/:id", `accounts/${ids.account}`, { admin: ["otto", "Place and role"], orgAdmin: ["otto", "Rename"] }],
  ["/keys", "keys", { members: ["API keys", "No keys yet"] }],
  [
    "/whitelists/:level?",
    "whitelists",
    { admin: ["Agent whitelists", "127.0.0.0/8"], members: ["Agent whitelists", "This list is empty"] },
  ],
  [
    "/whitelists/:level?",
    "whitelists/organizations",
    {
      admin: ["Agent whitelists", "Organizations' lists"],
      members: ["Agent whitelists", "This is for system admins"],
    },
  ],
  ["/whitelists/:level?", "whitelists/applications", { members: ["Agent whitelists", "Applications' lists"] }],
  [
    "/whitelists/:level?",
    "whitelists/accounts",
    {
      managers: ["Agent whitelists", "Accounts' lists"],
      member: ["Agent whitelists", "This is for admins of the organization"],
    },
  ],
  ["/audit", "audit", { admin: ["Audit log", "organization.created"], orgAdmin: ["Audit log", "account.created"] }],
  [
    "/policy",
    "policy",
    { orgAdmin: ["Visitor policy", "There is no policy yet"], member: ["Visitor policy", "Policy"] },
  ],
  [
    "/limits",
    "limits",
    { orgAdmin: ["Limits", "MAX_TUNNELS_PER_ORGANIZATION"], member: ["Limits", "MAX_TUNNELS_PER_ORGANIZATION"] },
  ],
  ["/settings", "settings", { orgAdmin: ["Settings", "Require two-factor"] }],
  ["/me/:tab?", "me", { all: ["My account", "Current password"] }],
  ["/me/:tab?", "me/sessions", { all: ["My account", "This one"] }],
  [
    "/me/:tab?",
    "me/token",
    { all: ["My account", "New token"], admin: ["My account", "This is for accounts that are not system admins"] },
  ],
  ["/me/:tab?", "me/appearance", { all: ["My account", "Orchid"] }],
];

const refusal: Shown = ["Not for your role", "This is for"];

function shownTo(role: Role, shown: Route[2]): Shown {
  const groups = { admin: ["managers", "members"], orgAdmin: ["managers", "members"], member: ["members"], loner: [] };
  const keys = [role, ...(groups[role] as ("managers" | "members")[]), "all"] as const;
  const key = keys.find((one) => shown[one] !== undefined);
  return (key && shown[key]) ?? refusal;
}

async function shows(page: Page, role: Role, [, path, shown]: Route): Promise<void> {
  const [heading, mark] = shownTo(role, shown);
  await page.waitForURL(`**/dashboard/${path}`);
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
  await page.locator("main").getByText(mark).first().waitFor();
}

async function tabOf(role: Role, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, people[role]);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

describe("routes", () => {
  test("the table below is the router's", () => {
    const router = readFileSync(join(import.meta.dir, "../../dashboard/src/app.tsx"), "utf8");
    const inside = router.slice(router.indexOf('path="/dashboard"'), router.indexOf('path="*"'));
    const patterns = [...inside.matchAll(/<Route\s+path="(\/\w[^"]*)"/g)].map(([, pattern]) => pattern);
    expect(new Set(routes().map(([pattern]) => pattern))).toEqual(new Set(patterns as string[]));
    // Every part of a page that an address may name is walked through, too.
    const tabs = [...router.matchAll(/"(\w+)"/g)].map(([, word]) => word ?? "");
    const walked = routes().flatMap(([pattern, path]) => (pattern.endsWith("?") ? [path.split("/").at(-1) ?? ""] : []));
    for (const part of ["members", "traffic", "limiter", "sessions", "token", "appearance"]) {
      expect(tabs).toContain(part);
      expect(walked).toContain(part);
    }
  });

  test.each(["admin", "orgAdmin", "member", "loner"] as Role[])(
    "each, as %s: by a link, after a reload, and in order by back and forward",
    async (role) => {
      await using tab = await tabOf(role, "overview");
      const { page } = tab;
      // Who is in no organization has one page that others have, and the own account: the rest is one and the same answer.
      const walk =
        role === "loner" ? routes().filter(([pattern]) => /overview|tunnels|audit|me/.test(pattern)) : routes();
      for (const route of walk.slice(1)) {
        await follow(page, route[1]);
        await shows(page, role, route);
      }
      for (const route of walk.slice(0, -1).reverse()) {
        await page.goBack();
        await shows(page, role, route);
      }
      let isRefusalLoaded = false;
      for (const route of walk.slice(1)) {
        await page.goForward();
        await shows(page, role, route);
        // A page that is for others is not even asked for: what stands in its place is the same wherever it is loaded.
        const isRefusal = shownTo(role, route[2]) === refusal;
        if (isRefusal && isRefusalLoaded) continue;
        isRefusalLoaded ||= isRefusal;
        await page.reload();
        await shows(page, role, route);
        expect(tab.problems, route[1]).toEqual([]);
      }
    },
  );

  test("what is not for a role says for whom it is; both are no dead ends", async () => {
    await using tab = await tabOf("member", "accounts");
    const { page } = tab;
    await page.getByText("This is for admins of the organization").waitFor();
    await page.getByText("You are logged in as milo, a member of its organization.").waitFor();
    await tab.check();
    await tab.shot("not-for-role");
    await page.getByRole("link", { name: "Go to the overview" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });

  test.each([
    ["admin", "a system admin"],
    ["orgAdmin", "an organization's admin"],
  ] as const)("what is unknown or somebody else's is not found, for %s, with a way to the list", async (role) => {
    const unknown: [path: string, list: string][] = [
      ["applications/app_none", "applications"],
      ["accounts/acc_none", "accounts"],
      ["applications/%3Cscript%3E", "applications"],
      ...(role === "admin"
        ? ([["organizations/org_none/policy", "organizations"]] as [string, string][])
        : ([
            [`applications/${ids.foreignApp}/policy`, "applications"],
            [`accounts/${ids.foreignAccount}`, "accounts"],
          ] as [string, string][])),
    ];
    await using tab = await tabOf(role, "overview");
    const { page } = tab;
    for (const [path, list] of unknown) {
      await page.goto(`${stage.origin}/dashboard/${path}`);
      await page.getByText("There is nothing here").waitFor();
      expect(await page.locator("main").textContent()).not.toMatch(/Secret|stranger|Other Corp/);
      await tab.check();
      await page.getByRole("link", { name: `Back to ${list}` }).click();
      await page.waitForURL(`**/dashboard/${list}`);
    }
    await tab.shot("unknown-id");
    for (const path of ["nowhere", "applications/x/nonsense", "me/nonsense", "whitelists/nonsense", "overview/more"]) {
      await page.goto(`${stage.origin}/dashboard/${path}`);
      await page.getByText("There is no such page").waitFor();
      expect(tab.problems, path).toEqual([]);
    }
    await page.getByRole("link", { name: "Go to the overview" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });

  test("a page that is long in coming says so at once; the one before stays until it is there", async () => {
    await using tab = await tabOf("admin", "overview");
    const { page } = tab;
    const { promise: fetched, resolve: fetchIt } = Promise.withResolvers<void>();
    await page.route("**/assets/audit-*.js", async (route) => {
      await fetched;
      await route.continue();
    });
    await page.getByRole("link", { name: "Audit log", exact: true }).click();
    const bar = page.getByRole("status", { name: "Loading the page" });
    await bar.waitFor();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toContain("Overview");
    await eventually(async () => ((await bar.boundingBox())?.width ?? 0) > 100, "it can be seen");
    await tab.check();
    await tab.shot("page-is-coming");
    fetchIt();
    await page.getByRole("heading", { name: "Audit log", level: 1 }).waitFor();
    await bar.waitFor({ state: "detached" });
  });
});
