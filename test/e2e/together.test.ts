// Several people change the same thing: a form shows what is stored now, and takes nothing back that it did not change.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { answered, pick, startBrowser, type Browser, type Tab } from "./browser.ts";
import { goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
let admin: Person;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  admin = await stage.admin();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function tabOf(person: Person, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  return tab;
}

interface Answer {
  organization: { id: string; name: string; requireTotp: boolean };
}
const found = (name: string) => stage.call<Answer>(admin, "POST", "/admin/organizations", { name });

const modeOf = async (path: string) =>
  (await stage.call<{ application: { authMode: string } }>(admin, "GET", path)).application.authMode;

test("security: a rename does not take back that a second factor is required since", async () => {
  const { id } = (await found("Acme")).organization;
  await using tab = await tabOf(admin, `organizations/${id}/settings`);
  const { page } = tab;
  await page.getByLabel("Name", { exact: true }).fill("Acme Robotics");
  await stage.call(admin, "PUT", `/admin/organizations/${id}`, { requireTotp: true });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved: it is called Acme Robotics now.").waitFor();
  const { organization } = await stage.call<Answer>(admin, "GET", `/admin/organizations/${id}`);
  expect(organization).toMatchObject({ name: "Acme Robotics", requireTotp: true });
  await eventually(
    () => page.getByLabel("Require two-factor authentication").isChecked(),
    "the form shows what is stored",
  );
});

test("a form shows what was stored since, but for what is being typed, which alone is sent", async () => {
  const { id } = (await found("Globex")).organization;
  const { application } = await stage.call<{ application: { id: string } }>(admin, "POST", "/admin/applications", {
    ...{ orgId: id, subdomain: "desk", name: "Desk" },
  });
  await using tab = await tabOf(admin, `applications/${application.id}/settings`);
  const { page } = tab;
  const [name, subdomain] = [page.getByLabel("Name", { exact: true }), page.getByLabel("Subdomain")];
  await name.waitFor();
  /** Changes it elsewhere, and comes back to the tab until that is seen. */
  const change = async (body: unknown, isSeen: () => Promise<boolean>) => {
    await stage.call(admin, "PUT", `/admin/applications/${application.id}`, body);
    await eventually(async () => {
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))");
      return isSeen();
    }, "the form shows what was stored");
  };
  await change({ name: "Counter" }, async () => (await name.inputValue()) === "Counter");
  expect(await page.getByRole("button", { name: "Save", exact: true }).isDisabled()).toBe(true);

  await name.fill("My own name");
  const isAnew = async () => (await subdomain.inputValue()) === "counter";
  await change({ name: "Counted", subdomain: "counter" }, isAnew);
  expect(await name.inputValue()).toBe("My own name");
  const sent = page.waitForRequest((request) => request.method() === "PUT");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  expect((await sent).postDataJSON()).toEqual({ name: "My own name" });
  await page.getByText("Saved.", { exact: true }).waitFor();
  expect(await name.inputValue()).toBe("My own name");
  await tab.check();
});

describe("security: one policy, two who change it", () => {
  const basic = { authType: "basic", basicUsername: "guest", basicPassword: goodPassword };
  const stored = async (id: string) =>
    (await stage.call<{ policy: Record<string, unknown> }>(admin, "GET", `/admin/organizations/${id}/policy`)).policy;
  const store = (id: string, policy: object) =>
    stage.call(admin, "PUT", `/admin/organizations/${id}/policy`, { ...basic, ...policy });

  test("whoever saves an older one is told, sees what the other stored, and takes none of it back", async () => {
    const { id } = (await found("Initech")).organization;
    await store(id, {});
    await using tab = await tabOf(admin, `organizations/${id}/policy`);
    const { page } = tab;
    const hours = page.getByLabel(/^Visitors stay logged in/);
    const save = page.getByRole("button", { name: "Save the policy" });
    const told = page.getByText(/^Somebody else (changed|removed) this policy meanwhile/);
    await hours.fill("8");
    await store(id, { allowIps: ["192.0.2.0/24"] });
    await save.click();
    await page.getByRole("alert").getByText("The policy was changed meanwhile").waitFor();
    await page.getByText("192.0.2.0/24", { exact: true }).waitFor();
    await told.waitFor();
    expect(await hours.inputValue()).toBe("8");
    expect(await stored(id)).toMatchObject({ allowIps: ["192.0.2.0/24"], sessionHours: 24 });
    await tab.looks("policy-changed-meanwhile");
    await save.click();
    await page.getByText("The policy is in force.").waitFor();
    expect(await stored(id)).toMatchObject({ allowIps: ["192.0.2.0/24"], sessionHours: 8 });
    expect(await told.count()).toBe(0);

    // Whoever comes back to the page need not try to save.
    await hours.fill("9");
    await stage.call(admin, "DELETE", `/admin/organizations/${id}/policy`);
    await eventually(async () => {
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))");
      return told.isVisible();
    }, "it is told that it was removed");
    expect(await hours.inputValue()).toBe("9");
    await page.getByRole("button", { name: "Discard my changes" }).click();
    await page.getByText("There is no policy yet").waitFor();
    expect(await hours.inputValue()).toBe("24");
    expect(await save.isDisabled()).toBe(true);
  });
});

