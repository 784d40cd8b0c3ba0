// What the questions of the dashboard lead to when they are agreed to: real agents lose their tunnels and are told why.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { keepSecret, readSecret, startBrowser, type Browser, type Tab } from "./browser.ts";
import { codeOf, goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let admin: Person;
let orgId: string;
let service: Bun.Server<undefined>;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  admin = await stage.admin();
  orgId = (await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" })).organization.id;
  service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello from the service") });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await service.stop(true);
});

const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
const open = (token: string, name: string): Promise<InProcessAgent> =>
  openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name });
const application = async (subdomain: string) =>
  (await create<{ application: { id: string } }>("/admin/applications", { orgId, subdomain, name: subdomain }))
    .application.id;

async function adminTab(path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, admin);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

/** Presses the button, agrees to what the dialog says, and waits until the page reports. */
async function agree(page: Page, button: string, action: string, report: string): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: action, exact: true }).click();
  await page.getByText(report).waitFor();
}

/** An organization's member with an authenticator. */
async function enrolled(username: string): Promise<Person & { token: string; id: string }> {
  const person = await stage.person({ username, orgId });
  const begun = await stage.call<{ secret: string }>(person, "POST", "/org/me/totp/start", {
    currentPassword: goodPassword,
  });
  await stage.call(person, "POST", "/org/me/totp/setup", { code: codeOf(begun.secret) });
  const { accounts } = await stage.call<{ accounts: { id: string }[] }>(admin, "GET", `/admin/accounts?q=${username}`);
  return { ...person, id: accounts[0]?.id ?? "" };
}

describe("an account", () => {
  test("is renamed, gets another token, loses its authenticator, is deactivated and activated again", async () => {
    const milo = await enrolled("milo");
    const first = await open(milo.token, "milos");
    await using tab = await adminTab(`accounts/${milo.id}`);
    const { page } = tab;
    await page.getByLabel("Username", { exact: true }).fill("milou");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByText("Renamed to milou.").waitFor();
    await page.getByRole("heading", { name: "milou", level: 1 }).waitFor();
    expect(first.all("tunnel.lost")).toEqual([]);

    await agree(page, "New token…", "Make a new token", "Save the API token now");
    const token = await readSecret(page, "API token");
    await keepSecret(page);
    await page.getByText("The new token of milou is in force; the old one has stopped.").waitFor();
    expect(await first.done).toMatchObject({ reason: "refused", code: "bad_token" });

    await agree(page, "Reset…", "Reset", "Two-factor authentication was reset.");
    await page.getByRole("button", { name: "Reset…" }).waitFor({ state: "detached" });
    expect(await stage.logIn({ username: "milou", password: goodPassword })).toContain("dl_session=");

    const second = await open(token, "milos");
    await agree(page, "Deactivate…", "Deactivate", "milou was deactivated.");
    expect(await second.done).toMatchObject({ reason: "refused", code: "account_inactive" });
    await page.getByText("Deactivated", { exact: true }).waitFor();
    await tab.check();
    await agree(page, "Activate…", "Activate", "milou is active.");
    await using _third = await open(token, "milos");
    await tab.check();
  });
});

describe("a key", () => {
  test("that is revoked ends its tunnel", async () => {
    const { rawKey } = await create<{ rawKey: string }>("/admin/api-keys", { orgId, description: "CI" });
    const agent = await open(rawKey, "by-key");
    await using tab = await adminTab("keys");
    const { page } = tab;
    await agree(page, "Revoke CI", "Revoke", "The key was revoked.");
    expect(await agent.done).toMatchObject({ reason: "refused", code: "bad_token" });
    await page.getByText("No keys yet").waitFor();
    await tab.check();
  });
});

