// Who presses Esc, or beside a dialog, or who types on, while the server takes its time loses nothing: not what it makes or refuses, nor what was typed.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { forgiveFromNow, keepSecret, readSecret, startBrowser, type Browser } from "./browser.ts";
import { codeOf, goodPassword, startStage, type Stage } from "./stage.ts";

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

/** Holds the next change that is sent there; `asked` once it has been, and let pass, or broken, by `end`. */
async function hold(
  page: Page,
  call: string,
): Promise<{ asked: Promise<void>; end(how: "pass" | "fail"): Promise<void> }> {
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<"pass" | "fail">();
  const passed = Promise.withResolvers<void>();
  await page.route(`**${call}`, async (route) => {
    if (route.request().method() === "GET") return route.continue();
    asked.resolve();
    await ((await held.promise) === "pass" ? route.continue() : route.abort());
    passed.resolve();
  });
  return {
    asked: asked.promise,
    async end(how) {
      held.resolve(how);
      await passed.promise;
      await page.unroute(`**${call}`);
    },
  };
}

/** Presses a button of a dialog, and all that closes one while the server takes its time; then lets the call pass, or fail. */
async function impatient(page: Page, call: string, button: string, end: "pass" | "fail"): Promise<void> {
  const held = await hold(page, call);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: button }).click();
  await held.asked;
  for (let i = 0; i < 3; i++) await page.keyboard.press("Escape");
  await page.mouse.click(5, 5);
  for (const way of ["Cancel", "Close"])
    expect(await dialog.getByRole("button", { name: way, exact: true, disabled: false }).count(), way).toBe(0);
  await held.end(end);
  if (end === "fail") await dialog.getByText("The server could not be reached.").waitFor();
}

/** What it made is there, and goes once it is saved. */
async function isMade(page: Page, made: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByText(`Save the ${made} now`).waitFor();
  await keepSecret(page);
  await dialog.waitFor({ state: "detached" });
}

test("what is shown once is not missed by who closes the form while the server makes it", async () => {
  const { organization } = await stage.call<{ organization: { id: string } }>(
    await stage.admin(),
    "POST",
    "/admin/organizations",
    { name: "Acme" },
  );
  const nora = await stage.person({ username: "nora", orgId: organization.id, isOrgAdmin: true });
  await using tab = await browser.open();
  const { page } = tab;
  await stage.enter(tab.context, nora);
  await page.goto(`${stage.origin}/dashboard/keys`);
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByLabel("Description").fill("slow");
  await impatient(page, "/org/api-keys", "Create key", "pass");
  await isMade(page, "API key");

  await page.goto(`${stage.origin}/dashboard/me`);
  await page.getByRole("button", { name: "Turn on…" }).click();
  await page.getByRole("dialog").getByLabel("Current password").fill(goodPassword);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("First code").fill(codeOf(await readSecret(page, "secret")));
  await impatient(page, "/totp/setup", "Turn on two-factor authentication", "pass");
  await isMade(page, "recovery codes");
});

test("a refusal is not missed by who closes the question or form meanwhile; then it closes, or does it after all", async () => {
  const admin = await stage.admin();
  await stage.call(admin, "POST", "/admin/whitelist", { ipRange: "203.0.113.0/24", description: "Office" });
  await using tab = await browser.open();
  const { page } = tab;
  forgiveFromNow(tab, "net::ERR_FAILED");
  await stage.enter(tab.context, admin);
  await page.goto(`${stage.origin}/dashboard/whitelists`);
  const dialog = page.getByRole("dialog");
  const removal = page.getByRole("button", { name: "Remove 203.0.113.0/24" });
  await removal.click();
  await impatient(page, "/admin/whitelist/*", "Remove", "fail");
  await tab.check();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await removal.click();
  await impatient(page, "/admin/whitelist/*", "Remove", "pass");
  await removal.waitFor({ state: "detached" });
  await dialog.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Add a range" }).first().click();
  await dialog.getByLabel("Address or range").fill("198.51.100.0/24");
  await impatient(page, "/admin/whitelist", "Add", "fail");
  await tab.check();
  await dialog.getByRole("button", { name: "Add" }).click();
  await page.getByRole("button", { name: "Remove 198.51.100.0/24" }).waitFor();
  await dialog.waitFor({ state: "detached" });
});

test("what is typed on while a form is being sent stays, and is not saved yet", async () => {
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name: "First" });
  const path = `/admin/organizations/${organization.id}`;
  await using tab = await browser.open();
  const { page } = tab;
  await stage.enter(tab.context, admin);
  await page.goto(`${stage.origin}/dashboard/organizations/${organization.id}/settings`);
  const name = page.getByLabel("Name", { exact: true });
  const save = page.getByRole("button", { name: "Save", exact: true });
  await name.fill("Second");
  const renaming = await hold(page, path);
  await save.click();
  await renaming.asked;
  await name.fill("Third");
  await renaming.end("pass");
  await page.getByRole("heading", { name: "Second", level: 1 }).waitFor();
  expect(await name.inputValue()).toBe("Third");
  await save.click();
  await page.getByRole("heading", { name: "Third", level: 1 }).waitFor();

  await page.goto(`${stage.origin}/dashboard/organizations/${organization.id}/limits`);
  const attempts = page.getByLabel("Failures");
  await attempts.fill("11");
  const limiting = await hold(page, `${path}/rate-limit`);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await limiting.asked;
  await attempts.fill("12");
  await limiting.end("pass");
  await page.getByText("In force now: 11 failures").waitFor();
  expect(await attempts.inputValue()).toBe("12");
});
