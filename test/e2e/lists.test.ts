// Lists of a large installation: orders that are what they say, long values, pickers among many, nothing lost on a phone.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { fillDatabase } from "../helpers/fill-database.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { startBrowser, type Browser, type Look } from "./browser.ts";
import { openAdminTab, startStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
const longName = "an-organization-whose-name-goes-on-and-on-without-a-space-or-an-end-in-sight";
let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([
    startBrowser(),
    startStage({ AUDIT_RETENTION_DAYS: "36500" }, (path) =>
      fillDatabase({ path }, { accounts: 200, applications: 160, auditRows: 500 }),
    ),
  ]);
  await stage.call(await stage.admin(), "POST", "/admin/organizations", { name: longName });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

const adminTab = (path: string, look?: Look) => openAdminTab(stage, browser, path, look);

const firstCells = (page: Page) => page.locator("tbody tr td:first-child").allTextContents();
const links = (page: Page) => page.locator("tbody tr td:first-child a").allTextContents();
const sorted = (page: Page) =>
  page.evaluate(`[...document.querySelectorAll("th[aria-sort]")].map((head) =>
    head.textContent.trim() + " " + head.getAttribute("aria-sort"))`) as Promise<string[]>;

test("a long value says how much was cut, and shows all by keyboard and touch", async () => {
  await using tab = await adminTab(`organizations?q=${longName.slice(0, 5)}`);
  const { page } = tab;
  const more = page.getByRole("button", { name: `+${longName.length - 32} characters` });
  await more.waitFor();
  expect(await page.getByText(longName).count()).toBe(0);
  await more.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: longName }).waitFor();
  await tab.check();
  await page.keyboard.press("Escape");
  await more.waitFor();
  await using phone = await adminTab(`organizations?q=${longName.slice(0, 5)}`, "phone");
  await phone.page.getByRole("button", { name: "characters" }).tap();
  await phone.page.getByRole("link", { name: longName }).waitFor();
  await phone.page.getByRole("button", { name: "show less" }).tap();
  await phone.check();
});

describe("orders", () => {
  test("the arrow tells the order there is: the server's own, and a search's", async () => {
    await using tab = await adminTab("accounts?active=true");
    const { page } = tab;
    await page.getByText("50 on this page").waitFor();
    expect(await sorted(page)).toEqual(["Created descending"]);
    await page.getByRole("button", { name: "Last used" }).click();
    await eventually(async () => (await sorted(page)).join() === "Last used ascending", "a filter keeps the order");
    await page.getByRole("searchbox").fill("user-1");
    await page.getByText("Found by the beginning of the username").waitFor();
    expect(await sorted(page)).toEqual(["Username ascending"]);
    expect(await page.getByRole("button", { name: "Created" }).count()).toBe(0);
    // The rows before the search stand dimmed until its own have come.
    await eventually(async () => (await links(page)).every((name) => name.startsWith("user-1")), "only what was found");
    const names = await links(page);
    expect(names.length).toBe(50);
    expect(names).toEqual(names.toSorted());
    await page.getByRole("button", { name: "Username" }).click();
    await eventually(async () => {
      const now = await links(page);
      return (await sorted(page))[0] === "Username descending" && now.join() === now.toSorted().reverse().join();
    }, "the other way round, too");
    await page.getByRole("searchbox").fill("NOT user");
    await page.locator("tbody").getByRole("link", { name: "admin" }).waitFor();
    await page.getByRole("button", { name: "Created" }).click();
    await eventually(async () => (await sorted(page)).join() === "Created ascending", "NOT needs no order of its own");
    await tab.check();
  });

  test("the next page is read from its beginning", async () => {
    await using tab = await adminTab("accounts");
    const { page } = tab;
    await page.getByText("50 on this page").waitFor();
    const first = (await links(page))[0];
    await page.getByRole("button", { name: "Next page" }).click();
    await eventually(async () => (await links(page))[0] !== first, "the next page stands there");
    const { y = -1 } = (await page.locator("tbody tr").first().boundingBox()) ?? {};
    expect(y).toBeWithin(0, 900);
  });

  test("the audit log reads forwards, too", async () => {
    await using tab = await adminTab("audit");
    const { page } = tab;
    await page.getByText("50 on this page").waitFor();
    const last = (await firstCells(page))[0];
    await page.getByRole("button", { name: "Time" }).click();
    await page.waitForURL("**sort=time*");
    await eventually(async () => (await firstCells(page))[0] !== last, "the oldest stands first");
    expect(await sorted(page)).toEqual(["Time ascending"]);
    expect((await firstCells(page))[0]).toContain("2026");
  });
});

