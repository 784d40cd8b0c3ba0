// Sessions that end while somebody works: nothing typed is lost, nobody sees another's data, and all tabs agree.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { answered, type Browser, keepSecret, readSecret, startBrowser, type Tab } from "./browser.ts";
import { codeOf, goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let appId: string;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  orgId = (await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" })).organization.id;
  const made = { orgId, subdomain: "shop", name: "Shop" };
  appId = (await create<{ application: { id: string } }>("/admin/applications", made)).application.id;
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function tabOf(person: Person, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

const boss = (username: string) => stage.person({ username, orgId, isOrgAdmin: true });
const dialogOf = (page: Page) => page.getByRole("dialog", { name: "Log in again" });

/** Ends the tab's session as another tab does: its event stream ends at once, so that nothing is fetched by itself any more. */
async function logOutElsewhere(tab: Tab): Promise<void> {
  const headers = { origin: stage.origin };
  const answer = await tab.context.request.post(`${stage.origin}/auth/logout-all`, { data: {}, headers });
  expect(answer.status()).toBe(200);
}

async function logInAgain(page: Page): Promise<void> {
  await dialogOf(page).getByLabel("Password").fill(goodPassword);
  await dialogOf(page).getByRole("button", { name: "Log in", exact: true }).click();
  await dialogOf(page).waitFor({ state: "detached" });
}

describe("a session that ends in the middle of a form", () => {
  test("on a live page: the page says so and stays, the form is kept and sent, and the page is live again", async () => {
    const person = await boss("olga");
    await using tab = await tabOf(person, `applications/${appId}/settings`);
    const { page } = tab;
    await page.getByText("Live", { exact: true }).last().waitFor();
    await page.getByLabel("Name", { exact: true }).fill("Web Shop");
    await stage.call(person, "POST", "/auth/logout-all", {});
    await page.getByText("Logged out", { exact: true }).waitFor();
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Web Shop");
    await tab.check();
    await page.getByRole("button", { name: "Save" }).click();
    await logInAgain(page);
    await page.getByRole("heading", { name: "Web Shop", level: 1 }).waitFor();
    await page.getByText("Live", { exact: true }).last().waitFor();
    await tab.check();
  });

  test("in a dialog: the log-in stands above it, and what was typed below is sent afterwards", async () => {
    const person = await boss("oskar");
    await using tab = await tabOf(person, "accounts");
    const { page } = tab;
    await page.getByRole("button", { name: "New account" }).first().click();
    await page.getByLabel("Username").fill("newcomer");
    await logOutElsewhere(tab);
    await page.getByRole("button", { name: "Create account" }).click();
    await dialogOf(page).waitFor();
    await tab.check();
    await logInAgain(page);
    await page.getByText("newcomer was created").waitFor();
    await page.getByText("Save the API token now").waitFor();
    await tab.check();
  });

  test("noticed by what the page fetches by itself: nothing stands over the form, and the way back is told", async () => {
    const person = await boss("odin");
    await using tab = await tabOf(person, "applications");
    const { page } = tab;
    await page.getByText("Live", { exact: true }).last().waitFor();
    // For a list that has never come somebody waits: that would ask to log in.
    await page.locator("tbody [data-label]").first().waitFor();
    await page.getByRole("button", { name: "New application" }).first().click();
    await page.getByLabel("Subdomain").fill("half-typed");
    // The stream goes on; only what is asked from now on is refused.
    await tab.context.clearCookies();
    const news = { origin: stage.origin, token: person.token, port: stage.port, name: "news" };
    await using _agent = await openTunnelProcess(news);
    const bar = page.getByRole("status").filter({ hasText: "Your session ended" });
    await bar.waitFor();
    await tab.shot("session-ended");
    expect(await dialogOf(page).count()).toBe(0);
    expect(await page.getByLabel("Subdomain").inputValue()).toBe("half-typed");
    await page.keyboard.press("Escape");
    await tab.check();
    await bar.getByRole("button", { name: "Log in again" }).click();
    await logInAgain(page);
    await bar.waitFor({ state: "detached" });
    await page.getByText("Live", { exact: true }).last().waitFor();
  });

  test("who does not want to log in now keeps the form and reads why it was not sent", async () => {
    await using tab = await tabOf(await boss("otto"), `applications/${appId}/settings`);
    const { page } = tab;
    await page.getByLabel("Name", { exact: true }).fill("Not yet");
    await logOutElsewhere(tab);
    await page.getByRole("button", { name: "Save" }).click();
    await dialogOf(page).getByRole("button", { name: "Not now" }).click();
    await dialogOf(page).waitFor({ state: "detached" });
    await page.locator(".note[data-tone=bad]").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Not yet");
    await tab.check();
  });
});

type Form = [what: string, path: () => string, asks: () => string[], fill: (page: Page) => Promise<void>, done: string];
/** What its page asks the server for, what is typed and sent in it, and what the page says when that has arrived. */
const forms: Form[] = [
  [
    "the policy editor",
    () => `applications/${appId}/policy`,
    () => [`applications/${appId}/policy`, `applications/${appId}/policy/effective`, "policy"],
    async (page) => {
      await page.getByText("Own policy").click();
      await page.getByLabel("Username for visitors").fill("guest");
      await page.getByLabel("Password for visitors").fill("come on in 77");
      await page.getByLabel("Never from these addresses").fill("198.51.100.7");
      await page.getByRole("button", { name: "Save the policy" }).click();
    },
    "The policy is in force.",
  ],
  [
    "a whitelist",
    () => `applications/${appId}/whitelist`,
    () => [`applications/${appId}/whitelist`],
    async (page) => {
      await page.getByRole("button", { name: "Add a range" }).first().click();
      await page.getByLabel("Address or range").fill("203.0.113.9");
      await page.getByLabel("Description").fill("Office");
      await page.getByRole("button", { name: "Add", exact: true }).click();
    },
    "Agents from 203.0.113.9 may connect.",
  ],
  [
    "the limits",
    () => "limits",
    () => ["limits", "rate-limit"],
    async (page) => {
      await page.getByLabel("Failures").fill("7");
      await page.getByLabel("Blocked for (seconds)").fill("120");
      await page.getByRole("button", { name: "Save" }).click();
    },
    "In force now: 7 failures",
  ],
];

test.each(forms)(
  "a session that ends in %s: all of it is kept, and sent after the log-in",
  async (_what, path, asks, fill, done) => {
    const person = await boss(`ole${forms.findIndex((form) => form[4] === done)}`);
    await using tab = await tabOf(person, path());
    const { page } = tab;
    // What somebody still waits for asks to log in by itself.
    await answered(page, ...asks().map((call) => `/org/${call}`));
    await stage.call(person, "POST", "/auth/logout-all", {});
    // From here on the page is nobody's: whatever was typed comes after.
    await fill(page);
    await logInAgain(page);
    await page.getByText(done).waitFor();
    await tab.check();
  },
);

describe("two tabs", () => {
  test("logging in again in one of them is enough for the other", async () => {
    await using tab = await tabOf(await boss("olaf"), `applications/${appId}/settings`);
    const { page } = tab;
    await page.getByLabel("Name", { exact: true }).fill("From the first tab");
    await logOutElsewhere(tab);
    await page.getByRole("button", { name: "Save" }).click();
    const opening = tab.context.waitForEvent("page");
    await dialogOf(page).getByRole("link", { name: "Log in another way" }).click();
    const other = await opening;
    await other.getByLabel("Username").fill("olaf");
    await other.getByRole("button", { name: "Continue" }).click();
    await other.getByLabel("Password").fill(goodPassword);
    await other.getByRole("button", { name: "Log in" }).click();
    await other.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    await page.getByRole("heading", { name: "From the first tab", level: 1 }).waitFor();
    await tab.check();
  });

  test("security: after logging out in one, the other shows nothing any more", async () => {
    await using tab = await tabOf(await boss("olivia"), "applications");
    const other = await tab.context.newPage();
    await other.goto(`${stage.origin}/dashboard/me`);
    await other.getByRole("button", { name: /Account:/ }).click();
    await other.getByRole("menuitem", { name: "Log out" }).click();
    await other.waitForURL("**/login");
    await tab.page.waitForURL("**/login");
    await tab.page.goBack();
    await tab.page.waitForURL("**/login?next=*");
  });

  test("security: when somebody else logs in, the other tab shows no data of theirs under the old name", async () => {
    const [first, second] = [await boss("orla"), await stage.person({ username: "mia", orgId })];
    await using tab = await tabOf(first, `applications/${appId}`);
    await stage.enter(tab.context, second);
    const other = await tab.context.newPage();
    await other.goto(`${stage.origin}/dashboard/overview`);
    await other.getByText("Account: mia").waitFor({ state: "attached" });
    await tab.page.getByText("mia", { exact: true }).waitFor();
    await tab.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    await tab.check();
  });
});

describe("ending sessions", () => {
  test("signing out everywhere ends this browser's session and every other one", async () => {
    const person = await boss("oona");
    await using tab = await tabOf(person, "me/sessions");
    await using elsewhere = await tabOf(person, "applications");
    await tab.page.getByRole("button", { name: "Sign out everywhere…" }).click();
    await tab.page.getByText("this one included").waitFor();
    await tab.page.getByRole("button", { name: "Sign out everywhere", exact: true }).click();
    await tab.page.waitForURL("**/login");
    await elsewhere.page.getByText("Logged out", { exact: true }).waitFor();
    await elsewhere.page.getByRole("link", { name: "Accounts" }).click();
    await dialogOf(elsewhere.page).waitFor();
    await elsewhere.check();
  });

  test("ending one session from the list ends that one only", async () => {
    const person = await boss("oda");
    await using tab = await tabOf(person, "me/sessions");
    const { page } = tab;
    await stage.logIn(person);
    // Both were begun by this process; the address keeps what was typed and chosen.
    await page.getByRole("searchbox").fill("NOT bun");
    await page.getByText("Nothing matches").waitFor();
    await page.waitForURL("**/me/sessions?session-q=NOT*");
    await page.reload();
    await page.getByText("Nothing matches").waitFor();
    expect(await page.getByRole("searchbox").inputValue()).toBe("NOT bun");
    await page.getByRole("searchbox").fill("bun");
    await page.getByText("This one").waitFor();
    await page.getByRole("combobox", { name: "Session" }).selectOption("Of this browser");
    await page.getByRole("button", { name: "End…" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "NOT this session" }).click();
    await page.getByText("This one").waitFor({ state: "detached" });
    await page.waitForURL("**session-current=%21true*");
    await page.reload();
    await page.getByRole("button", { name: "NOT this session", pressed: true }).waitFor();
    await page.getByRole("button", { name: "End…" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
    await page.getByRole("button", { name: "End…" }).first().click();
    await page.getByRole("dialog").getByText("is logged out at once").waitFor();
    await tab.looks("dialog-session-end", true);
    await page.getByRole("button", { name: "End session" }).click();
    await page.getByText("The session was ended.").waitFor();
    await page.getByText("Nothing matches").waitFor();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByText("This one").waitFor();
    expect(await page.getByRole("button", { name: "End…" }).count()).toBe(0);
    await tab.check();
  });

  test("turning the second factor off ends the session and asks to log in again, over the page", async () => {
    const person = await boss("odile");
    await using tab = await tabOf(person, "me");
    const { page } = tab;
    await page.getByRole("button", { name: "Turn on…" }).click();
    await page.getByRole("dialog").getByLabel("Current password").fill(goodPassword);
    await page.getByRole("button", { name: "Continue" }).click();
    const seed = await readSecret(page, "secret");
    await page.getByLabel("First code").fill(codeOf(seed));
    await page.getByRole("button", { name: "Turn on two-factor authentication" }).click();
    await keepSecret(page);
    await page.getByRole("button", { name: "Turn off…" }).click();
    const dialog = page.getByRole("dialog", { name: "Turn off two-factor authentication?" });
    await dialog.getByLabel("Current password").fill(goodPassword);
    await dialog.getByLabel("Code from your authenticator").fill(codeOf(seed, 1));
    await tab.looks("dialog-me-totp-off", true);
    await dialog.getByRole("button", { name: "Turn off" }).click();
    await logInAgain(page);
    await page.getByRole("button", { name: "Turn on…" }).waitFor();
    await tab.check();
  });
});
