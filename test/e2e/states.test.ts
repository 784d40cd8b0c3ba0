// States that nobody wishes for: loading, failed, nothing there yet, the server away. Each says what it is and has a way on.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page, Route } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { follow, forgiveFromNow, startBrowser, type Browser, type Tab } from "./browser.ts";
import { startRelay } from "./relay.ts";
import { freePort, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(240_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let appId: string;
let accountId: string;
let admin: Person;
let olga: Person & { token: string };
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" });
  orgId = organization.id;
  const shop = { orgId, subdomain: "shop", name: "Shop" };
  appId = (await create<{ application: { id: string } }>("/admin/applications", shop)).application.id;
  const milo = { username: "milo", orgId };
  accountId = (await create<{ account: { id: string } }>("/admin/accounts", milo)).account.id;
  const fresh = await create<{ organization: { id: string } }>("/admin/organizations", { name: "Fresh" });
  olga = await stage.person({ username: "olga", orgId: fresh.organization.id, isOrgAdmin: true });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function tabOf(person: Person, port = stage.port): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`http://localhost:${port}/dashboard/me/appearance`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

/** What the server answers when something in it broke. */
const broken = { error: { code: "internal", message: "Something went wrong here. Try again.", requestId: "req-4711" } };

/** Stands between page and API: holds every answer (or only those to `calls`), breaks it, or lets it through. */
async function interpose(page: Page) {
  let mode: "hold" | "break" | "pass" = "hold";
  let meant = /./;
  const held: (() => Promise<void>)[] = [];
  const answer = async (route: Route) => {
    if (mode === "break") await route.fulfill({ status: 500, json: broken });
    else await route.continue();
  };
  await page.route(/\/(admin|org)\/(?!me|events)|\/auth\/sessions/, async (route) => {
    if (route.request().resourceType() !== "fetch" || !meant.test(route.request().url())) return route.continue();
    if (mode === "hold") held.push(() => answer(route));
    else await answer(route);
  });
  return async (next: typeof mode, calls = /./) => {
    mode = next;
    meant = calls;
    if (next !== "hold") await Promise.all(held.splice(0).map((one) => one()));
  };
}

const loading = (page: Page) =>
  // Not the moment before the page's own script is there.
  page.locator("[role=status][aria-label^=Loading]:not([aria-label='Loading the page'])").first();

/** What failed says with which request, and that one may try again. */
async function hasFailed(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Try again" }).first().waitFor();
  await page.getByText("req-4711").first().waitFor();
}

/** Presses every button: each goes by itself where the stream has the list fetched again, and comes back when that still broke. */
async function tryAgainUntil(page: Page, shown: string | RegExp): Promise<void> {
  const again = page.getByRole("button", { name: "Try again" }).first();
  const rows = page.locator("main").getByText(shown).first();
  await eventually(
    async () => {
      await again.or(rows).first().waitFor();
      if (await again.isVisible()) await again.click({ timeout: 1_000 }).catch(() => {});
      return (await rows.isVisible()) && !(await again.isVisible());
    },
    `${shown} is there`,
    15_000,
  );
}

describe("loading and failing", () => {
  const pages: [path: string, shown: string | RegExp][] = [
    ["overview", "Busiest"],
    ["tunnels", "No tunnels yet"],
    ["requests", "Waiting for the first request"],
    ["organizations", "Acme"],
    ["applications", "shop"],
    ["accounts", "olga"],
    ["keys", "No keys yet"],
    ["whitelists", "127.0.0.0/8"],
    ["audit", "organization.created"],
    ["me/sessions", "This one"],
  ];

  test("each list shows its shape while it loads and a way to try again when that fails, and then its rows", async () => {
    await using tab = await tabOf(admin);
    const { page } = tab;
    const become = await interpose(page);
    // What happens on the server has lists fetched again at any moment, which is broken as well.
    forgiveFromNow(tab, "a status of 500");
    for (const [path, shown] of [
      ...pages,
      [`applications/${appId}`, "No agent is connected"],
      [`applications/${appId}/policy`, "In force now"],
    ] as typeof pages) {
      await become("hold");
      await page.goto(`${stage.origin}/dashboard/${path}`);
      await loading(page).waitFor();
      // Whoever wants less motion gets no shimmer.
      const moving = "document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 50).length";
      expect(await page.evaluate(moving), path).toBe(0);
      await tab.check();
      await tab.shot(`loading-${path.replace(/\W/g, "-").replace(appId, "id")}`);
      await become("break");
      await hasFailed(page);
      await tab.check();
      await tab.shot(`failed-${path.replace(/\W/g, "-").replace(appId, "id")}`);
      await become("pass");
      await tryAgainUntil(page, shown);
      expect(tab.problems, path).toEqual([]);
    }
  });

  /** Pages of one thing: what stands there in the end, and its tabs by what each of them asks the server for. */
  const pagesOfOne = (): [
    who: Person,
    path: string,
    shown: string,
    tabs: [name: string, calls: RegExp, shown: string][],
  ][] => [
    [
      admin,
      `organizations/${orgId}/settings`,
      "Delete this organization",
      [
        ["Applications", /\/applications\?/, "shop"],
        ["Members", /\/accounts\?/, "milo"],
        ["Traffic", /\/traffic/, "Show as a table"],
        ["Visitor policy", /\/policy/, "There is no policy yet"],
        ["Limits", /limits?$/, "MAX_TUNNELS_PER_ORGANIZATION"],
        ["API keys", /\/api-keys/, "No keys yet"],
        ["Agent whitelist", /\/whitelist/, "This list is empty"],
      ],
    ],
    [
      admin,
      `applications/${appId}/settings`,
      "Delete this application",
      [
        ["API keys", /\/api-keys/, "No keys yet"],
        ["Agent whitelist", /\/whitelist/, "This list is empty"],
        ["Limiter", /\/rate-limit/, "inherited from the server's settings"],
      ],
    ],
    [admin, `accounts/${accountId}`, "Place and role", []],
    [olga, "limits", "MAX_TUNNELS_PER_ORGANIZATION", []],
    [olga, "settings", "Require two-factor", []],
  ];

  test("so does each page of one thing, and each tab of it by itself", async () => {
    for (const [who, path, shown, tabs] of pagesOfOne()) {
      await using tab = await tabOf(who);
      const { page } = tab;
      const become = await interpose(page);
      forgiveFromNow(tab, "a status of 500");
      const walk = async (open: () => Promise<unknown>, calls: RegExp, mark: string) => {
        await become("hold", calls);
        await open();
        await loading(page).waitFor();
        await become("break", calls);
        await hasFailed(page);
        await become("pass");
        await tryAgainUntil(page, mark);
      };
      await walk(() => page.goto(`${stage.origin}/dashboard/${path}`), /./, shown);
      const links = page.getByRole("main").getByRole("navigation");
      for (const [name, calls, mark] of tabs)
        await walk(() => links.getByRole("link", { name, exact: true }).click(), calls, mark);
    }
  });

  test("both states pass in every look", async () => {
    await using tab = await tabOf(admin);
    const { page } = tab;
    const become = await interpose(page);
    await page.goto(`${stage.origin}/dashboard/accounts`);
    await loading(page).waitFor();
    await tab.looks("loading");
    // What failed may be told on the console after it is on the page.
    forgiveFromNow(tab, "a status of 500");
    await become("break");
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await tab.looks("failed");
  });
});

describe("nothing there yet", () => {
  test("each page of a new organization says so, and what to do next, in every look", async () => {
    await using tab = await tabOf(olga);
    const { page } = tab;
    for (const [path, title, next] of [
      ["overview", "Open the first one with the command above", "Visitor policy"],
      ["tunnels", "No tunnels yet", "digit-link http 3000"],
      ["requests", "Waiting for the first request", "Call a tunnel's URL"],
      ["applications", "No applications yet", "New application"],
      ["keys", "No keys yet", "New key"],
      ["whitelists", "This list is empty", "Add a range"],
      ["policy", "There is no policy yet", "Save the policy"],
    ] as const) {
      await follow(page, path);
      await page.getByText(title).first().waitFor();
      await page.locator("main").getByText(next).first().waitFor();
      await tab.looks(`empty-${path}`, true);
    }
  });

  test("the overview says how to open the first tunnel; its command is copied, and gives way to the tunnel", async () => {
    await using tab = await tabOf(olga);
    const { page } = tab;
    await tab.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stage.origin });
    await page.getByRole("link", { name: "Overview" }).click();
    const first = page.getByRole("region", { name: "Open your first tunnel" });
    const command = `digit-link http 3000 --server ${stage.origin}`;
    const copies = async () => {
      await page.getByRole("button", { name: "Copy command" }).click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(command);
      expect(await page.locator("main").getByText(command, { exact: true }).count()).toBe(1);
    };
    await first.waitFor();
    await copies();
    await tab.become("phone");
    await tab.check();
    await tab.shot("empty-overview");
    const agent = await openTunnel({ origin: stage.origin, token: olga.token, port: freePort(), name: "first" });
    const busiest = page.getByRole("region", { name: "Busiest tunnels" });
    await busiest.getByRole("link", { name: "first" }).waitFor();
    await first.waitFor({ state: "detached" });
    await agent.stop(0);
    // Gone is not never: the way to open one is told where it would stand.
    await busiest.getByText("Start an agent beside a service").waitFor();
    expect(await first.count()).toBe(0);
    await copies();
    await tab.become("light");
    await tab.looks("overview-none-connected", true);
  });
});

describe("the server is away", () => {
  test("a list, a page that was never opened and a form say so, keep what is there, and go on when it is back", async () => {
    await using relay = startRelay(stage.port);
    await using tab = await tabOf(admin, relay.port);
    const { page } = tab;
    await page.getByRole("link", { name: "Accounts", exact: true }).click();
    await page.getByRole("link", { name: "olga" }).waitFor();
    forgiveFromNow(tab, "net::ERR_");
    relay.pause();

    await page.getByRole("button", { name: "New account" }).click();
    await page.getByLabel("Username").fill("newcomer");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("dialog").getByText("The server could not be reached").waitFor();
    expect(await page.getByLabel("Username").inputValue()).toBe("newcomer");
    await page.getByRole("button", { name: "Cancel" }).click();

    await page.getByRole("searchbox").first().fill("olg");
    await page.getByText("The server could not be reached").waitFor();
    await tab.shot("away-list");
    relay.resume();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("link", { name: "olga" }).waitFor();

    relay.pause();
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByText("This page could not be loaded").waitFor();
    await tab.shot("away-page");
    relay.resume();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "Audit log", level: 1 }).waitFor();
    await page.getByRole("button", { name: "account.created" }).first().waitFor();
  });
});