test("a picker searches on the server, says how many more there are, and needs no mouse", async () => {
  await using tab = await adminTab("audit");
  const { page } = tab;
  const box = page.getByRole("combobox", { name: "Application" });
  await box.focus();
  await page.keyboard.press("ArrowDown");
  await page.getByText("More than 50 more: type how it begins.").waitFor();
  const options = page.locator("[role=option]");
  expect(await options.count()).toBe(51);
  await tab.check();
  await page.keyboard.press("Escape");
  expect(await box.getAttribute("aria-expanded")).toBe("false");
  await page.keyboard.type("name-157");
  await page.getByRole("option", { name: "name-157" }).waitFor();
  await eventually(async () => (await options.count()) === 1, "only what begins like that");
  await page.keyboard.press("Enter");
  await page.waitForURL("**app=app_157*");
  expect(await box.inputValue()).toBe("name-157");
  await page.keyboard.type("nothing begins so");
  await page.getByText("None begins with “nothing begins so”.").waitFor();
  await page.keyboard.press("Escape");
  expect(await box.inputValue()).toBe("name-157");
  await tab.check();
});

test("API keys are found by their words and by whether they expired, which the address keeps", async () => {
  const { organizations } = await stage.call<{ organizations: { id: string }[] }>(
    await stage.admin(),
    "GET",
    `/admin/organizations?q=${longName}`,
  );
  for (const description of ["Deploy staging", "deploy production"]) {
    const body = { orgId: organizations[0]?.id, description };
    await stage.call(await stage.admin(), "POST", "/admin/api-keys", body);
  }
  await using tab = await adminTab("keys");
  const { page } = tab;
  await page.getByText("50 on this page").waitFor();
  const rows = page.locator("tbody tr");
  const found = (count: number) => eventually(async () => (await rows.count()) === count, `${count} are found`);
  await page.keyboard.press("/");
  await page.keyboard.type("deploy");
  await found(2);
  await page.getByRole("searchbox").fill("deploy NOT staging");
  await found(1);
  await page.getByText("deploy production").waitFor();
  await page.getByRole("searchbox").fill("");
  await page.getByRole("combobox", { name: "State" }).selectOption("Expired");
  await page.waitForURL("**key-state=expired*");
  const badges = rows.getByText("Expired", { exact: true });
  await eventually(async () => (await badges.count()) === 50, "only those that expired");
  await tab.looks("keys-expired", true);
  await page.getByRole("button", { name: "NOT this state" }).click();
  await page.getByText("deploy production").waitFor();
  expect(await badges.count()).toBe(0);
  await page.getByRole("searchbox").fill("deploy");
  await found(2);
  await page.reload();
  await found(2);
  expect(await page.getByRole("combobox", { name: "State" }).inputValue()).toBe("expired");
  await page.getByRole("searchbox").fill("no such key");
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await page.getByText("50 on this page").waitFor();
});

test("in a list that stands still what is gone is crossed out, and not what was pushed to the next page", async () => {
  const admin = await stage.admin();
  const create = async (username: string): Promise<string> =>
    (await stage.call<{ account: { id: string } }>(admin, "POST", "/admin/accounts", { username })).account.id;
  const doomed = await create("doomed");
  await using tab = await adminTab("accounts");
  const { page } = tab;
  await page.clock.install();
  await page.reload();
  await page.getByText("50 on this page").waitFor();
  const before = await links(page);
  await page.locator("tbody tr").first().hover();
  for (const name of ["new-one", "new-two"]) await create(name);
  await stage.call(admin, "DELETE", `/admin/accounts/${doomed}/hard`);
  // Old enough to be fetched again when one comes back.
  await page.clock.fastForward(6_000);
  await page.evaluate(`window.dispatchEvent(new Event("visibilitychange"))`);
  await page.getByRole("button", { name: "Show 2 new rows" }).waitFor();
  expect(await links(page)).toEqual(before);
  const crossedOut = page.getByRole("row").filter({ hasText: "No longer on this page" });
  expect(await crossedOut.getByRole("link").allTextContents()).toEqual(["doomed"]);
  await page.getByRole("button", { name: "Show 2 new rows" }).click();
  await eventually(async () => (await links(page))[0] === "new-two", "what waited is there");
  expect(await crossedOut.count()).toBe(0);
});

