// Forms that take something away say so and ask once before they send, and limits tell where they come from.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page, Request } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { pick, startBrowser, type Browser, type Tab } from "./browser.ts";
import { goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let admin: Person;
let boss: Person & { token: string };
let orgId: string;
let otherOrgId: string;
let service: Bun.Server<undefined>;
/** Answers `/slow` never. */
const answer = ({ url }: { url: string }) =>
  url.endsWith("/slow") ? new Promise<never>(() => {}) : new Response("ok");
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage({ MAX_TUNNELS_PER_ORGANIZATION: "25" })]);
  admin = await stage.admin();
  orgId = await organization("Acme");
  otherOrgId = await organization("Globex");
  boss = await stage.person({ username: "olga", orgId, isOrgAdmin: true });
  service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await service.stop(true);
});

const create = async <T>(path: string, body: unknown): Promise<T> => stage.call<T>(admin, "POST", path, body);
const organization = async (name: string) =>
  (await create<{ organization: { id: string } }>("/admin/organizations", { name })).organization.id;
const application = async (subdomain: string) =>
  (await create<{ application: { id: string } }>("/admin/applications", { orgId, subdomain, name: subdomain }))
    .application.id;
const account = async (username: string) =>
  (await create<{ account: { id: string } }>("/admin/accounts", { username, orgId, password: goodPassword })).account
    .id;
const shown = async <T>(path: string): Promise<T> => stage.call<T>(admin, "GET", path);

