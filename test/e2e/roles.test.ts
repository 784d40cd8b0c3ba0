// Each role sees and may do exactly its own: what the side bar offers, what pages offer, and what the server answers behind them.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Browser, keepSecret, readSecret, startBrowser, type Tab } from "./browser.ts";
import { codeOf, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let orgId: string;
let appId: string;
let people: Record<"admin" | "orgAdmin" | "member" | "loner", Person>;

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
  people = {
    admin,
    orgAdmin: await stage.person({ username: "olga", orgId, isOrgAdmin: true }),
    member: await stage.person({ username: "milo", orgId }),
    loner: await stage.person({ username: "lone" }),
  };
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function tabOf(who: keyof typeof people, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, people[who]);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

const linksOf: Record<keyof typeof people, string[]> = {
  admin: [
    "Overview",
    "Tunnels",
    "Requests",
    "Organizations",
    "Applications",
    "Accounts",
    "API keys",
    "Agent whitelists",
    "Audit log",
  ],
  orgAdmin: [
    "Overview",
    "Tunnels",
    "Requests",
    "Applications",
    "Accounts",
    "Visitor policy",
    "Limits",
    "API keys",
    "Agent whitelists",
    "Audit log",
    "Settings",
  ],
  member: [
    "Overview",
    "Tunnels",
    "Requests",
    "Applications",
    "Visitor policy",
    "Limits",
    "API keys",
    "Agent whitelists",
  ],
  loner: ["Overview"],
};

describe("roles", () => {
  test.each(Object.keys(linksOf) as (keyof typeof people)[])(
    "%s finds exactly its pages in the side bar",
    async (who) => {
      await using tab = await tabOf(who, "overview");
      const nav = tab.page.getByRole("navigation", { name: "Main" });
      await nav.getByRole("link").first().waitFor();
      expect(await nav.getByRole("link").allTextContents()).toEqual(linksOf[who]);
      if (who === "loner") return;
      // No page leads to one that is not among them.
      await tab.page.getByRole("heading", { name: "Recent refusals" }).waitFor();
      const toAudit = await tab.page.getByRole("main").getByRole("link", { name: "All in the audit log" }).count();
      expect(toAudit).toBe(linksOf[who].includes("Audit log") ? 1 : 0);
    },
  );

  test("a member may look at applications and policy, and change neither", async () => {
    await using tab = await tabOf("member", "applications");
    const { page } = tab;
    await page.getByRole("link", { name: "Shop" }).click();
    await page.getByText("No agent is connected").waitFor();
    expect(await page.getByRole("link", { name: "Settings" }).count()).toBe(0);
    await page.getByRole("link", { name: "Visitor policy" }).last().click();
    await page.getByText("Only an admin of the organization may change it.").waitFor();
    expect(await page.getByRole("button", { name: "Save the policy" }).count()).toBe(0);
    expect(await page.getByRole("radio", { name: "Own policy" }).isDisabled()).toBe(true);
    await tab.check();
  });

  test("a member makes a token of its own, shown once", async () => {
    await using tab = await tabOf("member", "me/token");
    const { page } = tab;
    await page.getByRole("button", { name: "Make a new token…" }).click();
    await page.getByLabel("Current password").fill("wrong password 1");
    await page.getByRole("button", { name: "Make a new token", exact: true }).click();
    await page.locator(".field-error").waitFor();
    await tab.looks("dialog-me-token", true);
    await page.getByLabel("Current password").fill(people.member.password);
    await page.getByRole("button", { name: "Make a new token", exact: true }).click();
    await page.getByText("Save the API token now").waitFor();
    await tab.looks("dialog-me-token-made", true);
    await keepSecret(page);
    await page.getByText("The new token is in force; the old one has stopped.").waitFor();
  });

  test("an account without an organization changes its password and makes a token", async () => {
    await using tab = await tabOf("loner", "me");
    const { page } = tab;
    const password = "another-quiet-river-17";
    await page.getByLabel("Current password").fill(people.loner.password);
    await page.getByLabel("New password", { exact: true }).fill(password);
    await page.getByLabel("New password, once more").fill(password);
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("Your password was changed").waitFor();
    people.loner = { ...people.loner, password, cookie: await stage.logIn({ ...people.loner, password }) };
    await page.getByRole("link", { name: "API token" }).click();
    await page.getByRole("button", { name: "Make a new token…" }).click();
    await page.getByLabel("Current password").fill(password);
    await page.getByRole("button", { name: "Make a new token", exact: true }).click();
    expect(await readSecret(page, "API token")).toStartWith("dlt_");
    await keepSecret(page);
    await page.getByText("The new token is in force; the old one has stopped.").waitFor();
    await tab.check();
  });

  test("an organization admin sets the policy, renames the organization, and sees no other one", async () => {
    await using tab = await tabOf("orgAdmin", "policy");
    const { page } = tab;
    await page.getByText("There is no policy yet").waitFor();
    await page.getByText("API key", { exact: true }).first().click();
    await page.getByText("visitors' sessions under the old policy end").waitFor();
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.getByText("The policy is in force.").waitFor();
    await tab.check();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Acme Robotics");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved: it is called Acme Robotics now.").waitFor();
    await page.getByRole("complementary").getByText("Acme Robotics").waitFor();
    await page.goto(`${stage.origin}/dashboard/organizations/${orgId}`);
    await page.getByText("This is for system admins").waitFor();
  });

  test("an organization admin is asked before an account changes, and sees a new token and a new key once", async () => {
    const mara = { username: "mara", orgId };
    const made = await stage.call<{ account: { id: string } }>(people.admin, "POST", "/admin/accounts", mara);
    await using tab = await tabOf("orgAdmin", `accounts/${made.account.id}`);
    const { page } = tab;
    const press = (name: string) => page.getByRole("button", { name, exact: true }).first().click();
    const agree = async (says: string, action: string, name: string) => {
      await page.getByRole("dialog").getByText(says).waitFor();
      await tab.looks(`dialog-org-account-${name}`, true);
      await press(action);
    };
    await page.getByLabel("New password").fill("another-quiet-river-43");
    await press("Set password");
    await agree("can log in here from now on", "Set the password", "password");
    await page.getByText("The password of mara was set.").waitFor();
    await page.getByRole("checkbox", { name: /Organization admin/ }).check();
    await press("Save");
    await agree("everything of the organization", "Make it an admin", "admin");
    await page.getByText("The role of mara was changed.").waitFor();
    await press("New token…");
    await press("Make a new token");
    await page.getByText("Save the API token now").waitFor();
    await tab.looks("dialog-org-account-token-made", true);
    await keepSecret(page);
    await page.getByText("The new token of mara is in force").waitFor();
    await page.getByRole("link", { name: "API keys" }).click();
    await press("New key");
    await page.getByLabel("Description").fill("CI");
    await press("Create key");
    await page.getByText("Save the API key now").waitFor();
    await tab.looks("dialog-org-key-made", true);
    await keepSecret(page);
    await page.getByRole("row").filter({ hasText: "CI" }).waitFor();
    expect(await page.locator("[data-secret]").count()).toBe(0);
  });

  test("security: what a page hides, the server refuses as well", async () => {
    const refused = async (who: keyof typeof people, method: string, path: string, body?: unknown) => {
      const answer = await stage.call(people[who], method, path, body).then(
        () => "allowed",
        (error: unknown) => String(error),
      );
      return / (401|403|404) /.test(answer);
    };
    expect(await refused("member", "PUT", `/org/applications/${appId}`, { authMode: "disabled" })).toBe(true);
    expect(await refused("member", "DELETE", `/org/applications/${appId}`)).toBe(true);
    expect(await refused("orgAdmin", "GET", "/admin/organizations")).toBe(true);
    expect(await refused("loner", "GET", "/org/applications")).toBe(true);
  });

  test("when the organization starts to require two-factor, a member's next click leads to the enrolment", async () => {
    await using tab = await tabOf("member", "applications");
    const { page } = tab;
    await stage.call(people.admin, "PUT", `/admin/organizations/${orgId}`, { requireTotp: true });
    await page.getByRole("link", { name: "Tunnels" }).click();
    await page.getByText("Two-factor authentication is required").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Turn on…" }).click();
    await page.getByLabel("Current password").fill(people.member.password);
    await page.getByRole("button", { name: "Continue" }).click();
    const seed = await readSecret(page, "secret");
    await page.getByLabel("First code").fill(codeOf(seed));
    await page.getByRole("button", { name: "Turn on two-factor authentication" }).click();
    await keepSecret(page);
    await page.getByRole("heading", { name: "Tunnels", level: 1 }).waitFor();
  });
});