test("whitelists of all accounts are listed, and found by an address", async () => {
  await using tab = await adminTab("whitelists");
  const { page } = tab;
  await page.getByRole("navigation", { name: "Level" }).getByRole("link", { name: "Accounts" }).click();
  await page.getByText("50 on this page").waitFor();
  await page.getByRole("searchbox").fill("10.0.0.157");
  const found = () =>
    eventually(async () => (await page.locator("tbody tr").count()) === 1, "the one that contains it");
  await found();
  await tab.check();
  // The address keeps what was typed.
  await page.waitForURL("**/whitelists/accounts?q=10.0.0.157");
  await page.reload();
  await found();
  expect(await page.getByRole("searchbox").inputValue()).toBe("10.0.0.157");
  await page.getByRole("searchbox").fill("no such words");
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await page.getByRole("button", { name: "Address or range" }).click();
  await page.waitForURL("**sort=ipRange*");
  await page.getByRole("link", { name: "user-0", exact: true }).click();
  await page.getByRole("heading", { name: "user-0", level: 1 }).waitFor();
});

/** What stands in a row on a phone: the names of its cells ("" for one that needs none), and those that are not wholly on screen. */
async function cellsOf(row: Locator): Promise<{ names: string[]; lost: string[] }> {
  const cells = await row.locator("td").evaluateAll((all) =>
    all.map((cell) => {
      const { left, right, width, height } = cell.getBoundingClientRect();
      const name = cell.getAttribute("data-label") ?? "";
      const seen = cell.checkVisibility() && width > 0 && height > 0 && left >= 0 && right <= 390;
      const empty = name === "" && cell.textContent === "" && cell.childElementCount === 0;
      return { name, lost: seen || empty ? [] : [`${name || cell.className} at ${left} to ${right}`] };
    }),
  );
  return { names: cells.map(({ name }) => name), lost: cells.flatMap(({ lost }) => lost) };
}

test("on a phone nothing of a row is lost, and the order can be chosen", async () => {
  const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const { token } = await stage.person({ username: "runner" });
  await using agent = await openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name: "walked" });
  await fetch(`http://walked.localhost:${stage.port}/a/rather/long/path/that/does/not/fit?${"x".repeat(80)}`);
  await using tab = await adminTab("accounts", "phone");
  const { page } = tab;
  // They name themselves, and there are none where there is nothing to do.
  const buttons = "";
  for (const [path, names] of [
    ["accounts", ["Username", "State", "Organization", "Last used", "Created"]],
    [
      "applications",
      ["Application", "Subdomain", "Agents", "Visitors", "Organization", "Requests", "Traffic", "Created"],
    ],
    ["organizations", ["Name", "Visitor policy", "2FA", "Members", "Applications", "Created"]],
    ["audit?actor=user-4", ["Time", "What happened", "Outcome", "Who", "Where", "From"]],
    ["tunnels", ["Tunnel", "State", "Leads to", "Round trip", "Requests", "Out / in", "Opened", buttons]],
    ["keys", ["Key", "May", "For", "Last used", "Created", "Expires", buttons]],
    ["me/sessions", ["Device", "Last seen", "Logged in", "Ends", buttons]],
    ["whitelists", ["Address or range", "Description", "Added", buttons]],
    ["requests", ["Time", "Status", "Method", "Path", "Duration", "Size", "Tunnel", "Visitor"]],
    ["whitelists/organizations", ["Belongs to", "Address or range", "Description", "Added"]],
  ] as const) {
    await page.goto(`${stage.origin}/dashboard/${path}`);
    // Not one of the skeleton.
    const row = page.locator("tr:has(td[data-label])").first();
    await row.waitFor();
    expect({ path, ...(await cellsOf(row)) }).toEqual({ path, names: [...names], lost: [] });
    await page.getByRole("combobox", { name: "Order" }).waitFor();
  }
  await tab.check();
  await agent.stop(0);
  await service.stop(true);
  await page.goto(`${stage.origin}/dashboard/accounts`);
  await page.getByRole("combobox", { name: "Order" }).selectOption("Username, ascending");
  await page.waitForURL("**sort=username*");
  await page.locator("tbody").getByRole("link", { name: "admin" }).waitFor();
});
