// Visitors of protected applications: policies made in the editor, then met by whom they let in and whom they don't.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { startProvider, type TestProvider } from "../helpers/oidc-provider.ts";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { keepSecret, readSecret, startBrowser, type Browser, type Tab } from "./browser.ts";
import { freePort, startStage, type Stage } from "./stage.ts";

setDefaultTimeout(90_000);
let browser: Browser;
let stage: Stage;
let provider: TestProvider;
let service: Bun.Server<undefined>;
let orgId: string;
const agents: InProcessAgent[] = [];
const apps: Record<string, string> = {};
const served = ["handbook", "hooks", "staging", "down"];
const names = [...served, "locked", "unset", "away"];
beforeAll(async () => {
  const port = freePort();
  const people = {
    ada: { email: "ada@example.com", email_verified: true, groups: ["staff", "press"] },
    bob: { email: "bob@elsewhere.org", email_verified: true, groups: ["staff"] },
    cyd: { email: "cyd@example.com", email_verified: true, groups: ["guests"] },
  };
  [browser, stage, provider] = await Promise.all([
    startBrowser(),
    startStage({ PORT: String(port) }),
    startProvider([`http://localhost:${port}/auth/visitor/callback`], { people }),
  ]);
  const admin = await stage.admin();
  const create = <T>(path: string, body: unknown) => stage.call<T>(admin, "POST", path, body);
  orgId = (await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" })).organization.id;
  for (const name of names) {
    const body = { orgId, subdomain: name, name };
    apps[name] = (await create<{ application: { id: string } }>("/admin/applications", body)).application.id;
  }
  const { rawKey } = await create<{ rawKey: string }>("/admin/api-keys", { orgId, description: "agents" });
  service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      new Response(`${new URL(request.url).pathname} for ${request.headers.get("x-digit-link-email") ?? "somebody"}`),
  });
  const open = (name: string) => {
    const port = name === "down" ? freePort() : (service.port ?? 0);
    return openTunnel({ origin: stage.origin, token: rawKey, port, name, connections: 1 });
  };
  agents.push(...(await Promise.all(served.map(open))));
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.stop(0)));
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await service.stop(true);
  await provider.stop();
});

const urlOf = (name: string, path = "/") => `http://${name}.localhost:${stage.port}${path}`;

async function adminTab(path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, await stage.admin());
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  return tab;
}

async function editorOf(name: string): Promise<Tab> {
  const tab = await adminTab(`applications/${apps[name]}/policy`);
  await tab.page.getByText("Own policy").click();
  return tab;
}

async function save(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Save the policy" }).click();
  await page.getByText("The policy is in force.").waitFor();
}

/** Goes through the provider's login page as one of its people. */
async function comeAs(page: Page, who: string): Promise<void> {
  await page.getByRole("button", { name: `I am ${who}` }).click();
}

