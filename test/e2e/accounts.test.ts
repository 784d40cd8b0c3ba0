// Accounts, the own account and the keyboard, in a real browser against the real server.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Browser, keepSecret, readSecret, startBrowser } from "./browser.ts";
import { codeOf, goodPassword, openAdminTab, startStage, type Stage } from "./stage.ts";

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

/** The status of the admin's log-in with the password and a recovery code. */
async function recover(code: string): Promise<number> {
  const headers = { "content-type": "application/json", origin: stage.origin };
  const post = (path: string, body: object) =>
    fetch(stage.origin + path, { method: "POST", headers, body: JSON.stringify(body) });
  const begun = await post("/auth/login", { username: "admin", password: goodPassword });
  const { pendingToken } = (await begun.json()) as { pendingToken: string };
  return (await post("/auth/totp/verify", { pendingToken, code })).status;
}

describe("accounts", () => {
  test("create: the token is shown once, masked; rename to a taken name is refused at the field; delete asks for the name", async () => {
    await using tab = await adminTab("accounts");
    const { page } = tab;
    await page.getByRole("button", { name: "New account" }).first().click();
    await tab.check();
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("Choose a username.").waitFor();
    await page.getByLabel("Username").fill("runner");
    await page.getByLabel("E-mail").fill("not an address");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.locator(".field-error").getByText("one plain address").waitFor();
    await page.getByLabel("E-mail").fill("Runner@example.com");
    await page.getByRole("button", { name: "Create account" }).click();
    const secret = page.locator("[data-secret]");
    expect(await secret.textContent()).toBe(`dlt_${"•".repeat(20)}`);
    await page.getByRole("button", { name: "Show the API token" }).click();
    expect(await secret.textContent()).toMatch(/^dlt_[A-Za-z0-9_-]{40,}$/);
    await tab.check();
    // A browser lets a page refuse the first of them, not the third.
    for (let times = 0; times < 4; times++) {
      await page.keyboard.press("Escape");
      expect(await secret.isVisible()).toBe(true);
    }
    await keepSecret(page);

    await page.getByRole("link", { name: "runner" }).click();
    await page.getByRole("heading", { name: "runner", level: 1 }).waitFor();
    await page.getByLabel("Username", { exact: true }).fill("Admin");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.locator(".field-error").getByText("taken").waitFor();
    await tab.check();

    const email = page.getByLabel("E-mail");
    expect(await email.inputValue()).toBe("runner@example.com");
    await email.fill("");
    await page.getByRole("button", { name: "Set e-mail" }).click();
    await page.getByRole("dialog").getByText("logged out everywhere").waitFor();
    await page.getByRole("button", { name: "Remove the e-mail" }).click();
    await page.getByText("The e-mail was removed.").waitFor();

    await page.getByRole("button", { name: "Delete…" }).click();
    const erase = page.getByRole("button", { name: "Delete for good", exact: true });
    expect(await erase.isDisabled()).toBe(true);
    await page.getByLabel('Type "runner" to confirm').fill("runner");
    await tab.check();
    await erase.click();
    await page.getByText("runner was deleted.").waitFor();
    await page.waitForURL("**/dashboard/accounts");
    await tab.check();
  });

  test("search, sort and the page are in the address; back, forward and reload keep them", async () => {
    for (const name of ["ada", "adam", "bob"]) await stage.person({ username: name });
    await using tab = await adminTab("accounts");
    const { page } = tab;
    await page.getByRole("button", { name: "Username" }).click();
    await page.waitForURL("**sort=username");
    await page.keyboard.press("/");
    await page.keyboard.type("ada");
    await page.waitForURL("**q=ada*");
    await page.getByRole("link", { name: "bob" }).waitFor({ state: "detached" });
    await page.reload();
    expect(await page.getByRole("searchbox").inputValue()).toBe("ada");
    await page.getByRole("link", { name: "adam" }).click();
    await page.getByRole("heading", { name: "adam", level: 1 }).waitFor();
    await page.goBack();
    await page.getByRole("link", { name: "ada", exact: true }).waitFor();
    await page.goForward();
    await page.getByRole("heading", { name: "adam", level: 1 }).waitFor();
    await page.goto(`${stage.origin}/dashboard/accounts?q=nobody-has-this`);
    await page.getByText("Nothing matches").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByRole("link", { name: "bob" }).waitFor();
  });

  test("a long list comes in pages: next, back, reload, first", async () => {
    const admin = await stage.admin();
    for (let number = 10; number < 65; number++) {
      await stage.call(admin, "POST", "/admin/accounts", { username: `worker-${number}` });
    }
    await using tab = await adminTab("accounts?sort=username&q=worker");
    const { page } = tab;
    await page.getByText("50 on this page").waitFor();
    await page.getByRole("button", { name: "Next page" }).click();
    await page.getByText("5 on this page, the last one").waitFor();
    await page.getByRole("link", { name: "worker-64" }).waitFor();
    await tab.check();
    await page.reload();
    await page.getByText("5 on this page, the last one").waitFor();
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByRole("link", { name: "worker-10" }).waitFor();
    await page.goBack();
    await page.getByRole("link", { name: "worker-64" }).waitFor();
  });
});

