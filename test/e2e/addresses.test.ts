// What addresses mean: where Back leads, links from elsewhere, moments in another time zone, names below the base domain.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { startLiveStage, type LiveStage } from "./live-stage.ts";

setDefaultTimeout(60_000);
let live: LiveStage;
beforeAll(async () => {
  live = await startLiveStage();
});
afterAll(async () => live[Symbol.asyncDispose]());

const backOf = (page: Page) => page.getByRole("button", { name: "Back", exact: true });

test("Back leads to the page of the list before, also after a look at a request, and is no button where it would lead away", async () => {
  await using _agent = await live.open("pages");
  for (let n = 0; n < 60; n++) await live.visit("pages", `/${n}`);
  await using tab = await live.adminTab("requests");
  const { page } = tab;
  await page.getByRole("button", { name: "Next page" }).click();
  await page.waitForURL("**cursor=*");
  const second = page.url();
  await page.getByRole("button", { name: "/9", exact: true }).click();
  await page.waitForURL("**id=*");
  await page.reload();
  await page.getByRole("dialog", { name: "Request" }).waitFor();
  // Whoever is impatient stays on the page all the same.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.waitForURL(second);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await backOf(page).click();
  await page.waitForURL((url) => !url.searchParams.has("cursor"));
  expect(await page.getByRole("dialog").count()).toBe(0);
  await page.getByRole("button", { name: "/59", exact: true }).waitFor();

  const other = await tab.context.newPage();
  await other.goto(second);
  await other.getByRole("button", { name: "First page" }).waitFor();
  expect(await backOf(other).count()).toBe(0);
  await other.getByRole("button", { name: "First page" }).click();
  await other.getByRole("button", { name: "/59", exact: true }).waitFor();
});

test("the audit log's period is the same moment in every time zone, and one that is none breaks no page", async () => {
  await using tab = await live.adminTab("audit");
  const { page } = tab;
  const debug = await tab.context.newCDPSession(page);
  await debug.send("Emulation.setTimezoneOverride", { timezoneId: "Asia/Tokyo" });
  await page.getByLabel("From", { exact: true }).fill("2020-01-01T09:00");
  await page.waitForURL((url) => url.searchParams.get("from") === "2020-01-01T00:00:00.000Z");
  await debug.send("Emulation.setTimezoneOverride", { timezoneId: "America/New_York" });
  await page.reload();
  await eventually(
    async () => (await page.getByLabel("From", { exact: true }).inputValue()) === "2019-12-31T19:00",
    "the same moment by another clock",
  );
  await page.goto(`${live.stage.origin}/dashboard/audit?from=yesterday`);
  await page.locator("tbody .req-open").first().waitFor();
  await tab.check();
});

test("a name is shown below the domain that it will have, wherever the dashboard is", async () => {
  await using tab = await live.tabOf(live.boss, "overview");
  const { page } = tab;
  await page.route("**/auth/me", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as Record<string, unknown>;
    await route.fulfill({ response: answer, json: { ...body, serverUrl: "https://tunnels.example:8443" } });
  });
  await page.goto(`${live.stage.origin}/dashboard/applications`);
  await page.getByRole("button", { name: "New application" }).click();
  await page.getByLabel("Name", { exact: true }).fill(`${"long ".repeat(12)}na me`);
  await page.getByText(".tunnels.example", { exact: true }).waitFor();
  // 63 characters at most, and no "-" at its edge.
  expect(await page.getByLabel("Subdomain").inputValue()).toBe(`${"long-".repeat(12)}na`);
});

test("an order or page in the address that a list does not have is dropped; a filter that it does not know can be taken off", async () => {
  await using tab = await live.adminTab("accounts?sort=nonsense&cursor=nothing");
  const { page } = tab;
  const rows = page.getByRole("link", { name: "boss", exact: true });
  // What is refused for a moment only is not told as a failure.
  await page.evaluate(`globalThis.alerts = 0;
    new MutationObserver(() => (alerts += document.querySelectorAll("[role=alert]").length)).observe(document, { childList: true, subtree: true })`);
  await rows.waitFor();
  expect(new URL(page.url()).search).toBe("");
  expect(await page.evaluate("globalThis.alerts")).toBe(0);
  await page.goto(`${live.stage.origin}/dashboard/audit?action=account&cursor=nothing`);
  await page.getByRole("button", { name: "account.created" }).first().waitFor();
  expect(new URL(page.url()).search).toBe("?action=account");

  await page.goto(`${live.stage.origin}/dashboard/accounts?active=perhaps`);
  await page.getByText("This could not be loaded").waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await rows.waitFor();
});
