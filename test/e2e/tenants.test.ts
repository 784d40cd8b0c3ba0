// The whole way in a real browser: organization, application, key, policy, a tunnel, a stranger and a permitted visitor.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { type Browser, keepSecret, readSecret, startBrowser } from "./browser.ts";
import { openAdminTab, startStage, type Stage } from "./stage.ts";

setDefaultTimeout(90_000);
let browser: Browser;
let stage: Stage;
let service: Bun.Server<undefined>;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello from the shop") });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  await service.stop(true);
});

const adminTab = (path: string) => openAdminTab(stage, browser, path);

describe("from an empty server to a protected application", () => {
  test("organization, application, key, tunnel, password policy, visitors", async () => {
    await using tab = await adminTab("organizations");
    const { page } = tab;
    await page.getByText("No organizations yet").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "New organization" }).first().click();
    await page.getByLabel("Name", { exact: true }).fill("Acme Robotics");
    await tab.check();
    await page.getByRole("button", { name: "Create organization" }).click();
    await page.getByRole("heading", { name: "Acme Robotics", level: 1 }).waitFor();

    await page.getByRole("button", { name: "New application" }).first().click();
    await page.getByLabel("Name", { exact: true }).fill("Web Shop");
    expect(await page.getByLabel("Subdomain").inputValue()).toBe("web-shop");
    await page.getByLabel("Subdomain").fill("admin");
    await page.getByRole("button", { name: "Create application" }).click();
    await page.locator(".field-error").waitFor();
    await tab.check();
    await page.getByLabel("Subdomain").fill("shop");
    await page.getByRole("button", { name: "Create application" }).click();
    await page.getByRole("heading", { name: "Web Shop", level: 1 }).waitFor();
    await page.getByText("No agent is connected").waitFor();
    await page.getByText("Open to the world").waitFor();
    await tab.check();

    await page.getByRole("link", { name: "API keys" }).last().click();
    await page.getByRole("button", { name: "New key" }).first().click();
    await page.getByLabel("Description").fill("CI");
    await tab.check();
    await page.getByRole("button", { name: "Create key" }).click();
    // It can be copied without anybody behind reading it.
    await tab.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stage.origin });
    await page.getByRole("button", { name: "Copy API key" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.locator("[data-secret]").textContent()).toMatch(/^dlk_•+$/);
    const key = await readSecret(page, "API key");
    expect(key).toStartWith("dlk_");
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(key);
    await keepSecret(page);

    await page.getByRole("link", { name: "Now" }).click();
    await using _agent = await openTunnel({ origin: stage.origin, token: key, port: service.port ?? 0, name: "shop" });
    await page.getByText("round trip").waitFor();
    await page.getByText("Answers", { exact: true }).waitFor();
    await tab.check();

    await using visitor = await browser.open();
    const url = `http://shop.localhost:${stage.port}/`;
    await visitor.page.goto(url);
    expect(await visitor.page.textContent("body")).toBe("hello from the shop");

    await page.getByRole("link", { name: "Visitor policy" }).click();
    await page.getByText("Own policy").click();
    await page.getByLabel("Username for visitors").fill("guest");
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.getByText("Enter a password.").waitFor();
    await page.getByLabel("Password for visitors").fill("come on in 77");
    await page.getByLabel("Never from these addresses").fill("not-an-address");
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.locator(".field-error").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Remove not-an-address" }).click();
    await page.getByRole("button", { name: "Save the policy" }).click();
    await page.getByText("The policy is in force.").waitFor();
    await page.locator(".effective-row").getByText("this application").first().waitFor();
    await tab.check();
    await tab.shot("application-policy");

    await visitor.page.goto(url);
    await visitor.page.locator("input[type=password]").waitFor();
    await visitor.page.locator("input:not([type=password]):not([type=hidden])").first().fill("guest");
    await visitor.page.locator("input[type=password]").fill("come on in 77");
    await visitor.page.keyboard.press("Enter");
    await visitor.page.getByText("hello from the shop").waitFor();

    await page.reload();
    await page.getByLabel("Password for visitors").waitFor();
    expect(await page.getByLabel("Password for visitors").inputValue()).toBe("");
    expect(await page.getByLabel("Username for visitors").inputValue()).toBe("guest");
    expect(tab.problems).toEqual([]);
  });

  test("unsaved changes are asked about before the page is left", async () => {
    const admin = await stage.admin();
    const { organization } = await stage.call<{ organization: { id: string } }>(admin, "POST", "/admin/organizations", {
      name: "Blue Harbor",
    });
    const handbook = { orgId: organization.id, subdomain: "handbook", name: "Handbook" };
    await stage.call(admin, "POST", "/admin/applications", handbook);
    await using tab = await adminTab("organizations");
    const { page } = tab;
    await page.getByRole("link", { name: "Blue Harbor" }).click();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Red Harbor");
    await page.getByRole("link", { name: "Tunnels" }).click();
    const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Red Harbor");
    await page.getByRole("link", { name: "Tunnels" }).click();
    await dialog.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("heading", { name: "Tunnels", level: 1 }).waitFor();
  });
});