describe("own account", () => {
  test("password, new authenticator, recovery codes, sessions", async () => {
    const admin = await stage.admin();
    await using tab = await adminTab("me");
    const { page } = tab;
    await page.getByLabel("Current password").fill("not the password");
    await page.getByLabel("New password", { exact: true }).fill("another-quiet-river-43");
    await page.getByLabel("New password, once more").fill("another-quiet-river-43");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("password is wrong").waitFor();
    await tab.check();
    await tab.shot("me");

    await page.getByRole("button", { name: "Change the authenticator…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Current password").fill(goodPassword);
    await dialog.getByRole("button", { name: "Continue" }).click();
    await dialog.getByRole("img", { name: "QR code" }).waitFor();
    await tab.check();
    const seed = await readSecret(page, "secret");
    await dialog.getByLabel("First code").fill(codeOf(seed));
    await dialog.getByRole("button", { name: "Turn on" }).click();
    await dialog.getByText("Save the recovery codes now").waitFor();
    const readCodes = async () => {
      await dialog.getByRole("button", { name: "Show", exact: true }).click();
      return dialog.locator(".codes li").allTextContents();
    };
    const [oldCode = ""] = await readCodes();
    await keepSecret(page);
    admin.seed = seed;
    // A new second factor ends every session and starts a new one here.
    await page.getByText("Two-factor authentication").first().waitFor();
    admin.cookie = (await tab.context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");

    await page.getByRole("button", { name: "New recovery codes…" }).click();
    await dialog.getByLabel("Code from your authenticator").fill("000000");
    await dialog.getByRole("button", { name: "Make new codes" }).click();
    await dialog.locator(".field-error").getByText("The code is wrong").waitFor();
    await dialog.getByLabel("Code from your authenticator").fill(codeOf(seed, 1));
    await dialog.getByRole("button", { name: "Make new codes" }).click();
    await dialog.getByText("Save the recovery codes now").waitFor();
    await tab.looks("dialog-me-codes-made", true);
    const codes = await readCodes();
    expect(new Set([...codes, oldCode]).size).toBe(11);
    await keepSecret(page);
    await page.getByText("The new codes are in force; the old ones have stopped.").waitFor();
    expect(await page.textContent("body")).not.toContain(codes[0]!);
    expect([await recover(oldCode), await recover(codes[0]!)]).toEqual([401, 200]);

    // The refused password still stands in its form.
    await page.getByRole("link", { name: "Sessions" }).click();
    await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Leave" }).click();
    await page.getByText("This one").waitFor();
    await tab.check();
    await tab.shot("me-sessions");
  });

  test("appearance: light, dark and four accents pass the contrast check, and stay after a reload", async () => {
    const admin = await stage.person({ username: "painter" });
    await using tab = await browser.open();
    await stage.enter(tab.context, admin);
    const { page } = tab;
    await page.goto(`${stage.origin}/dashboard/me/appearance`);
    for (const scheme of ["Light", "Dark"]) {
      await page.getByText(scheme, { exact: true }).click();
      for (const accent of ["Iris", "Lagoon", "Ember", "Orchid"]) {
        await page.getByRole("button", { name: accent }).click();
        await tab.check();
      }
    }
    await page.reload();
    await page.getByRole("button", { name: "Orchid", pressed: true }).waitFor();
    expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
  });
});

describe("keyboard", () => {
  test("? lists the shortcuts, Esc closes and gives the focus back, g goes", async () => {
    await using tab = await adminTab("accounts");
    const { page } = tab;
    await page.getByRole("heading", { name: "Accounts" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await tab.check();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await page.waitForURL("**/dashboard/me");
  });

  test("the menu of the account: arrows move, Esc closes", async () => {
    await using tab = await adminTab("me");
    const { page } = tab;
    const trigger = page.getByRole("button", { name: /Account:/ });
    await trigger.focus();
    await page.keyboard.press("Enter");
    await page.locator("[role=menuitem]:focus").getByText("My account").waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator("[role=menuitem]:focus").getByText("Appearance").waitFor();
    await tab.check();
    await page.keyboard.press("Escape");
    expect(await page.evaluate("document.activeElement.className")).toBe("who");
  });
});
