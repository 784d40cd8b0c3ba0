// Every page with real data, in every look and on a phone: no accessibility violation, no overflow, a picture for a person.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { follow, overflow, startBrowser, type Browser, type Tab } from "./browser.ts";
import { startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(600_000);
let browser: Browser;
let stage: Stage;
let service: Bun.Server<undefined>;
const agents: InProcessAgent[] = [];
const people: Record<string, Person> = {};
const ids: Record<string, string> = {};

beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => new Response("x".repeat(2_000), { status: request.url.endsWith("/missing") ? 404 : 200 }),
  });
  const admin = await stage.admin();
  people["admin"] = admin;
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  for (const name of ["Acme Robotics", "Blue Harbor", "Northwind Studio with a rather long name"]) {
    const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name });
    ids["org"] ??= organization.id;
  }
  const orgId = ids["org"] ?? "";
  for (const [subdomain, name] of [
    ["shop", "Web Shop"],
    ["hooks", "Webhook inbox"],
  ]) {
    const { application } = await create<{ application: { id: string } }>("/admin/applications", {
      orgId,
      subdomain,
      name,
    });
    ids[subdomain ?? ""] = application.id;
  }
  await stage.call(admin, "PUT", `/admin/applications/${ids["hooks"]}/policy`, {
    authType: "basic",
    basicUsername: "guest",
    basicPassword: "come on in 77",
    denyIps: ["198.51.100.0/24"],
  });
  await stage.call(admin, "PUT", `/admin/applications/${ids["hooks"]}`, { authMode: "custom" });
  const key = await create<{ rawKey: string }>("/admin/api-keys", { orgId, description: "CI pipeline", expiresIn: 90 });
  await create(`/admin/organizations/${orgId}/whitelist`, { ipRange: "203.0.113.0/24", description: "Office" });
  await create("/admin/whitelist", { ipRange: "2001:db8::/32", description: "Data centre" });
  people["member"] = await stage.person({ username: "milo", orgId });
  people["olga"] = await stage.person({ username: "olga.lindqvist", orgId, isOrgAdmin: true });
  const { accounts } = await stage.call<{ accounts: { id: string; username: string }[] }>(
    admin,
    "GET",
    "/admin/accounts",
  );
  ids["milo"] = accounts.find(({ username }) => username === "milo")?.id ?? "";
  for (const name of ["shop", "hooks"]) {
    agents.push(await openTunnel({ origin: stage.origin, token: key.rawKey, port: service.port ?? 0, name }));
  }
  for (const path of [
    "/",
    "/orders/1982",
    "/missing",
    "/assets/app.js",
    "/a/rather/long/path/that/goes/on/and/on/to/the/end",
  ]) {
    await fetch(`http://shop.localhost:${stage.port}${path}`);
    await fetch(`http://hooks.localhost:${stage.port}${path}`);
  }
});
afterAll(async () => {
  for (const agent of agents) await agent.stop(0);
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await service.stop(true);
});

const pagesOfAdmin = (): [name: string, path: string][] => [
  ["overview", "overview"],
  ["tunnels", "tunnels"],
  ["requests", "requests"],
  ["organizations", "organizations"],
  ["organization", `organizations/${ids["org"]}`],
  ["organization-members", `organizations/${ids["org"]}/members`],
  ["organization-traffic", `organizations/${ids["org"]}/traffic`],
  ["organization-policy", `organizations/${ids["org"]}/policy`],
  ["organization-limits", `organizations/${ids["org"]}/limits`],
  ["organization-keys", `organizations/${ids["org"]}/keys`],
  ["organization-whitelist", `organizations/${ids["org"]}/whitelist`],
  ["organization-settings", `organizations/${ids["org"]}/settings`],
  ["applications", "applications"],
  ["application", `applications/${ids["shop"]}`],
  ["application-protected", `applications/${ids["hooks"]}`],
  ["application-policy", `applications/${ids["hooks"]}/policy`],
  ["application-keys", `applications/${ids["hooks"]}/keys`],
  ["application-whitelist", `applications/${ids["hooks"]}/whitelist`],
  ["application-limiter", `applications/${ids["hooks"]}/limiter`],
  ["application-settings", `applications/${ids["hooks"]}/settings`],
  ["accounts", "accounts"],
  ["account", `accounts/${ids["milo"]}`],
  ["keys", "keys"],
  ["whitelists", "whitelists"],
  ["whitelists-organizations", "whitelists/organizations"],
  ["whitelists-applications", "whitelists/applications"],
  ["whitelists-accounts", "whitelists/accounts"],
  ["audit", "audit"],
  ["me", "me"],
  ["me-sessions", "me/sessions"],
  ["me-appearance", "me/appearance"],
];
const pagesOfMember = (): [name: string, path: string][] => [
  ["member-overview", "overview"],
  ["member-tunnels", "tunnels"],
  ["member-requests", "requests"],
  ["member-applications", "applications"],
  ["member-application", `applications/${ids["hooks"]}`],
  ["member-application-policy", `applications/${ids["hooks"]}/policy`],
  ["member-limits", "limits"],
  ["member-me", "me"],
  ["member-token", "me/token"],
];
const pagesOfOrgAdmin = (): [name: string, path: string][] => [
  ["org-overview", "overview"],
  ["org-tunnels", "tunnels"],
  ["org-requests", "requests"],
  ["org-applications", "applications"],
  ["org-application", `applications/${ids["hooks"]}`],
  ["org-application-policy", `applications/${ids["hooks"]}/policy`],
  ["org-accounts", "accounts"],
  ["org-account", `accounts/${ids["milo"]}`],
  ["org-keys", "keys"],
  ["org-policy", "policy"],
  ["org-limits", "limits"],
  ["org-settings", "settings"],
  ["org-whitelists", "whitelists"],
  ["org-whitelists-accounts", "whitelists/accounts"],
  ["org-audit", "audit"],
  ["org-me", "me"],
  ["org-token", "me/token"],
];