describe("single sign-on", () => {
  test("made and tested in the editor; a domain and a claim decide; who is refused reads the rule, and may come as somebody else; without the policy anybody may", async () => {
    await using tab = await adminTab(`organizations/${orgId}/policy`);
    const { page } = tab;
    await page.getByText("There is no policy yet").waitFor();
    await page.getByText("Single sign-on").first().click();
    // To be registered there before anything can be tested here.
    await page.getByText(`${stage.origin}/auth/visitor/callback`).waitFor();
    await page.getByRole("button", { name: "Copy redirect URI" }).waitFor();
    await page.getByLabel("Issuer URL").fill(`${provider.issuer}/elsewhere`);
    await page.getByRole("button", { name: "Test this provider" }).click();
    await page.getByText("This provider can't be used").waitFor();
    await page.getByLabel("Issuer URL").fill(provider.issuer);
    await page.getByRole("button", { name: "Test this provider" }).click();
    await page.getByText("The provider answers").waitFor();
    await page.getByLabel("Client id").fill(provider.clientId);
    await page.getByLabel("Client secret").fill(provider.clientSecret);
    await page.getByLabel("Allowed e-mail domains").fill("example.com");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Add a claim" }).click();
    await page.getByLabel("Claim 1", { exact: true }).fill("groups");
    await page.getByLabel("Value of claim 1").fill("staff");
    await tab.check();
    await save(page);
    await tab.check();
    await tab.shot("policy-sso");
    // An application that follows its organization says so.
    await page.goto(`${stage.origin}/dashboard/applications/${apps["handbook"]}/policy`);
    const logIn = page.locator(".effective-row").filter({ hasText: "Single sign-on" });
    await logIn.getByText("organization").waitFor();
    await tab.check();

    await using visitor = await browser.open();
    await visitor.page.goto(urlOf("handbook", "/guide?page=2"));
    await comeAs(visitor.page, "bob");
    await visitor.page.getByText("only for people with an e-mail address of certain domains").waitFor();
    await visitor.page.getByText("You came as bob@elsewhere.org").waitFor();
    await visitor.page.getByText("ask whoever shared this address").waitFor();
    expect(await visitor.page.textContent("body")).not.toContain("example.com");
    await visitor.check();
    await visitor.shot("visitor-refused-domain");

    await visitor.page.getByRole("link", { name: "Log in as somebody else" }).click();
    await comeAs(visitor.page, "cyd");
    await visitor.page.getByText("only for accounts with a certain groups").waitFor();
    await visitor.page.getByText("You came as cyd@example.com").waitFor();
    expect(await visitor.page.textContent("body")).not.toContain("staff");
    await visitor.check();
    const request = (await visitor.page.locator("p code").last().textContent()) ?? "";

    await visitor.page.getByRole("link", { name: "Log in as somebody else" }).click();
    await comeAs(visitor.page, "ada");
    await visitor.page.getByText("/guide for ada@example.com").waitFor();
    expect(visitor.page.url()).toBe(urlOf("handbook", "/guide?page=2"));

    await visitor.page.goto(urlOf("handbook", "/__auth/logout"));
    await visitor.check();
    await visitor.shot("visitor-logout");
    await visitor.page.getByRole("button", { name: "Log out" }).click();
    // The provider's session can be ended as well.
    await visitor.page.getByRole("button", { name: "Yes, log out" }).click();
    await visitor.page.getByRole("heading", { name: "Logged out of the provider" }).waitFor();
    await visitor.page.goto(urlOf("handbook", "/guide"));
    await visitor.page.getByRole("heading", { name: "Who are you?" }).waitFor();

    // The operator finds the refusal by the number that the visitor names.
    await page.goto(`${stage.origin}/dashboard/audit?action=visitor.login&outcome=failure&app=${apps["handbook"]}`);
    await page.getByRole("button", { name: "visitor.login" }).first().click();
    await page.getByRole("dialog").getByText(request).waitFor();
    await page.getByRole("dialog").getByText("claim_mismatch").first().waitFor();
    await page.getByRole("dialog").getByText("cyd@example.com").first().waitFor();

    // Who came stands beside the address in the list of requests.
    await page.goto(`${stage.origin}/dashboard/requests`);
    const visit = page.getByRole("row").filter({ hasText: "ada@example.com" }).filter({ hasText: "/guide" });
    await visit.getByRole("cell", { name: "ada@example.com 127.0.0.1" }).waitFor();
    expect(tab.problems).toEqual([]);

    // Without the policy the application is public: the question says so, its page says so, and strangers get in.
    await page.goto(`${stage.origin}/dashboard/organizations/${orgId}/policy`);
    await page.getByRole("button", { name: "Remove the stored policy…" }).click();
    await page.getByRole("dialog").getByText("becomes public: anybody may visit it").waitFor();
    await page.getByRole("button", { name: "Remove the policy", exact: true }).click();
    await page.getByText("The policy was removed.").waitFor();
    await page.getByText("There is no policy yet").waitFor();
    expect(await page.getByRole("button", { name: "Remove the stored policy…" }).count()).toBe(0);
    await tab.check();
    await page.goto(`${stage.origin}/dashboard/applications/${apps["handbook"]}`);
    await page.getByText("Open to the world").waitFor();
    await tab.check();
    await eventually(async () => (await fetch(urlOf("handbook", "/guide"))).ok, "the application is public");
    await visitor.page.goto(urlOf("handbook", "/guide"));
    await visitor.page.getByText("/guide for somebody").waitFor();
  });
});

describe("API keys", () => {
  test("a key made in the dashboard opens the application for a program; without one the answer says what is asked", async () => {
    await using tab = await editorOf("hooks");
    const { page } = tab;
    await page.getByText("API key", { exact: true }).first().click();
    await save(page);
    await page.getByRole("link", { name: "API keys" }).last().click();
    await page.getByRole("button", { name: "New key" }).first().click();
    await page.getByLabel("Description").fill("webhook sender");
    await page.getByText("Visit", { exact: true }).click();
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await readSecret(page, "API key");
    await keepSecret(page);

    const ask = (headers: Record<string, string>) => fetch(urlOf("hooks", "/in"), { headers });
    expect(await (await ask({ "x-api-key": key })).text()).toBe("/in for somebody");
    expect((await ask({ authorization: `Bearer ${key}` })).status).toBe(200);
    const without = await ask({});
    expect(without.status).toBe(401);
    expect(await without.text()).toContain("asks for an API key: X-API-Key");
    expect((await ask({ "x-api-key": `${key.slice(0, -4)}xxxx` })).status).toBe(401);

    await using visitor = await browser.open();
    await visitor.page.goto(urlOf("hooks", "/in"));
    await visitor.page.getByRole("heading", { name: "asks for an API key" }).waitFor();
    await visitor.page.getByText("ask whoever shared this address").waitFor();
    await visitor.check();
    await visitor.shot("visitor-api-key");
  });
});