describe("an application", () => {
  test("its page checks the service, copies and opens the URL, disconnects and clears", async () => {
    const id = await application("shop");
    const { rawKey } = await create<{ rawKey: string }>("/admin/api-keys", { orgId, appId: id, description: "agent" });
    const agent = await open(rawKey, "shop");
    await using tab = await adminTab(`applications/${id}`);
    const { page, context } = tab;
    const url = `http://shop.localhost:${stage.port}`;
    await page.getByRole("button", { name: "Check the service now" }).click();
    await page.getByText("The local service of shop answered").waitFor();
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stage.origin });
    await page.getByRole("button", { name: "Copy URL" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(url);
    const opening = context.waitForEvent("page");
    await page.getByRole("link", { name: "Open", exact: true }).click();
    const opened = await opening;
    await opened.getByText("hello from the service").waitFor();
    expect(opened.url()).toBe(`${url}/`);
    await opened.close();

    await page.getByRole("button", { name: "Disconnect…" }).click();
    await page.getByRole("dialog").getByText("gives the tunnel up").waitFor();
    await page.getByRole("button", { name: "Disconnect", exact: true }).click();
    await page.getByText("shop was disconnected.").waitFor();
    expect(await agent.done).toMatchObject({ reason: "refused", code: "disconnected_by_admin" });
    await page.getByText("No agent is connected").waitFor();
    await agree(page, "Clear…", "Clear", "shop was cleared.");
    await page.getByRole("button", { name: "Clear…" }).waitFor({ state: "detached" });
    await tab.check();
  });

  test("whose own policy is given up and removed: visitors meet the organization's at once, and nothing of its own is left", async () => {
    const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", {
      name: "Umbrella",
    });
    const umbrella = `/admin/organizations/${organization.id}`;
    await stage.call(admin, "PUT", `${umbrella}/policy`, { authType: "api_key" });
    const labs = { orgId: organization.id, subdomain: "labs", name: "Labs" };
    const { application } = await create<{ application: { id: string } }>("/admin/applications", labs);
    const path = `/admin/applications/${application.id}`;
    const own = { authType: "basic", basicUsername: "guest", basicPassword: "come on in 77" };
    await stage.call(admin, "PUT", `${path}/policy`, own);
    await stage.call(admin, "PUT", path, { authMode: "custom" });
    const ofLabs = { orgId: organization.id, appId: application.id };
    const agentKey = await create<{ rawKey: string }>("/admin/api-keys", { ...ofLabs, description: "agent" });
    const visit = { ...ofLabs, description: "visitor", scope: "visitor" };
    const { rawKey: visitorKey } = await create<{ rawKey: string }>("/admin/api-keys", visit);
    await using _agent = await open(agentKey.rawKey, "labs");
    const status = async (headers: Record<string, string>) =>
      (await fetch(`http://labs.localhost:${stage.port}/`, { headers, redirect: "manual" })).status;
    const guest = { authorization: `Basic ${btoa("guest:come on in 77")}` };
    const withKey = { "x-api-key": visitorKey };
    expect([await status(guest), await status(withKey)]).toEqual([200, 401]);

    await using tab = await adminTab(`applications/${application.id}/policy`);
    const { page } = tab;
    await page.getByRole("radio", { name: /^As the organization/ }).check();
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.getByText("The policy is in force.").waitFor();
    // What the page says is in force is so for visitors: nothing is waited for.
    expect([await status(guest), await status(withKey)]).toEqual([401, 200]);
    const logIn = page.locator(".effective-row").filter({ hasText: "Log-in" });
    await logIn.getByText("organization").waitFor();
    // Keys have no session that could last.
    await logIn.getByText("API key", { exact: true }).waitFor();

    await page.getByRole("button", { name: "Remove the stored policy…" }).click();
    await page.getByRole("dialog").getByText("It is not in force now").waitFor();
    await page.getByRole("button", { name: "Remove the policy", exact: true }).click();
    await page.getByText("The policy was removed.").waitFor();
    expect([await status(guest), await status(withKey)]).toEqual([401, 200]);
    await page.getByRole("button", { name: "Remove the stored policy…" }).waitFor({ state: "detached" });
    await page.getByText("Own policy").click();
    expect(await page.getByLabel("Username for visitors").inputValue()).toBe("");
    await page.getByText("Leave it empty to keep the stored one.").waitFor({ state: "detached" });
    await tab.check();
    await tab.shot("application-policy-removed");
  });

  test("that is deleted takes its tunnel, its keys and its name with it", async () => {
    const id = await application("short-lived");
    const { rawKey } = await create<{ rawKey: string }>("/admin/api-keys", { orgId, appId: id, description: "agent" });
    const agent = await open(rawKey, "short-lived");
    await using tab = await adminTab(`applications/${id}/settings`);
    const { page } = tab;
    await page.getByRole("button", { name: "Delete…" }).click();
    const erase = page.getByRole("button", { name: "Delete application" });
    await page.getByLabel('Type "short-lived" to confirm').fill("short");
    expect(await erase.isDisabled()).toBe(true);
    await page.getByLabel('Type "short-lived" to confirm').fill("short-lived");
    await erase.click();
    await page.getByText("short-lived was deleted.").waitFor();
    await page.waitForURL("**/dashboard/applications");
    expect(await agent.done).toMatchObject({ reason: "refused", code: "bad_token" });
    await application("short-lived");
  });
});