async function tabOf(person: Person, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

/** The form asks, saying this, and sends when it is agreed to; `look` sees the question. */
async function asks(
  page: Page,
  send: () => Promise<void>,
  says: string | RegExp,
  action: string,
  look?: () => Promise<void>,
): Promise<void> {
  const dialog = page.getByRole("dialog");
  await send();
  await dialog.getByText(says).waitFor();
  await look?.();
  await dialog.getByRole("button", { name: action, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

/** Who would rather not sends nothing and keeps what was typed; the form asks again the next time. */
async function declines(page: Page, send: () => Promise<void>, kept: Locator, value: string): Promise<void> {
  const sent: string[] = [];
  const note = (request: Request) => void (request.method() === "GET" || sent.push(request.url()));
  page.on("request", note);
  await send();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  page.off("request", note);
  expect(sent).toEqual([]);
  expect(await kept.inputValue()).toBe(value);
}

const press = (page: Page, name: string) => () => page.getByRole("button", { name, exact: true }).click();

describe("an application", () => {
  test("another subdomain says that the old address ends; a taken one is refused at the field", async () => {
    const id = await application("shop");
    await application("taken");
    await using tab = await tabOf(boss, `applications/${id}/settings`);
    const { page } = tab;
    const subdomain = page.getByLabel("Subdomain");
    await page.getByLabel("Name", { exact: true }).fill("Web Shop");
    await press(page, "Save")();
    await page.getByText("Saved.").waitFor();
    await subdomain.fill("taken");
    await declines(page, press(page, "Save"), subdomain, "taken");
    await asks(page, press(page, "Save"), "stops working at once", "Change the subdomain");
    await page.locator(".field-error").waitFor();
    expect(await subdomain.inputValue()).toBe("taken");
    await subdomain.fill("store");
    await asks(page, press(page, "Save"), "shop becomes free for anybody", "Change the subdomain");
    await page
      .getByRole("link", { name: `http://store.localhost:${stage.port}` })
      .first()
      .waitFor();
    await tab.check();
  });

  test("opening it to the world is asked about, by following an organization without a policy as well; not where it is open already", async () => {
    const id = await application("inner");
    await stage.call(admin, "PUT", `/admin/applications/${id}/policy`, { authType: "api_key" });
    await stage.call(admin, "PUT", `/admin/applications/${id}`, { authMode: "custom" });
    const mode = async () =>
      (await shown<{ application: { authMode: string } }>(`/admin/applications/${id}`)).application.authMode;
    await using tab = await tabOf(boss, `applications/${id}/policy`);
    const { page } = tab;
    const save = press(page, "Save the policy");
    const asOrganization = page.getByRole("radio", { name: /^As the organization/ });
    const isPublic = page.getByRole("radio", { name: /^Public/ });
    /** Saves without being asked. */
    const becomes = async (next: string) => {
      await save();
      await eventually(async () => (await mode()) === next, `its mode is ${next}`);
      expect(await page.getByRole("dialog").count()).toBe(0);
      // The choice is what is stored, which the next one is compared with.
      await page.getByText(/^This (opens|leaves) it/).waitFor({ state: "detached" });
      await page.getByText("Remove the stored").waitFor({ state: next === "custom" ? "detached" : "visible" });
    };
    await asOrganization.check();
    await page.getByText("This opens it to the world").waitFor();
    await asks(page, save, "The organization has no policy. Until now its own policy", "Make it public");
    await eventually(async () => (await mode()) === "inherit", "it follows the organization");
    await isPublic.check();
    await page.getByText("stays so even when it gets one").waitFor();
    await tab.check();
    await tab.shot("application-stays-public");
    await becomes("disabled");
    await asOrganization.check();
    await page.getByText("Anybody may visit until it gets one.").waitFor();
    await becomes("inherit");
    await page.getByText("Own policy").click();
    await becomes("custom");
    await isPublic.check();
    const look = () => tab.looks("dialog-org-public", true);
    await asks(page, save, "Until now its own policy decides who gets in (API key).", "Make it public", look);
    await eventually(async () => (await mode()) === "disabled", "it is public");
    await page.getByText("inner is public now.").waitFor();
    // Said again and again, it stands there once.
    expect(await page.getByText("The policy is in force.").count()).toBeLessThanOrEqual(1);
    await tab.check();
  });

  test("security: an organization's policy that is not known yet is not taken for one that protects", async () => {
    const id = await application("unsure");
    await stage.call(admin, "PUT", `/admin/applications/${id}/policy`, { authType: "api_key" });
    await stage.call(admin, "PUT", `/admin/applications/${id}`, { authMode: "custom" });
    await using tab = await browser.open();
    const { page } = tab;
    await stage.enter(tab.context, boss);
    const answered = Promise.withResolvers<void>();
    await page.route("**/org/policy", async (route) => {
      await answered.promise;
      await route.continue();
    });
    await page.goto(`${stage.origin}/dashboard/applications/${id}/policy`);
    const inherit = page.getByRole("radio", { name: /^As the organization/ });
    await inherit.check();
    await declines(page, press(page, "Save the policy"), inherit, "inherit");
    const says = "Whether the organization has a policy is not known";
    await asks(page, press(page, "Save the policy"), says, "Make it public");
    answered.resolve();
    await page.getByText("The policy is in force.").waitFor();
    await tab.check();
  });
});

describe("an account", () => {
  test("password, e-mail, role and organization: each says who is logged out or disconnected", async () => {
    const id = await account("milo");
    const milo = async () => (await shown<{ account: Record<string, unknown> }>(`/admin/accounts/${id}`)).account;
    await using tab = await tabOf(admin, `accounts/${id}`);
    const { page } = tab;
    await page.getByLabel("New password").fill("short");
    await press(page, "Set password")();
    await page.locator(".field-error").getByText("At least 10 characters.").waitFor();
    await page.getByLabel("New password").fill("another-quiet-river-43");
    await declines(page, press(page, "Set password"), page.getByLabel("New password"), "another-quiet-river-43");
    await asks(page, press(page, "Set password"), "The present password stops working", "Set the password");
    await page.getByText("The password of milo was set.").waitFor();
    await stage.logIn({ username: "milo", password: "another-quiet-river-43" });

    await page.getByLabel("E-mail").fill("milo@example.com");
    await asks(page, press(page, "Set e-mail"), "Whoever proves milo@example.com", "Set the e-mail");
    await page.getByText("The e-mail was set.").waitFor();

    const isAdmin = page.getByRole("checkbox", { name: /Organization admin/ });
    await isAdmin.check();
    await asks(page, press(page, "Save"), "change everything of the organization", "Make it an admin");
    await page.getByText("The role of milo was changed.").waitFor();
    expect(await milo()).toMatchObject({ isOrgAdmin: true, email: "milo@example.com" });
    await isAdmin.uncheck();
    await asks(page, press(page, "Save"), "may then only look", "Make it a member");
    await eventually(async () => (await milo())["isOrgAdmin"] === false, "milo is a member");

    await isAdmin.check();
    await pick(page, "Organization", "glob", "Globex");
    await asks(
      page,
      press(page, "Save"),
      "sees nothing of Acme any more. In Globex it is an admin.",
      "Move the account",
    );
    await page.getByText("milo was moved.").waitFor();
    expect(await milo()).toMatchObject({ orgId: otherOrgId, isOrgAdmin: true });
    await pick(page, "Organization", "", "None");
    await asks(page, press(page, "Save"), "open to the world", "Move the account");
    await eventually(async () => (await milo())["orgId"] === null, "milo is in no organization");
    await tab.check();
  });
});

test("a refusal that names no field of the form is told all the same, and the form is kept", async () => {
  const id = await account("mona");
  await using tab = await tabOf(admin, `accounts/${id}`);
  const { page } = tab;
  await page.getByLabel("Organization", { exact: true }).waitFor();
  // Somebody else takes the account out of its organization meanwhile.
  await stage.call(admin, "PUT", `/admin/accounts/${id}/organization`, { orgId: null });
  await page.getByRole("checkbox", { name: /Organization admin/ }).check();
  await press(page, "Save")();
  await press(page, "Make it an admin")();
  await page.locator(".note[data-tone=bad]").getByText("needs an organization").waitFor();
  expect(await page.getByRole("checkbox", { name: /Organization admin/ }).isChecked()).toBe(true);
  await tab.check();
});

describe("limits", () => {
  test("an organization's limiter is its applications' default; off and back are asked about", async () => {
    const id = await application("limited");
    await using tab = await tabOf(boss, "limits");
    const { page } = tab;
    await page.getByText("inherited from the server's settings").waitFor();
    await page.getByLabel("Failures").fill("0");
    await press(page, "Save")();
    await page.locator(".field-error").getByText("A whole number from 1 to 100.").waitFor();
    await page.getByLabel("Failures").fill("4");
    await press(page, "Save")();
    await page.getByText("In force now: 4 failures").waitFor();
    await page.getByText("set here").waitFor();
    await tab.check();

    await page.goto(`${stage.origin}/dashboard/applications/${id}/limiter`);
    await page.getByText("inherited from the organization").waitFor();
    await page.locator(".effective-row").getByText("4 failures").waitFor();
    await page.getByRole("checkbox", { name: "Block addresses that fail too often" }).uncheck();
    const look = (name: string) => () => tab.looks(`dialog-org-limiter-${name}`, true);
    await asks(page, press(page, "Save"), "no longer blocked", "Switch it off", look("off"));
    await page.locator(".effective-row").getByText("off: nobody is blocked").waitFor();
    await page.locator(".effective-row").filter({ hasText: "Without it" }).getByText("the organization").waitFor();
    await tab.check();
    const reset = press(page, "Back to what is inherited…");
    await asks(page, reset, "from the organization: 4 failures", "Remove it", look("reset"));
    await page.getByText("inherited from the organization").waitFor();
    expect(await page.getByLabel("Failures").inputValue()).toBe("4");
    await page.goto(`${stage.origin}/dashboard/limits`);
    await asks(page, reset, "from the server's settings: 10 failures", "Remove it");
    await page.getByText("inherited from the server's settings").waitFor();
    await tab.check();
  });

  test("what is allowed and what is in use, seen by a member who may change nothing", async () => {
    const member = await stage.person({ username: "mia", orgId });
    await using tab = await tabOf(member, "limits");
    const { page } = tab;
    const tunnels = page.getByRole("row").filter({ hasText: "MAX_TUNNELS_PER_ORGANIZATION" });
    await tunnels.getByText("25").waitFor();
    await tunnels.getByText("0 open now").waitFor();
    await using _agent = await openTunnel({
      origin: stage.origin,
      token: member.token,
      port: service.port ?? 0,
      name: "one",
    });
    await tunnels.getByText("1 open now").waitFor();
    const requests = page.getByRole("row").filter({ hasText: "MAX_CONNECTIONS_PER_TUNNEL" });
    await requests.getByText("0 on the fullest").waitFor();
    const visit = new AbortController();
    const slow = fetch(`http://one.localhost:${stage.port}/slow`, { signal: visit.signal }).catch(() => null);
    await requests.getByText("1 on the fullest").waitFor();
    visit.abort();
    await slow;
    await requests.getByText("0 on the fullest").waitFor();
    await page.getByText("inherited from the server's settings").waitFor();
    expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0);
    expect(await page.getByLabel("Failures").isDisabled()).toBe(true);
    await tab.check();
  });
});
