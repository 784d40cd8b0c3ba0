// What the page says is so: failures in words that help, findings only of what was looked at, news on a slow line as well.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { keepSecret } from "./browser.ts";
import { freePort, goodPassword } from "./stage.ts";
import { startLiveStage, type LiveStage } from "./live-stage.ts";

setDefaultTimeout(60_000);
let live: LiveStage;
beforeAll(async () => {
  live = await startLiveStage();
});
afterAll(async () => live[Symbol.asyncDispose]());

test("a URL that the browser does not let one copy, and a service that does not answer, are told as the failures they are", async () => {
  await using _agent = await live.open("quiet", live.token, freePort());
  await using tab = await live.adminTab("tunnels?q=quiet");
  const { page } = tab;
  // As on plain http on another machine.
  await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
  const choose = async (item: string) => {
    await page.getByRole("button", { name: "Actions for quiet" }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  await choose("Copy the URL");
  const toasts = page.locator(".toast[data-tone=bad]");
  await toasts.getByText("Select the URL and copy it by hand").waitFor();
  await choose("Check the service now");
  await toasts.getByText("The local service of quiet does not answer").waitFor();
  await tab.check();
});

test("what was found out about one provider is not said of another", async () => {
  await using tab = await live.tabOf(live.boss, "policy");
  const { page } = tab;
  await page.getByText("Single sign-on").first().click();
  const found = page.getByText("This provider can't be used");
  const url = page.getByLabel("Issuer URL");
  const first = `http://127.0.0.1:${freePort()}`;
  await url.fill(first);
  await page.getByRole("button", { name: "Test this provider" }).click();
  await found.waitFor();
  await url.fill(`${first}/other`);
  await found.waitFor({ state: "detached" });
  // Nor when the answer comes after the URL has changed.
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  await page.route("**/oidc/test", async (route) => {
    asked.resolve();
    await held.promise;
    await route.continue();
  });
  await page.getByRole("button", { name: "Test this provider" }).click();
  await asked.promise;
  await url.fill(`${first}/third`);
  held.resolve();
  await page.getByRole("button", { name: "Test this provider", disabled: false }).waitFor();
  expect(await found.count()).toBe(0);
  await url.fill(`${first}/other`);
  await found.waitFor();
});

test("the audit log follows on a line that is slower than the events", async () => {
  await using tab = await live.tabOf(live.boss, "audit?action=api_key.created");
  const { page } = tab;
  await page.getByText("Nothing matches").waitFor();
  // Each takes longer than the next reason to fetch needs to come.
  await page.route("**/org/audit?*", async (route) => {
    await Bun.sleep(1_500);
    await route.continue().catch(() => {});
  });
  await page.getByRole("switch", { name: "Follow" }).check();
  const rows = page.getByRole("button", { name: "api_key.created" });
  await eventually(async () => {
    await live.stage.call(live.boss, "POST", "/org/api-keys", { description: "one of many" });
    return (await rows.count()) > 0;
  }, "a list is shown before the events stop");
});

test("who must wait is told until when, wherever that is said", async () => {
  await using tab = await live.tabOf(live.boss, "me");
  const { page } = tab;
  await page.route("**/org/me/password", (route) =>
    route.fulfill({
      status: 429,
      headers: { "retry-after": "1800" },
      json: { error: { code: "rate_limited", message: "Too many failed attempts. Try again later.", requestId: "r1" } },
    }),
  );
  await page.getByLabel("Current password").fill("wrong password 1");
  for (const label of ["New password", "New password, once more"]) {
    await page.getByLabel(label, { exact: true }).fill("another-good-one-42");
  }
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText(/Try again later\. Not before \d\d:\d\d:\d\d\./).waitFor();
  await tab.check();
});

test("security: what waits for a log-in is not done in the name of somebody else who logs in meanwhile", async () => {
  const account = { username: "otto", password: goodPassword, isOrgAdmin: true };
  await live.stage.call(live.boss, "POST", "/org/accounts", account);
  const otto = { ...live.boss, username: "otto", cookie: await live.stage.logIn(account) };
  await using tab = await live.tabOf(live.boss, `applications/${live.appId}/settings`);
  const { page } = tab;
  await page.getByLabel("Name", { exact: true }).fill("Meant by the boss");
  await live.stage.enter(tab.context, { ...otto, cookie: `${otto.cookie.split("=")[0]}=ended` });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const again = page.getByRole("dialog", { name: "Log in again" });
  await again.waitFor();
  const sent: string[] = [];
  page.on("request", (request) => request.method() === "PUT" && sent.push(request.url()));
  // The page wants to be left, which somebody may refuse.
  const leaving = page.waitForEvent("dialog");
  await live.stage.enter(tab.context, otto);
  const other = await tab.context.newPage();
  await other.goto(`${live.stage.origin}/dashboard/overview`);
  await (await leaving).dismiss();
  await again.waitFor();
  expect(sent).toEqual([]);
  const { application } = await live.stage.call<{ application: { name: string } }>(
    ...([otto, "GET", `/org/applications/${live.appId}`] as const),
  );
  expect(application.name).toBe("Web Shop");
});

test("new numbers come into the chart that is there, and build no other under the pointer", async () => {
  await using tab = await live.tabOf(await live.stage.admin(), `applications/${live.appId}`);
  const { page } = tab;
  await page.locator(".chart-empty").waitFor();
  await page.evaluate("void (window.before = document.querySelector('.uplot'))");
  await using _agent = await live.open("shop", live.boss.token);
  await live.visit("shop", "/");
  await page.locator(".chart-empty").waitFor({ state: "detached" });
  expect(await page.evaluate("window.before.isConnected")).toBe(true);
});

test("what is reported over a dialog can be read and closed there, and stays when the dialog goes", async () => {
  await using tab = await live.tabOf(live.boss, "keys");
  const { page } = tab;
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByLabel("Description").fill("one to copy");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
  const copy = page.getByRole("button", { name: /^Copy/ }).first();
  const report = page.locator(".toast").filter({ hasText: "The browser does not allow copying here" });
  await copy.click();
  await report.waitFor();
  // What is inert nobody hears of.
  const { nodes } = (await (await tab.context.newCDPSession(page)).send("Accessibility.getFullAXTree")) as {
    nodes: { ignored: boolean; name?: { value?: string } }[];
  };
  expect(nodes.some(({ ignored, name }) => !ignored && /does not allow copying/.test(name?.value ?? ""))).toBe(true);
  await tab.check();
  await report.getByRole("button", { name: "Dismiss" }).click({ timeout: 2_000 });
  await report.waitFor({ state: "detached" });
  await page.getByRole("dialog").waitFor();
  await copy.click();
  await report.waitFor();
  await keepSecret(page);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await report.getByRole("button", { name: "Dismiss" }).click();
});

test("the bare address asks all that it has to ask at once, and the log-in waits for nothing that it can do without", async () => {
  await using tab = await live.browser.open();
  const { page } = tab;
  const asked = new Set<string>();
  const held = Promise.withResolvers<void>();
  await page.route(/\/auth\/|\/setup\/status/, async (route) => {
    const { pathname } = new URL(route.request().url());
    asked.add(pathname);
    if (pathname !== "/auth/oauth") await held.promise;
    // Which providers there are is never told.
    if (pathname !== "/auth/oauth") await route.continue();
  });
  await page.goto(live.stage.origin);
  const first = ["/auth/me", "/auth/oauth", "/setup/status"];
  await eventually(() => Promise.resolve(first.every((path) => asked.has(path))), "all is asked");
  const waits = page.getByText("Loading…", { exact: true });
  await waits.waitFor();
  held.resolve();
  await page.getByLabel("Username").waitFor({ timeout: 5_000 });
  expect(await waits.isVisible()).toBe(false);
});
