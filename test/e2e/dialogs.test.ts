// Every dialog with real data, light, dark and on a phone: no accessibility violation, no overflow, Esc closes.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { startBrowser, type Browser, type Look } from "./browser.ts";
import { startStage, type Stage } from "./stage.ts";

setDefaultTimeout(120_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let appId: string;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" });
  orgId = organization.id;
  const { application } = await create<{ application: { id: string } }>("/admin/applications", {
    orgId,
    subdomain: "shop",
    name: "Shop",
  });
  appId = application.id;
  await create("/admin/api-keys", { orgId, description: "CI" });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

const click = (name: string) => (page: Page) => page.getByRole("button", { name, exact: true }).first().click();
const dialogs = (): [name: string, path: string, open: (page: Page) => Promise<unknown>][] => [
  ["organization-new", "organizations", click("New organization")],
  ["organization-delete", `organizations/${orgId}/settings`, click("Delete…")],
  ["application-new", "applications", click("New application")],
  ["application-delete", `applications/${appId}/settings`, click("Delete…")],
  ["account-new", "accounts", click("New account")],
  ["member-new", `organizations/${orgId}/members`, click("New member")],
  ["key-new", "keys", click("New key")],
  ["key-revoke", "keys", click("Revoke CI")],
  ["range-new", "whitelists", click("Add a range")],
  ["audit-details", "audit", (page) => page.getByRole("button", { name: "application.created" }).first().click()],
  ["me-authenticator", "me", click("Change the authenticator…")],
  ["me-codes", "me", click("New recovery codes…")],
  ["me-everywhere", "me/sessions", click("Sign out everywhere…")],
  ["shortcuts", "me", (page) => page.keyboard.press("?")],
];

describe.each(["light", "dark", "phone"] as Look[])("dialogs, %s", (look) => {
  test("open, pass, close by Esc", async () => {
    await using tab = await browser.open(look);
    const { page } = tab;
    await stage.enter(tab.context, await stage.admin());
    for (const [name, path, open] of dialogs()) {
      await page.goto(`${stage.origin}/dashboard/${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await open(page);
      await page.getByRole("dialog").waitFor();
      await tab.shot(`dialog-${name}`);
      await tab.check();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect(tab.problems, name).toEqual([]);
    }
  });
});