/** What each of them may open. */
const walks = [
  ["admin", pagesOfAdmin],
  ["olga", pagesOfOrgAdmin],
  ["member", pagesOfMember],
] as const;

async function tabOf(who: string): Promise<Tab> {
  const tab = await browser.open();
  const person = people[who];
  if (person === undefined) throw new Error(`nobody is ${who}`);
  await stage.enter(tab.context, person);
  return tab;
}

/** Loads the first page of a walk, and goes on by links: each page is loaded by itself in the test of the routes. */
async function open(page: Page, path: string): Promise<void> {
  if (page.url() === "about:blank") await page.goto(`${stage.origin}/dashboard/${path}`);
  else await follow(page, path);
  // Until it is known who is logged in, the frame has a heading of its own.
  await page.locator(".page-head h1").waitFor();
  await page.locator("[role=status][aria-label^=Loading]").first().waitFor({ state: "detached" });
  await page.waitForLoadState("load");
  expect(await page.getByText("could not be loaded").count(), path).toBe(0);
}

describe("pages", () => {
  test.each(walks)(
    "of %s, opened on a phone, then in both schemes, the accents in turns, and on a wide screen; security: nobody else is asked",
    async (who, pages) => {
      await using tab = await tabOf(who);
      const { page } = tab;
      const foreign: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(`${stage.origin}/`)) foreign.push(request.url());
      });
      for (const [name, path] of pages()) {
        // Every other test loads pages on a desk; here they are made on a phone, and grow.
        await tab.become("phone");
        await open(page, path);
        await tab.shot(name);
        await tab.check();
        await tab.become("light");
        await tab.looks(name, true);
        await tab.become("wide");
        expect(await page.evaluate(overflow), path).toBeLessThanOrEqual(0);
        await tab.shot(name);
      }
      expect(foreign).toEqual([]);
    },
  );
});

describe("the gate", () => {
  test.each(["light", "phone"] as const)(
    "log-in step by step, set-up that is over, an unknown page, %s",
    async (look) => {
      await using tab = await browser.open(look);
      const { page } = tab;
      const admin = people["admin"];
      if (admin === undefined) throw new Error("no admin");
      const looks = async (name: string) => {
        if (look === "light") return tab.looks(`gate-${name}`, true);
        await tab.shot(`gate-${name}`);
        await tab.check();
      };
      await page.goto(`${stage.origin}/login`);
      await page.getByLabel("Username").waitFor();
      await looks("name");
      await page.getByLabel("Username").fill(admin.username);
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByLabel("Password").fill("wrong password 1");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("The username or password is wrong.").waitFor();
      await looks("password");
      await page.getByLabel("Password").fill(admin.password);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByLabel("Code from your authenticator").waitFor();
      await looks("totp");
      await page.getByRole("button", { name: "Use a recovery code" }).click();
      await looks("recovery");
      await page.goto(`${stage.origin}/setup`);
      await page.getByRole("heading", { name: "This server is set up" }).waitFor();
      await looks("setup-over");
      await page.goto(`${stage.origin}/nowhere`);
      await page.getByText("There is no such page").waitFor();
      await looks("not-found");
    },
  );
});

test("the letters are our own", async () => {
  await using tab = await browser.open();
  const admin = people["admin"];
  if (admin === undefined) throw new Error("no admin");
  await stage.enter(tab.context, admin);
  await tab.page.goto(`${stage.origin}/dashboard/requests`);
  // Both are used: a font is loaded for the first letter that is painted in it.
  await tab.page.getByRole("button", { name: "/orders/1982" }).first().waitFor();
  const loaded = `document.fonts.ready.then(() =>
    [...document.fonts].filter((face) => face.status === "loaded").map((face) => face.family.replaceAll('"', "")))`;
  expect(new Set((await tab.page.evaluate(loaded)) as string[])).toEqual(new Set(["Geist", "Geist Mono"]));
});
