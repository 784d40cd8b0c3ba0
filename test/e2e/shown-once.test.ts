// What the server makes is shown once, and by nothing that somebody does meanwhile is it missed.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { keepSecret, readSecret, startBrowser, type Browser } from "./browser.ts";
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

/** Presses what makes the secret, and Esc and Cancel while the server takes its time. */
async function impatient(page: Page, call: string, button: string, made: string): Promise<void> {
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  await page.route(`**${call}`, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    asked.resolve();
    await held.promise;
    await route.continue();
  });
  await page.getByRole("button", { name: button }).click();
  await asked.promise;
  for (let i = 0; i < 3; i++) await page.keyboard.press("Escape");
  const dialog = page.getByRole("dialog");
  for (const way of ["Cancel", "Close"])
    expect(await dialog.getByRole("button", { name: way, exact: true, disabled: false }).count(), way).toBe(0);
  held.resolve();
  await dialog.getByText(`Save the ${made} now`).waitFor();
  await page.unroute(`**${call}`);
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
  await impatient(page, "/org/api-keys", "Create key", "API key");

  await page.goto(`${stage.origin}/dashboard/me`);
  await page.getByRole("button", { name: "Turn on…" }).click();
  await page.getByRole("dialog").getByLabel("Current password").fill(goodPassword);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("First code").fill(codeOf(await readSecret(page, "secret")));
  await impatient(page, "/totp/setup", "Turn on two-factor authentication", "recovery codes");
});