test("security: of two who choose whose policy counts, the second is told, and opens nothing that the first has closed", async () => {
  const { id: orgId } = (await found("Umbrella")).organization;
  const basic = { authType: "basic", basicUsername: "guest", basicPassword: goodPassword };
  await stage.call(admin, "PUT", `/admin/organizations/${orgId}/policy`, basic);
  const body = { orgId, subdomain: "vault", name: "Vault" };
  const { application } = await stage.call<{ application: { id: string } }>(admin, "POST", "/admin/applications", body);
  const path = `/admin/applications/${application.id}`;
  await stage.call(admin, "PUT", `${path}/policy`, basic);
  await using first = await tabOf(admin, `applications/${application.id}/policy`);
  await using second = await tabOf(admin, `applications/${application.id}/policy`);
  const { page } = second;
  const save = (tab: Tab) => tab.page.getByRole("button", { name: "Save the policy" });
  const mode = (tab: Tab, name: RegExp) => tab.page.getByRole("radio", { name });
  await mode(second, /^Public/).check();
  await save(second).click();
  await page.getByRole("dialog").getByText("Until now the organization's policy decides").waitFor();

  await mode(first, /^Own policy/).check();
  await save(first).click();
  await first.page.getByText("The policy is in force.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Make it public" }).click();
  await page.getByRole("alert").getByText("The application's policy was changed meanwhile").waitFor();
  const told = page.getByText("Somebody else chose “Own policy” for this application meanwhile");
  await told.waitFor();
  await page.getByText("Until now its own policy decides who gets in").waitFor();
  expect(await modeOf(path)).toBe("custom");
  await second.looks("mode-changed-meanwhile");
  await page.getByRole("button", { name: "Discard my changes" }).click();
  await told.waitFor({ state: "detached" });
  expect(await mode(second, /^Own policy/).isChecked()).toBe(true);

  // Somebody who changes the policy does not choose again that it counts.
  await page.route("**/policy", async (route) => {
    if (route.request().method() === "PUT") await stage.call(admin, "PUT", path, { authMode: "inherit" });
    await route.continue();
  });
  await page.getByLabel(/^Visitors stay logged in/).fill("8");
  await save(second).click();
  await page.getByText("not in force: somebody else has chosen “As the organization” meanwhile").waitFor();
  expect(await mode(second, /^As the organization/).isChecked()).toBe(true);
  await second.shot("policy-not-in-force");
  expect(await save(second).isDisabled()).toBe(true);
  expect(await modeOf(path)).toBe("inherit");
  await second.check();
});

test("security: who chooses to follow an organization is asked when its policy was removed meanwhile", async () => {
  const { id: orgId } = (await found("Aperture")).organization;
  const policy = `/admin/organizations/${orgId}/policy`;
  const keys = { authType: "api_key" };
  await stage.call(admin, "PUT", policy, keys);
  const body = { orgId, subdomain: "portal", name: "Portal" };
  const { application } = await stage.call<{ application: { id: string } }>(admin, "POST", "/admin/applications", body);
  const path = `/admin/applications/${application.id}`;
  await stage.call(admin, "PUT", `${path}/policy`, keys);
  await stage.call(admin, "PUT", path, { authMode: "custom" });
  await using tab = await tabOf(admin, `applications/${application.id}/policy`);
  const { page } = tab;
  const save = page.getByRole("button", { name: "Save the policy" });
  await answered(page, policy);
  await page.getByRole("radio", { name: /^As the organization/ }).check();
  await stage.call(admin, "DELETE", policy);
  await save.click();
  await page.getByRole("alert").getByText("The organization's policy was changed meanwhile").waitFor();
  await page.getByText("This opens it to the world").waitFor();
  expect(await modeOf(path)).toBe("custom");
  await tab.looks("inherited-removed-meanwhile");
  await save.click();
  await page.getByRole("dialog").getByText("Until now its own policy decides who gets in").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Make it public" }).click();
  await eventually(async () => (await modeOf(path)) === "inherit", "it is as was agreed to");
  await tab.check();
});

