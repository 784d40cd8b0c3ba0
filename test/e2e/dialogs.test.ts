// Every dialog with real data, in every look and on a phone: no accessibility violation, no overflow, Esc closes.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { follow, keepSecret, pick, startBrowser, type Browser, type Tab } from "./browser.ts";
import { goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(600_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let appId: string;
let accountId: string;
let olga: Person;
let agent: InProcessAgent;
let service: Bun.Server<undefined>;
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
  const { rawKey } = await create<{ rawKey: string }>("/admin/api-keys", { orgId, description: "CI" });
  await create("/admin/whitelist", { ipRange: "203.0.113.0/24", description: "Office" });
  accountId = (await create<{ account: { id: string } }>("/admin/accounts", { username: "milo", orgId })).account.id;
  olga = await stage.person({ username: "olga", orgId, isOrgAdmin: true });
  await create(`/admin/organizations/${orgId}/whitelist`, { ipRange: "198.51.100.0/24", description: "Lab" });
  await stage.call(admin, "PUT", `/admin/applications/${appId}/policy`, { authType: "api_key" });
  const limit = { enabled: true, maxAttempts: 5, windowDurationSeconds: 60, blockDurationSeconds: 60 };
  await stage.call(admin, "PUT", `/admin/organizations/${orgId}/rate-limit`, limit);
  service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const port = service.port ?? 0;
  agent = await openTunnel({ origin: stage.origin, token: rawKey, port, name: "adhoc" });
  const gone = await openTunnel({ origin: stage.origin, token: rawKey, port, name: "gone" });
  await gone.stop(0);
  await fetch(`http://adhoc.localhost:${stage.port}/seen`);
  // To open an application is asked about where something protects it.
  await stage.call(admin, "PUT", `/admin/organizations/${orgId}/policy`, { authType: "api_key" });
});
afterAll(async () => {
  await agent.stop(0);
  await service.stop(true);
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

const click = (name: string) => (page: Page) => page.getByRole("button", { name, exact: true }).first().click();
const menu = (tunnel: string, item: string) => async (page: Page) => {
  await page.getByRole("button", { name: `Actions for ${tunnel}` }).click();
  await page.getByRole("menuitem", { name: item }).click();
};
const leaveUnsaved = async (page: Page) => {
  await page.getByLabel("Name", { exact: true }).fill("Changed");
  await page.getByRole("banner").getByRole("link", { name: "digit-link" }).click();
};
const moveOut = async (page: Page) => {
  await pick(page, "Organization", "", "None");
  await click("Save")(page);
};
const moveApplication = async (page: Page) => {
  await page.getByLabel("Subdomain").fill("store");
  await click("Save")(page);
};
const makePublic = async (page: Page) => {
  await page.getByRole("radio", { name: /^Public/ }).check();
  await click("Save the policy")(page);
};
const tick = (label: RegExp, on: boolean) => async (page: Page) => {
  await page.getByRole("checkbox", { name: label }).setChecked(on);
  await click("Save")(page);
};
const send = (label: string, value: string, button: string) => async (page: Page) => {
  await page.getByLabel(label).fill(value);
  await click(button)(page);
};
const makeToken = async (page: Page) => {
  await click("New token…")(page);
  await click("Make a new token")(page);
  await page.getByText("Save the API token now").waitFor();
};
const makeKey = (ofOrganization: boolean) => async (page: Page) => {
  await click("New key")(page);
  await page.getByLabel("Description").fill("made here");
  if (!ofOrganization) {
    // The list behind the dialog has a filter of the same name.
    await page.getByRole("dialog").getByRole("combobox", { name: "Organization" }).fill("ac");
    await page.getByRole("option").filter({ hasText: "Acme" }).click();
  }
  await click("Create key")(page);
  await page.getByText("Save the API key now").waitFor();
};
const enrol = async (page: Page) => {
  await click("Turn on…")(page);
  await page.getByRole("dialog").getByLabel("Current password").fill(goodPassword);
  await click("Continue")(page);
  await page.getByLabel("First code").waitFor();
};
const makeOwnToken = async (page: Page) => {
  await click("Make a new token…")(page);
  await page.getByLabel("Current password").fill(goodPassword);
  await click("Make a new token")(page);
  await page.getByText("Save the API token now").waitFor();
};
const details = (what: string) => (page: Page) => page.getByRole("button", { name: what }).first().click();

/** Those of one page stand together: it is opened once. What is shown once is not closed by Esc. */
type Dialog = [name: string, path: string, open: (page: Page) => Promise<unknown>, isSecret?: "secret"];
const dialogsOfAdmin = (): Dialog[] => [
  ["organization-new", "organizations", click("New organization")],
  ["organization-delete", `organizations/${orgId}/settings`, click("Delete…")],
  ["organization-require-totp", `organizations/${orgId}/settings`, tick(/^Require two-factor/, true)],
  ["leave", `organizations/${orgId}/settings`, leaveUnsaved],
  ["limiter-off", `organizations/${orgId}/limits`, tick(/^Block addresses/, false)],
  ["limiter-reset", `organizations/${orgId}/limits`, click("Back to what is inherited…")],
  ["member-new", `organizations/${orgId}/members`, click("New member")],
  ["application-new", "applications", click("New application")],
  ["application-delete", `applications/${appId}/settings`, click("Delete…")],
  ["application-move", `applications/${appId}/settings`, moveApplication],
  ["policy-remove", `applications/${appId}/policy`, click("Remove the stored policy…")],
  ["application-public", `applications/${appId}/policy`, makePublic],
  ["account-new", "accounts", click("New account")],
  ["account-token", `accounts/${accountId}`, click("New token…")],
  ["account-token-made", `accounts/${accountId}`, makeToken, "secret"],
  ["account-deactivate", `accounts/${accountId}`, click("Deactivate…")],
  ["account-delete", `accounts/${accountId}`, click("Delete…")],
  ["account-password", `accounts/${accountId}`, send("New password", "another-quiet-river-43", "Set password")],
  ["account-email", `accounts/${accountId}`, send("E-mail", "milo@example.com", "Set e-mail")],
  ["account-admin", `accounts/${accountId}`, tick(/^Organization admin/, true)],
  ["account-move", `accounts/${accountId}`, moveOut],
  ["key-new", "keys", click("New key")],
  ["key-revoke", "keys", click("Revoke CI")],
  ["key-made", "keys", makeKey(false), "secret"],
  ["range-new", "whitelists", click("Add a range")],
  ["range-remove", "whitelists", click("Remove 203.0.113.0/24")],
  ["audit-details", "audit", details("application.created")],
  ["tunnel-disconnect", "tunnels", menu("adhoc", "Disconnect")],
  ["tunnel-clear", "tunnels", menu("gone", "Clear…")],
  ["request-details", "requests", details("/seen")],
  ["me-authenticator", "me", click("Change the authenticator…")],
  ["me-codes", "me", click("New recovery codes…")],
  ["shortcuts", "me", (page) => page.keyboard.press("?")],
  ["me-everywhere", "me/sessions", click("Sign out everywhere…")],
];
const dialogsOfOrganization = (): Dialog[] => [
  ["require-totp", "settings", tick(/^Require two-factor/, true)],
  ["leave", "settings", leaveUnsaved],
  ["limiter-off", "limits", tick(/^Block addresses/, false)],
  ["limiter-reset", "limits", click("Back to what is inherited…")],
  ["policy-remove", "policy", click("Remove the stored policy…")],
  ["account-new", "accounts", click("New account")],
  ["account-token", `accounts/${accountId}`, click("New token…")],
  ["account-token-made", `accounts/${accountId}`, makeToken, "secret"],
  ["account-deactivate", `accounts/${accountId}`, click("Deactivate…")],
  ["account-delete", `accounts/${accountId}`, click("Delete…")],
  ["account-password", `accounts/${accountId}`, send("New password", "another-quiet-river-43", "Set password")],
  ["account-admin", `accounts/${accountId}`, tick(/^Organization admin/, true)],
  ["application-new", "applications", click("New application")],
  ["application-delete", `applications/${appId}/settings`, click("Delete…")],
  ["application-move", `applications/${appId}/settings`, moveApplication],
  ["application-policy-remove", `applications/${appId}/policy`, click("Remove the stored policy…")],
  ["application-public", `applications/${appId}/policy`, makePublic],
  ["key-new", "keys", click("New key")],
  ["key-revoke", "keys", click("Revoke CI")],
  ["key-made", "keys", makeKey(true), "secret"],
  ["range-new", "whitelists", click("Add a range")],
  ["range-remove", "whitelists", click("Remove 198.51.100.0/24")],
  ["audit-details", "audit", details("application.created")],
  ["tunnel-disconnect", "tunnels", menu("adhoc", "Disconnect")],
  ["tunnel-clear", "tunnels", menu("gone", "Clear…")],
  ["request-details", "requests", details("/seen")],
  ["me-password", "me", click("Turn on…")],
  ["me-enrol", "me", enrol],
  ["shortcuts", "me", (page) => page.keyboard.press("?")],
  ["me-everywhere", "me/sessions", click("Sign out everywhere…")],
  ["me-token", "me/token", click("Make a new token…")],
  ["me-token-made", "me/token", makeOwnToken, "secret"],
];

/** Counts how often the page (not its parts) is taken out of the document. */
const watchPage = `globalThis.pagesLeft = 0;
  new MutationObserver((changes) => {
    for (const { removedNodes } of changes) for (const node of removedNodes) if (String(node.className).startsWith("page")) pagesLeft++;
  }).observe(document.querySelector("main"), { childList: true });`;

const isUnsaved = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))";