describe("an organization", () => {
  test("with applications or members is kept, and the dialog says why; an empty one is deleted", async () => {
    const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name: "Globex" });
    const theirs = { orgId: organization.id, subdomain: "globex", name: "Globex" };
    const { application } = await create<{ application: { id: string } }>("/admin/applications", theirs);
    await using tab = await adminTab(`organizations/${organization.id}/settings`);
    const { page } = tab;
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByLabel('Type "Globex" to confirm').fill("Globex");
    const erase = page.getByRole("button", { name: "Delete organization" });
    await erase.click();
    await page.getByRole("dialog").getByText("still has applications").waitFor();
    await tab.check();
    await stage.call(admin, "DELETE", `/admin/applications/${application.id}`);
    // The same dialog goes on once the reason is gone.
    await erase.click();
    await page.getByText("Globex was deleted.").waitFor();
    await page.waitForURL("**/dashboard/organizations");
    await eventually(async () => (await page.getByRole("link", { name: "Globex" }).count()) === 0, "it is gone");
    await tab.check();
  });

  test("settings: a taken name is refused at the field; requiring a second factor says whom it stops, the caller too", async () => {
    const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", {
      name: "Initech",
    });
    const boss = await stage.person({ username: "bill", orgId: organization.id, isOrgAdmin: true });
    await using tab = await browser.open();
    const { page } = tab;
    await stage.enter(tab.context, boss);
    await page.goto(`${stage.origin}/dashboard/settings`);
    await page.getByLabel("Name", { exact: true }).fill("acme");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".field-error").getByText("An organization with this name exists.").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("Initech Ltd");
    await page.getByRole("checkbox", { name: /Require two-factor/ }).check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog").getByText("you are one of them and begin at once").waitFor();
    await tab.looks("dialog-org-require-totp", true);
    await page.getByRole("button", { name: "Require it" }).click();
    await page.getByText("Two-factor authentication is required").waitFor();
    await page.getByText("Saved: it is called Initech Ltd now.").waitFor();
    await page.getByRole("button", { name: "Turn on…" }).waitFor();
    await tab.check();
  });
});

describe("the agents' whitelist", () => {
  test("removing a range says how many tunnels are served from there", async () => {
    const { token } = await stage.person({ username: "runner" });
    await using agent = await openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name: "two" });
    await create("/admin/whitelist", { ipRange: "127.0.0.1/32", description: "Here" });
    await create("/admin/whitelist", { ipRange: "203.0.113.0/24", description: "Elsewhere" });
    await using tab = await adminTab("whitelists");
    const { page } = tab;
    await page.getByRole("button", { name: "Remove 127.0.0.1" }).click();
    await page.getByRole("dialog").getByText("1 tunnel is served now").waitFor();
    await tab.check();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Remove 203.0.113.0/24" }).click();
    await page.getByRole("dialog").getByText("No tunnel is served from there now.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("203.0.113.0/24 was removed.").waitFor();
    expect(agent.all("tunnel.ready")).toHaveLength(1);
  });
});
