// Every way in: password, codes, recovery codes, enrolment on the way, lock-out, expiry.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { keepSecret, readSecret, startBrowser, type Browser } from "./browser.ts";
import { codeOf, goodPassword, startStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser[Symbol.asyncDispose]());

const overview = (page: Page) => page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();

async function enterPassword(page: Page, username: string, password = goodPassword): Promise<void> {
  await page.getByLabel("Username").fill(username);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

async function enterCode(page: Page, code: string): Promise<void> {
  await page.getByLabel("Code from your authenticator").fill(code);
  await page.getByRole("button", { name: "Verify" }).click();
}

async function enterRecoveryCode(page: Page, code: string): Promise<void> {
  await page.getByRole("button", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill(code);
  await page.getByRole("button", { name: "Verify" }).click();
}

describe("log-in", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
    await stage.admin();
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test("wrong password, wrong code, right code, the same code again, a recovery code once", async () => {
    const admin = await stage.admin();
    const seed = admin.seed ?? "";
    await using tab = await browser.open();
    const { page } = tab;
    await page.goto(`${stage.origin}/dashboard/audit?action=NOT+application`);
    await page.waitForURL("**/login?next=*");
    await tab.check();
    await tab.shot("login");
    await enterPassword(page, "ADMIN", "wrong password 1");
    await page.getByText("The username or password is wrong.").waitFor();
    await page.getByLabel("Password").fill(goodPassword);
    await page.getByRole("button", { name: "Log in" }).click();
    await enterCode(page, "000000");
    await page.getByText("The code is wrong").waitFor();
    await tab.check();
    await tab.shot("login-totp");
    const code = codeOf(seed);
    await enterCode(page, code);
    await page.waitForURL(`${stage.origin}/dashboard/audit?action=NOT+application`);

    await using other = await browser.open();
    await other.page.goto(`${stage.origin}/login`);
    await enterPassword(other.page, "admin");
    await enterCode(other.page, code);
    await other.page.getByText("used already").waitFor();
    await enterRecoveryCode(other.page, admin.recoveryCodes[0] ?? "");
    await overview(other.page);
    await other.check();
  });

  test("an expired session in the middle of a form: log in over the page, the form is kept and sent", async () => {
    await stage.person({ username: "before" });
    const admin = await stage.admin();
    await using tab = await browser.open();
    const { page, context } = tab;
    await stage.enter(context, admin);
    await page.goto(`${stage.origin}/dashboard/accounts`);
    await page.getByRole("link", { name: "before" }).click();
    await page.getByLabel("Username", { exact: true }).fill("after");
    await context.clearCookies();
    await page.getByRole("button", { name: "Rename" }).click();
    const dialog = page.getByRole("dialog", { name: "Log in again" });
    await dialog.waitFor();
    await tab.check();
    await tab.shot("log-in-again");
    await dialog.getByLabel("Password").fill(goodPassword);
    await dialog.getByRole("button", { name: "Log in" }).click();
    await dialog.getByRole("button", { name: "Use a recovery code" }).click();
    await dialog.getByLabel("Recovery code").fill(admin.recoveryCodes[1] ?? "");
    await dialog.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("heading", { name: "after", level: 1 }).waitFor();
    await tab.check();
  });

  test("the addresses outside of the dashboard lead on, logged in or not, by a link, after a reload, and back", async () => {
    const person = await stage.person({ username: "walker" });
    await using tab = await browser.open();
    const { page } = tab;
    /** As a link would: within the same document. */
    const follow = (path: string) =>
      page.evaluate(`(() => {
        const link = Object.assign(document.createElement("a"), { href: "${path}" });
        document.querySelector("main").append(link);
        link.click();
        link.remove();
      })()`);
    const at = async (path: string, heading: string) => {
      await page.waitForURL(stage.origin + path);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    };
    const logIn = ["/login", "Log in"] as const;
    const setUp = ["/setup", "This server is set up"] as const;
    const asked = ["/login?next=%2Fdashboard", "Log in"] as const;
    const home = ["/dashboard/overview", "Hello, walker"] as const;

    // What only leads on leaves nothing in the history: going back never meets it again.
    const walk = async (
      start: readonly [string, string],
      ways: [path: string, leadsTo: readonly [string, string]][],
    ) => {
      await page.goto(stage.origin + start[0]);
      for (const [path, leadsTo] of ways) {
        await at(...start);
        await follow(path);
        await at(...leadsTo);
        await page.reload();
        await at(...leadsTo);
        if (leadsTo[0] !== start[0]) await page.goBack();
      }
      await at(...start);
    };
    await walk(setUp, [
      ["/", logIn],
      ["/login", logIn],
      ["/setup", setUp],
      ["/dashboard", asked],
    ]);
    await page.getByRole("link", { name: "Log in" }).click();
    await at(...logIn);

    await stage.enter(tab.context, person);
    await walk(
      ["/dashboard/me", "My account"],
      [
        ["/", home],
        ["/login", home],
        ["/setup", setUp],
        ["/dashboard", home],
      ],
    );
    // Whoever is logged in comes from there to the dashboard.
    await page.goto(stage.origin + setUp[0]);
    await page.getByRole("link", { name: "Log in" }).click();
    await at(...home);
  });

  describe("security", () => {
    test("the session is where no script can read it: neither in a storage of the browser nor in a cookie for scripts", async () => {
      await stage.person({ username: "reader" });
      await using tab = await browser.open();
      const { page, context } = tab;
      await page.goto(`${stage.origin}/login`);
      await enterPassword(page, "reader");
      await page.waitForURL((url) => !url.pathname.startsWith("/login"));
      const [session, ...more] = await context.cookies();
      expect(session).toMatchObject({ name: "dl_session", httpOnly: true, sameSite: "Lax", domain: "localhost" });
      expect(more).toEqual([]);
      const readable = await page.evaluate<string>(
        "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])",
      );
      expect(readable).not.toContain(session!.value);
      expect(readable).not.toContain(session!.value.split(".").at(-1)!);
      expect(readable).not.toMatch(/dl[tk]_|eyJ/);
    });
  });

  describe("who must have a second factor and has none", () => {
    test("enrols on the way in, before anything else; wrong, replayed and used codes are told at the field", async () => {
      const admin = await stage.admin();
      const { organization } = await stage.call<{ organization: { id: string } }>(
        admin,
        "POST",
        "/admin/organizations",
        { name: "Acme" },
      );
      await stage.person({ username: "milo", orgId: organization.id });
      await stage.call(admin, "PUT", `/admin/organizations/${organization.id}`, { requireTotp: true });
      await using tab = await browser.open();
      const { page, context } = tab;
      await page.goto(`${stage.origin}/dashboard/applications`);
      await enterPassword(page, "milo");
      await page.getByText("needs two-factor authentication").waitFor();
      expect(await context.cookies()).toEqual([]);
      await tab.check();
      await tab.shot("login-enrol");
      const seed = await readSecret(page, "secret");
      const turnOn = page.getByRole("button", { name: "Turn on two-factor authentication" });
      await turnOn.click();
      await page.locator(".field-error").getByText("Enter the 6 digits").waitFor();
      await page.getByLabel("First code").fill("000000");
      await turnOn.click();
      await page.locator(".field-error").getByText("The code is wrong").waitFor();
      expect(await page.evaluate("document.activeElement.name")).toBe("code");
      await tab.check();
      const code = codeOf(seed);
      await page.getByLabel("First code").fill(code);
      await turnOn.click();
      await page.getByText("Save the recovery codes now").waitFor();
      await page.getByRole("button", { name: "Show", exact: true }).click();
      const [recovery = ""] = await page.locator(".codes li").allTextContents();
      await tab.check();
      await keepSecret(page);
      await page.getByRole("heading", { name: "Applications", level: 1 }).waitFor();

      await using other = await browser.open();
      await other.page.goto(`${stage.origin}/login`);
      await enterPassword(other.page, "milo");
      await enterCode(other.page, code);
      await other.page.locator(".field-error").getByText("used already").waitFor();
      await enterRecoveryCode(other.page, recovery);
      await overview(other.page);
      await other.context.clearCookies();
      await other.page.goto(`${stage.origin}/login`);
      await enterPassword(other.page, "milo");
      await enterRecoveryCode(other.page, recovery);
      await other.page.locator(".field-error").getByText("used already").waitFor();
      await other.check();
    });

    test("a new system admin as well, with a reload in the middle", async () => {
      const made = { username: "second", password: goodPassword, isAdmin: true };
      await stage.call(await stage.admin(), "POST", "/admin/accounts", made);
      await using tab = await browser.open("phone");
      const { page } = tab;
      await page.goto(`${stage.origin}/login`);
      await enterPassword(page, "second");
      await page.getByText("needs two-factor authentication").waitFor();
      await page.reload();
      await enterPassword(page, "second");
      await page.getByRole("img", { name: "QR code" }).waitFor();
      await tab.check();
      await tab.shot("login-enrol");
      await page.getByLabel("First code").fill(codeOf(await readSecret(page, "secret")));
      await page.getByRole("button", { name: "Turn on two-factor authentication" }).click();
      await keepSecret(page);
      await overview(page);
      await tab.check();
    });
  });

  test("too many wrong codes: says until when and what still works, and a recovery code does", async () => {
    const admin = await stage.admin();
    await using tab = await browser.open("phone");
    const { page } = tab;
    await page.goto(`${stage.origin}/login`);
    await enterPassword(page, "admin");
    const lockout = page.getByText("and so do recovery codes");
    for (let attempt = 0; attempt < 9 && !(await lockout.isVisible()); attempt++) {
      const answered = page.waitForResponse("**/auth/totp/verify");
      await enterCode(page, `00000${attempt}`);
      await answered;
      await page.getByRole("button", { name: "Verify", disabled: false }).waitFor();
    }
    await lockout.waitFor();
    await tab.check();
    await tab.shot("login-codes-locked");
    await enterRecoveryCode(page, admin.recoveryCodes[2] ?? "");
    await overview(page);
  });

  test("a lock-out says until when", async () => {
    await stage.person({ username: "locked" });
    await using tab = await browser.open("phone");
    const { page } = tab;
    await page.goto(`${stage.origin}/login`);
    await enterPassword(page, "locked", "wrong password 0");
    const lockout = page.getByText("Too many failed attempts", { exact: true });
    for (let attempt = 1; attempt < 30 && !(await lockout.isVisible()); attempt++) {
      const answered = page.waitForResponse("**/auth/login");
      await page.getByLabel("Password").fill(`wrong password ${attempt}`);
      await page.getByRole("button", { name: "Log in" }).click();
      await answered;
      await page.getByRole("button", { name: "Log in", disabled: false }).waitFor();
    }
    await lockout.waitFor();
    await page.getByText("Try again in").getByRole("timer").waitFor();
    await tab.check();
    await tab.shot("login-locked");
  });
});
