// Faster than the page answers, or slower, or without an answer: what is typed stays, and Enter means what was typed.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { forgiveFromNow, startBrowser, type Browser } from "./browser.ts";
import { goodPassword, openAdminTab, startStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

const adminTab = (path: string) => openAdminTab(stage, browser, path);

test("a pause after a space takes nothing out of a search; back and forward bring its words again", async () => {
  await using tab = await adminTab("requests");
  const { page } = tab;
  const box = page.getByRole("searchbox");
  await box.focus();
  await page.keyboard.type("method:get ");
  await page.waitForURL((url) => url.searchParams.get("q") === "method:get");
  await page.keyboard.type("NOT path:/health");
  await page.waitForURL((url) => url.searchParams.get("q") === "method:get NOT path:/health");
  expect(await box.inputValue()).toBe("method:get NOT path:/health");

  await page.getByLabel("Status", { exact: true }).selectOption("5xx");
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await eventually(async () => (await box.inputValue()) === "", "the search is empty");
  await page.goBack();
  await eventually(async () => (await box.inputValue()) === "method:get NOT path:/health", "it is back");
});

test("Enter takes what is found by all that was typed, however late the answer comes", async () => {
  const admin = await stage.admin();
  for (const name of ["Acme", "Beta", "Bravo"]) await stage.call(admin, "POST", "/admin/organizations", { name });
  await using tab = await adminTab("tunnels");
  const { page } = tab;
  const box = page.getByRole("combobox", { name: "Organization" });
  await box.click();
  await page.getByRole("option", { name: "Beta" }).waitFor();
  const first = page.waitForResponse((answer) => answer.url().includes("q=b&"));
  await page.keyboard.type("b");
  await first;
  await page.locator("[role=option][data-active]").waitFor();
  const held = Promise.withResolvers<void>();
  await page.route("**/admin/organizations?*q=bravo*", async (route) => {
    await held.promise;
    await route.continue();
  });
  const asked = page.waitForRequest("**/admin/organizations?*q=bravo*");
  await page.keyboard.type("ravo");
  await page.keyboard.press("Enter");
  await asked;
  held.resolve();
  await page.waitForURL("**org=*");
  expect(await box.inputValue()).toBe("Bravo");
});

test("a connection that breaks between the log-in and the page is told, and the next try leads on", async () => {
  await stage.person({ username: "olga" });
  await using tab = await browser.open();
  forgiveFromNow(tab, "net::ERR_");
  const { page } = tab;
  await page.goto(`${stage.origin}/login`);
  await page.getByLabel("Username").fill("olga");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Password").fill(goodPassword);
  await page.route("**/auth/me", (route) => route.abort());
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("The server could not be reached").waitFor();
  await page.unroute("**/auth/me");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/dashboard/overview");
});