/** Opens each on a phone, lets `passes` judge it, and closes it. */
async function walk(tab: Tab, dialogs: Dialog[], passes: (name: string) => Promise<void>): Promise<void> {
  const { page } = tab;
  let at = "";
  for (const [name, path, open, isSecret] of dialogs) {
    await tab.become("phone");
    if (path !== at) {
      // A link is asked about where the dialogs before left something unsaved.
      if (at === "" || (await page.evaluate(isUnsaved))) await page.goto(`${stage.origin}/dashboard/${path}`);
      else await follow(page, path);
      await page.locator(".page-head h1").waitFor();
      await page.evaluate(watchPage);
      at = path;
    }
    await open(page);
    await page.getByRole("dialog").waitFor();
    await passes(name);
    // A page that leaves the document, however shortly, takes the focus and the modality of its dialogs along.
    expect(await page.evaluate("globalThis.pagesLeft"), name).toBe(0);
    if (isSecret) await keepSecret(page);
    else await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(tab.problems, name).toEqual([]);
  }
}

describe("dialogs", () => {
  test("a request's times fill their bar, however short they were", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    await stage.enter(tab.context, olga);
    await page.route("**/org/requests?*", async (route) => {
      const answer = await route.fetch();
      const page = (await answer.json()) as { requests: object[] };
      const times = { totalMs: 0.4, policyMs: 0.1, queueMs: 0.1, tunnelMs: 0.1, localMs: 0.1 };
      await route.fulfill({ json: { ...page, requests: page.requests.map((one) => ({ ...one, ...times })) } });
    });
    await page.goto(`${stage.origin}/dashboard/requests`);
    await details("/seen")(page);
    const bar = page.locator(".split");
    await bar.waitFor();
    // In one look: the drawer still slides in.
    const gap = await page.evaluate(
      `document.querySelector(".split").getBoundingClientRect().right
        - document.querySelector(".split > :last-child").getBoundingClientRect().right`,
    );
    expect(gap).toBeCloseTo(0, 0);
  });

  test("a refusal speaks of its field as the form does", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    await stage.enter(tab.context, olga);
    await page.goto(`${stage.origin}/dashboard/whitelists`);
    await click("Add a range")(page);
    await page.getByLabel("Address or range").fill("300.1.1.1");
    await click("Add")(page);
    await page.locator(".field-error").waitFor();
    expect(await page.locator(".field-error").textContent()).toBe("This must be an IPv4 or IPv6 address or range.");
  });

  test("of an organization's portal open on a phone, and close by Esc", async () => {
    await using tab = await browser.open("phone");
    await stage.enter(tab.context, olga);
    await walk(tab, dialogsOfOrganization(), async (name) => {
      await tab.shot(`dialog-org-${name}`);
      await tab.check();
    });
  });

  test("open, on a phone; pass there, and on a desk in every look; close by Esc", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    const passes = async (name: string) => {
      await tab.shot(`dialog-${name}`);
      await tab.check();
      await tab.become("light");
      await tab.looks(`dialog-${name}`, true);
    };
    await stage.enter(tab.context, await stage.admin());
    await walk(tab, dialogsOfAdmin(), passes);

    // The one that asks to log in again.
    await tab.become("phone");
    await page.goto(`${stage.origin}/dashboard/organizations/${orgId}/settings`);
    await page.getByLabel("Name", { exact: true }).fill("Acme Robotics");
    await tab.context.clearCookies();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog", { name: "Log in again" }).waitFor();
    await passes("log-in-again");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Acme Robotics");
  });
});
