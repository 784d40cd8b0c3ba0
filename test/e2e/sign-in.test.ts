// Signing in at a provider in a real browser: linking, coming back, the second factor, strangers, and providers that refuse.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { startProvider, type TestProvider } from "../helpers/oidc-provider.ts";
import { startBrowser, type Browser, type Tab } from "./browser.ts";
import { codeOf, freePort, goodPassword, startStage, type Person, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let provider: TestProvider;
let stage: Stage;
beforeAll(async () => {
  const port = String(freePort());
  browser = await startBrowser();
  provider = await startProvider([`http://localhost:${port}/auth/oauth/oidc/callback`]);
  stage = await startStage({
    PORT: port,
    OIDC_LOGIN_NAME: "Acme SSO",
    OIDC_LOGIN_ISSUER: provider.issuer,
    OIDC_LOGIN_CLIENT_ID: provider.clientId,
    OIDC_LOGIN_CLIENT_SECRET: provider.clientSecret,
    GITHUB_CLIENT_ID: "github-client",
    GITHUB_CLIENT_SECRET: "github-secret",
    GOOGLE_CLIENT_ID: "google-client",
    GOOGLE_CLIENT_SECRET: "google-secret",
  });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await provider.stop();
});

async function tabOf(person: Person, path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, person);
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  return tab;
}

describe("sign-in providers", () => {
  test("a stranger is told so and can still log in; who links the identity comes back by it alone, to the page that was asked for", async () => {
    await using stranger = await browser.open();
    await stranger.page.goto(`${stage.origin}/login`);
    await stranger.page.getByRole("link", { name: "Continue with Acme SSO" }).waitFor();
    await stranger.check();
    await stranger.shot("login-providers");
    await stranger.page.getByRole("link", { name: "Continue with Acme SSO" }).click();
    await stranger.page.getByText("No account here belongs to that identity").waitFor();
    await stranger.check();
    await stranger.page.getByLabel("Username").waitFor();

    const person = await stage.person({ username: "ada" });
    await using tab = await tabOf(person, "me");
    await tab.page.getByRole("link", { name: "Link Acme SSO" }).click();
    await tab.page.waitForURL("**/dashboard/me");
    await tab.page.getByRole("heading", { name: "My account", level: 1 }).waitFor();
    await tab.check();

    await stranger.page.goto(`${stage.origin}/dashboard/me/sessions?x=1`);
    await stranger.page.waitForURL("**/login?next=*");
    await stranger.page.getByRole("link", { name: "Continue with Acme SSO" }).click();
    await stranger.page.waitForURL("**/dashboard/me/sessions?x=1");
    await stranger.page.getByRole("button", { name: "Account: ada" }).waitFor();
    await stranger.check();
  });

  test("the identity of somebody else can't be linked twice, and the page says why", async () => {
    const other = await stage.person({ username: "bob" });
    await using tab = await tabOf(other, "me");
    await tab.page.getByRole("link", { name: "Link Acme SSO" }).click();
    const reason = tab.page.getByText("That identity is linked to another account.");
    await reason.waitFor();
    const goOn = tab.page.getByRole("link", { name: "go on to the dashboard" });
    await goOn.waitFor();
    expect(await reason.isVisible()).toBe(true);
    await tab.check();
    await goOn.click();
    await tab.page.getByRole("button", { name: "Account: bob" }).waitFor();
  });
});

describe("security", () => {
  test("a provider proves only the first factor: an admin is still asked for a code", async () => {
    await using world = await startAdminStage();
    await using tab = await browser.open();
    const { page } = tab;
    await world.stage.enter(tab.context, world.admin);
    await page.goto(`${world.stage.origin}/dashboard/me`);
    await page.getByRole("link", { name: "Link Single sign-on" }).click();
    await page.waitForURL("**/dashboard/me");
    await tab.context.clearCookies();
    await page.goto(`${world.stage.origin}/login`);
    await page.getByRole("link", { name: "Continue with Single sign-on" }).click();
    await page.getByLabel("Code from your authenticator").waitFor();
    // Nothing of the half-done login stays in the address or in the history.
    expect(page.url()).toBe(`${world.stage.origin}/login`);
    await tab.check();
    await page.goto(`${world.stage.origin}/dashboard/overview`);
    await page.waitForURL("**/login?next=*");
    await page.getByRole("link", { name: "Continue with Single sign-on" }).click();
    await page.getByLabel("Code from your authenticator").fill(codeOf(world.admin.seed ?? "", 1));
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    expect(tab.problems).toEqual([]);
  });

  test.each([
    ["GitHub", "https://github.com/login/oauth/authorize"],
    ["Google", "https://accounts.google.com/o/oauth2/v2/auth"],
  ])("%s is asked at its own address, with PKCE and state; its refusal leads back with a reason", async (name, url) => {
    await using tab = await browser.open();
    const { page } = tab;
    let asked = new URL("about:blank");
    await tab.context.route(`${url}**`, async (route) => {
      asked = new URL(route.request().url());
      const back = new URL(asked.searchParams.get("redirect_uri") ?? "");
      back.search = new URLSearchParams({
        error: "access_denied",
        state: asked.searchParams.get("state") ?? "",
      }).toString();
      await route.fulfill({ status: 302, headers: { location: back.href } });
    });
    // What a redirect leads to can't be answered in somebody's place: a page in between makes it an address of its own.
    await tab.context.route(`${stage.origin}/auth/oauth/${name.toLowerCase()}?*`, async (route) => {
      const sent = await route.fetch({ maxRedirects: 0 });
      const { location = "", ...headers } = sent.headers();
      expect(sent.status()).toBe(303);
      const body = `<meta http-equiv="refresh" content="0;url=${Bun.escapeHTML(location)}">`;
      await route.fulfill({ status: 200, headers: { ...headers, "content-type": "text/html" }, body });
    });
    await page.goto(`${stage.origin}/login`);
    await page.getByRole("link", { name: `Continue with ${name}` }).click();
    await page.getByText("Signing in at the provider did not work").waitFor();
    expect(asked.origin + asked.pathname).toBe(url);
    expect(asked.searchParams.get("code_challenge_method")).toBe("S256");
    expect(asked.searchParams.get("redirect_uri")).toBe(`${stage.origin}/auth/oauth/${name.toLowerCase()}/callback`);
    await tab.check();
    await page.getByLabel("Username").fill("ada");
    await page.getByRole("button", { name: "Continue", exact: true }).click();
    await page.getByLabel("Password").fill(goodPassword);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Hello, ada", level: 1 }).waitFor();
  });
});

/** A server of its own whose only identity nobody has linked yet. */
async function startAdminStage() {
  const port = String(freePort());
  const own = await startProvider([`http://localhost:${port}/auth/oauth/oidc/callback`]);
  const world = await startStage({
    PORT: port,
    OIDC_LOGIN_ISSUER: own.issuer,
    OIDC_LOGIN_CLIENT_ID: own.clientId,
    OIDC_LOGIN_CLIENT_SECRET: own.clientSecret,
  });
  return {
    stage: world,
    admin: await world.admin(),
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await own.stop();
    },
  };
}