describe("username and password", () => {
  test("the log-in page tells a wrong password, lets the right one in, and logging out ends it; programs use HTTP Basic", async () => {
    await using tab = await editorOf("staging");
    const { page } = tab;
    await page.getByLabel("Username for visitors").fill("guest");
    await page.getByLabel("Password for visitors").fill("come on in 77");
    await page.getByLabel("Visitors stay logged in for (hours)").fill("0");
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.getByText("1 to 8,760 hours.").waitFor();
    await page.getByLabel("Visitors stay logged in for (hours)").fill("2");
    await save(page);
    await page.locator(".effective-row").getByText("Password, for 2 hours").waitFor();

    await using visitor = await browser.open("phone");
    const form = visitor.page;
    await form.goto(urlOf("staging", "/board?week=3"));
    await form.getByLabel("Username").fill("guest");
    await form.getByLabel("Password").fill("let me in 77");
    await form.getByRole("button", { name: "Log in" }).click();
    await form.getByText("The username or password is wrong.").waitFor();
    await visitor.check();
    await visitor.shot("visitor-wrong-password");
    expect(await form.getByLabel("Username").inputValue()).toBe("guest");
    await form.getByLabel("Password").fill("come on in 77");
    await form.getByRole("button", { name: "Log in" }).click();
    await form.getByText("/board for somebody").waitFor();
    expect(form.url()).toBe(urlOf("staging", "/board?week=3"));
    await form.goto(urlOf("staging", "/__auth/logout"));
    await form.getByRole("button", { name: "Log out" }).click();
    await form.getByRole("heading", { name: "Logged out" }).waitFor();
    await visitor.check();
    await form.getByRole("link", { name: "Log in again" }).click();
    await form.getByRole("button", { name: "Log in" }).waitFor();

    const program = await fetch(urlOf("staging"));
    expect(program.status).toBe(401);
    expect(program.headers.get("www-authenticate")).toStartWith("Basic ");
    expect(await program.text()).toContain("asks for a username and password");
    const authorization = `Basic ${btoa("guest:come on in 77")}`;
    expect(await (await fetch(urlOf("staging"), { headers: { authorization } })).text()).toBe("/ for somebody");
  });
});

describe("what a visitor reads when it does not work", () => {
  /** Looks at an error page in both schemes. */
  async function reads(tab: Tab, url: string, status: number, words: string): Promise<void> {
    const answer = await tab.page.goto(url);
    expect(answer?.status(), url).toBe(status);
    await tab.page.getByText(words).first().waitFor();
    // The browser tells a failed page on the console, and nothing else may be there.
    expect(tab.problems.filter((problem) => !problem.includes(`a status of ${status}`))).toEqual([]);
    tab.problems.length = 0;
    await tab.looks(`visitor-${status}-${words.toLowerCase().replace(/\W+/g, "-")}`);
  }

  test("each status is a page that says which part failed or which rule refused, and what to do", async () => {
    const admin = await stage.admin();
    const put = (name: string, part: string, body: object) =>
      stage.call(admin, "PUT", `/admin/applications/${apps[name]}${part}`, body);
    const custom = (name: string) => put(name, "", { authMode: "custom" });
    const basic = { authType: "basic", basicUsername: "guest", basicPassword: "come on in 77" };
    await put("hooks", "/policy", { authType: "api_key" });
    await put("staging", "/policy", { ...basic, denyIps: ["127.0.0.1"] });
    await put("locked", "/policy", basic);
    const limit = { enabled: true, maxAttempts: 1, windowDurationSeconds: 60, blockDurationSeconds: 600 };
    await put("locked", "/rate-limit", limit);
    await put("down", "", { authMode: "disabled" });
    await put("away", "", { authMode: "disabled" });
    for (const name of ["hooks", "staging", "locked", "unset"]) await custom(name);
    const status = async (name: string, headers: Record<string, string> = {}) =>
      (await fetch(urlOf(name), { headers, redirect: "manual" })).status;
    const wrong = { authorization: `Basic ${btoa("guest:wrong")}` };
    await eventually(async () => (await status("unset")) === 403, "the policies are in force");
    await eventually(async () => (await status("locked", wrong)) === 429, "the address is blocked");

    await using visitor = await browser.open();
    await reads(visitor, urlOf("no-such-name"), 404, "There is no tunnel with this name");
    await reads(visitor, urlOf("hooks", "/page"), 401, "asks for an API key");
    await reads(visitor, urlOf("staging"), 403, "may not be visited from your address");
    await reads(visitor, urlOf("unset"), 403, "Nobody may visit this application");
    await reads(visitor, urlOf("locked"), 429, "Try again in 10 minutes");
    await reads(visitor, urlOf("down"), 502, "Local service");
    await reads(visitor, urlOf("away"), 503, "not connected");
  });
});