test("security: what somebody else has stored since the question is not removed", async () => {
  const { id } = (await found("Cyberdyne")).organization;
  await using tab = await tabOf(admin, `organizations/${id}/policy`);
  const { page } = tab;
  const dialog = page.getByRole("dialog");
  for (const [place, part, stored, button, action] of [
    ["policy", "policy", { authType: "api_key" }, "Remove the stored policy…", "Remove the policy"],
    ["limits", "rate-limit", { maxAttempts: 3 }, "Back to what is inherited…", "Remove it"],
  ] as const) {
    const path = `/admin/organizations/${id}/${part}`;
    await stage.call(admin, "PUT", path, stored);
    await page.goto(`${stage.origin}/dashboard/organizations/${id}/${place}`);
    await page.getByRole("button", { name: button }).click();
    await dialog.waitFor();
    await stage.call(admin, "PUT", path, stored);
    const before = await stage.call(admin, "GET", path);
    await dialog.getByRole("button", { name: action }).click();
    await dialog.getByText(/^The (policy|limiter) was changed meanwhile/).waitFor();
    expect(await stage.call(admin, "GET", path)).toEqual(before);
    await tab.looks(`removed-meanwhile-${place}`);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: button }).click();
    await dialog.getByRole("button", { name: action }).click();
    await dialog.waitFor({ state: "detached" });
  }
  await tab.check();
});

test("security: who is made an admin of one organization, and was moved meanwhile, is not made one of the other; a role is not taken along unsaid", async () => {
  const [{ id: from }, { id: to }] = [(await found("Soylent")).organization, (await found("Tyrell")).organization];
  const member = { username: "mona", orgId: from, password: goodPassword };
  const { account } = await stage.call<{ account: { id: string } }>(admin, "POST", "/admin/accounts", member);
  const path = `/admin/accounts/${account.id}`;
  const stored = async () => (await stage.call<{ account: object }>(admin, "GET", path)).account;
  await using tab = await tabOf(admin, `accounts/${account.id}`);
  const { page } = tab;
  const role = page.getByRole("checkbox", { name: /Organization admin/ });
  const dialog = page.getByRole("dialog");
  const save = page.getByRole("button", { name: "Save", exact: true });
  await role.check();
  await save.click();
  await dialog.getByText("Make mona an admin of Soylent?").waitFor();
  await stage.call(admin, "PUT", `${path}/organization`, { orgId: to });
  await dialog.getByRole("button", { name: "Make it an admin" }).click();
  await page.getByRole("alert").getByText("The account's organization was changed meanwhile").waitFor();
  await page.getByRole("link", { name: "Tyrell" }).waitFor();
  expect(await stored()).toMatchObject({ orgId: to, isOrgAdmin: false });
  await tab.looks("account-moved-meanwhile");
  await save.click();
  await dialog.getByText("Make mona an admin of Tyrell?").waitFor();
  await dialog.getByRole("button", { name: "Make it an admin" }).click();
  await page.getByText("The role of mona was changed.").waitFor();
  expect(await stored()).toMatchObject({ orgId: to, isOrgAdmin: true });

  // What it may do there may have been taken from it by now: in the other one it is a member, unless that is chosen.
  await pick(page, "Organization", "soyl", "Soylent");
  expect(await role.isChecked()).toBe(false);
  await stage.call(admin, "PUT", `${path}/org-admin`, { isOrgAdmin: false });
  await save.click();
  await dialog.getByText("In Soylent it is a member.").waitFor();
  await dialog.getByRole("button", { name: "Move the account" }).click();
  await page.getByText("mona was moved.").waitFor();
  expect(await stored()).toMatchObject({ orgId: from, isOrgAdmin: false });
  await tab.check();
});

test("security: a limiter takes no number back that somebody else has set since, seen here or not", async () => {
  const { id } = (await found("Hooli")).organization;
  const path = `/admin/organizations/${id}/rate-limit`;
  const limit = { enabled: true, maxAttempts: 5, windowDurationSeconds: 60, blockDurationSeconds: 60 };
  await stage.call(admin, "PUT", path, limit);
  await using first = await tabOf(admin, `organizations/${id}/limits`);
  await using second = await tabOf(admin, `organizations/${id}/limits`);
  /** Changes one number; resolves with what was sent for that. */
  const set = async ({ page }: Tab, label: string, value: string): Promise<unknown> => {
    await page.getByLabel(label, { exact: true }).fill(value);
    const sent = page.waitForRequest((request) => request.method() === "PUT");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText(/^In force now/).waitFor();
    return (await sent).postDataJSON();
  };
  const stored = async () => (await stage.call<{ rateLimit: object }>(admin, "GET", path)).rateLimit;
  await second.page.getByLabel("Failures", { exact: true }).waitFor();
  await set(first, "Blocked for (seconds)", "3600");
  expect(await set(second, "Failures", "7")).toEqual({ maxAttempts: 7 });
  expect(await stored()).toMatchObject({ ...limit, maxAttempts: 7, blockDurationSeconds: 3_600 });
  expect(await second.page.getByLabel("Blocked for (seconds)").inputValue()).toBe("3600");
  await second.page.getByText("In force now: 7 failures within 1 min, then blocked for 60 min.").waitFor();

  // Whoever comes back to the page sees what was set since.
  const within = first.page.getByLabel("Within (seconds)");
  await first.page.getByLabel("Failures", { exact: true }).fill("9");
  await stage.call(admin, "PUT", path, { windowDurationSeconds: 120 });
  await eventually(async () => {
    await first.page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))");
    return (await within.inputValue()) === "120";
  }, "what was set since is shown");
  await first.check();
});
