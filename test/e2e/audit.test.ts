// The audit log in a real browser: every filter, NOT, pages, details, the tail, and the export as files.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { pick, startBrowser, type Browser, type Tab } from "./browser.ts";
import { goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let boss: Person;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  orgId = (await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" })).organization.id;
  await create("/admin/applications", { orgId, subdomain: "shop", name: "Shop" });
  await create("/admin/organizations", { name: "Other Corp" });
  boss = await stage.person({ username: "boss", orgId, isOrgAdmin: true });
  await stage.call(boss, "POST", "/org/api-keys", { description: `=cmd|' /C calc'!A1 ${"long ".repeat(30)}` });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function tabOf(person: Person, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.getByRole("table", { name: "Audit events" }).waitFor();
  return tab;
}

const actions = (page: Page) => page.locator("tbody .req-open").allTextContents();

describe("audit log", () => {
  test("filters narrow, NOT leaves out, the address keeps them over reload and back", async () => {
    await using tab = await tabOf(await stage.admin(), "audit");
    const { page } = tab;
    const narrows = (holds: (action: string) => boolean, what: string) =>
      eventually(async () => {
        const shown = await actions(page);
        return shown.length > 0 && shown.every(holds);
      }, what);
    await page.keyboard.press("/");
    await page.keyboard.type("application");
    await narrows((action) => action.startsWith("application."), "only applications");
    await page.getByRole("searchbox", { name: "Action" }).fill("NOT application");
    await narrows((action) => !action.startsWith("application."), "everything else");
    expect(page.url()).toContain("action=NOT");
    await page.reload();
    await narrows((action) => !action.startsWith("application."), "a reload keeps it");
    await tab.check();
    await page.getByRole("searchbox", { name: "Action" }).fill("");
    await pick(page, "Actor", "bos", "boss");
    await page.waitForURL("**actor=acc_*");
    await page.getByRole("button", { name: "api_key.created" }).waitFor();
    await narrows((action) => !action.startsWith("organization."), "only the boss");
    await page.getByRole("combobox", { name: "Outcome" }).selectOption("failure");
    await page.getByText("Nothing matches").waitFor();
    await page.goBack();
    await page.getByRole("button", { name: "api_key.created" }).waitFor();
    await pick(page, "Organization", "acme", "Acme");
    await page.waitForURL("**org=org_*");
    await page.getByRole("button", { name: "api_key.created" }).waitFor();
    await page.getByRole("button", { name: "NOT this organization" }).click();
    await page.waitForURL("**org=%21org_*");
    await page.reload();
    await eventually(
      async () => (await page.getByRole("combobox", { name: "Organization" }).inputValue()) === "Acme",
      "the address keeps which one it is",
    );
    expect(await page.getByRole("button", { name: "NOT this organization" }).getAttribute("aria-pressed")).toBe("true");
    expect(await page.getByRole("button", { name: "api_key.created" }).count()).toBe(0);
    await tab.check();
    await page.getByLabel("Until").fill("2020-01-01T00:00");
    await page.getByText("Nothing matches").waitFor();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByRole("button", { name: "organization.created" }).first().waitFor();
    await tab.check();
  });

  test("an application (or all but that one) and a time narrow as well, and stay in the address", async () => {
    await using tab = await tabOf(await stage.admin(), "audit");
    const { page } = tab;
    await pick(page, "Application", "sho", "shop");
    await page.waitForURL("**app=*");
    await eventually(async () => (await actions(page)).join() === "application.created", "only what happened to it");
    await page.getByLabel("From", { exact: true }).fill("2020-01-01T00:00");
    await page.waitForURL("**from=*");
    await page.reload();
    expect(await page.getByLabel("From").inputValue()).toBe("2020-01-01T00:00");
    await page.getByRole("button", { name: "application.created" }).waitFor();
    await page.getByLabel("From").fill("2099-01-01T00:00");
    await page.getByText("Nothing matches").waitFor();
    await page.goBack();
    await eventually(async () => (await actions(page)).join() === "application.created", "back to what was there");
    await page.getByRole("button", { name: "NOT this application" }).click();
    await page.waitForURL("**app=%21app_*");
    await page.getByRole("button", { name: "organization.created" }).first().waitFor();
    await page.reload();
    await page.getByRole("button", { name: "NOT this application", pressed: true }).waitFor();
    await page.getByRole("button", { name: "organization.created" }).first().waitFor();
    expect(await actions(page)).not.toContain("application.created");
    await tab.check();
  });

  test("a part of the log without a match is no end: the page offers to look further", async () => {
    await using tab = await tabOf(await stage.admin(), "audit");
    const { page } = tab;
    // What the server answers when it has looked through as many rows as one call may cost.
    await page.route("**/admin/audit?*action=organization*", async (route) => {
      const url = new URL(route.request().url());
      if (url.searchParams.has("cursor")) return route.continue();
      const first = await route.fetch({ url: `${stage.origin}/admin/audit?limit=1` });
      const { nextCursor } = (await first.json()) as { nextCursor: string };
      return route.fulfill({ json: { events: [], nextCursor } });
    });
    await page.getByRole("searchbox", { name: "Action" }).fill("organization");
    await page.getByText("Nothing found so far").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Look further" }).click();
    await page.getByRole("button", { name: "organization.created" }).first().waitFor();
  });

  test("details have everything, whole; the tail brings what happens now", async () => {
    await using tab = await tabOf(await stage.admin(), "audit?action=api_key");
    const { page } = tab;
    await page.getByRole("button", { name: "api_key.created" }).click();
    const details = page.getByRole("dialog", { name: "api_key.created" });
    await details.getByText("long long long").waitFor();
    await tab.check();
    await page.keyboard.press("Escape");
    const before = (await actions(page)).length;
    await stage.call(boss, "POST", "/org/api-keys", { description: "another" });
    await page.getByRole("switch", { name: "Follow" }).check();
    await eventually(async () => (await actions(page)).length === before + 1, "the new entry is there");
    await tab.check();
  });
});

describe("export", () => {
  async function exported(page: Page, item: string): Promise<{ name: string; text: string }> {
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: item }).click();
    const download = await downloading;
    return { name: download.suggestedFilename(), text: await Bun.file(await download.path()).text() };
  }

  test("as CSV and JSON lines, with the filters on screen; the export itself is recorded", async () => {
    await using tab = await tabOf(await stage.admin(), "audit?action=NOT%20account&outcome=success");
    const { page } = tab;
    const csv = await exported(page, "As CSV, with these filters");
    expect(csv.name).toBe("audit.csv");
    expect(csv.text).toContain("application.created");
    expect(csv.text).not.toContain("account.created");
    const jsonl = await exported(page, "As JSON lines, with these filters");
    expect(jsonl.name).toBe("audit.jsonl");
    const rows = jsonl.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { action: string; success: unknown });
    expect(rows.length).toBeGreaterThan(3);
    expect(rows.filter(({ action }) => action.startsWith("account."))).toEqual([]);
    await page.goto(`${stage.origin}/dashboard/audit?action=audit.exported`);
    // Events are stored a moment after they happen.
    await page.getByRole("switch", { name: "Follow" }).check();
    await eventually(async () => (await actions(page)).length === 2, "both exports are in the log");
    await tab.check();
  });

  test("an expired session asks to log in first, and then exports instead of showing an error page", async () => {
    await using tab = await tabOf(boss, "audit");
    const { page } = tab;
    await tab.context.clearCookies();
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: "As CSV, with these filters" }).click();
    const dialog = page.getByRole("dialog", { name: "Log in again" });
    await dialog.getByLabel("Password").fill(goodPassword);
    await dialog.getByRole("button", { name: "Log in" }).click();
    const text = await Bun.file(await (await downloading).path()).text();
    expect(text).toContain("api_key.created");
    expect(text).not.toContain("Other Corp");
    await page.getByRole("heading", { name: "Audit log", level: 1 }).waitFor();
    await tab.check();
  });

  test("security: an exported cell starts no formula, and an organization exports only its own", async () => {
    await using tab = await tabOf(boss, "audit");
    const csv = await exported(tab.page, "As CSV, with these filters");
    const cells = csv.text.split("\n").flatMap((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));
    expect(cells.filter((cell) => /^"?[=+@]/.test(cell))).toEqual([]);
    expect(csv.text).toContain("calc");
    expect(csv.text).not.toContain("Other Corp");
  });
});
