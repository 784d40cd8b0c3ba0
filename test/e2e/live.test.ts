// Live pages: tunnels, requests and refusals show up without a reload, tell the truth, and don't move under the reader.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { startBrowser, type Browser, type Tab } from "./browser.ts";
import { serve, serveDisposable } from "./local-services.ts";
import { startRelay } from "./relay.ts";
import { startStage, type Stage } from "./stage.ts";

setDefaultTimeout(90_000);
let browser: Browser;
let stage: Stage;
let token: string;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage({ GRACE_MS: "60s" })]);
  ({ token } = await stage.person({ username: "runner" }));
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function adminTab(path: string, port = stage.port): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, await stage.admin());
  await tab.page.goto(`http://localhost:${port}/dashboard/${path}`);
  return tab;
}

const open = (name: string, port: number): Promise<InProcessAgent> =>
  openTunnel({ origin: stage.origin, token, port, name });
/** The call of an agent that may say anything. */
const register = (body: object, bearer = token) =>
  fetch(`${stage.origin}/_tunnel/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify({ agentId: "agent-1234567890", generation: 1, version: "0.1.0", ...body }),
  });
const visit = (name: string, path: string, headers: Record<string, string> = {}) =>
  fetch(`http://${name}.localhost:${stage.port}${path}`, { headers });

describe("tunnels", () => {
  test("opens, answers, loses its service, gets it back, loses its agent: each state is told", async () => {
    await using tab = await adminTab("tunnels");
    const { page } = tab;
    await page.getByText("No tunnels yet").waitFor();
    await tab.check();
    let service = serve();
    const port = service.port ?? 0;
    const agent = await open("shop", port);
    const row = page.getByRole("row").filter({ hasText: "shop" });
    await row.getByText("Up", { exact: true }).waitFor();
    await row.getByText("answered").waitFor();
    await row.getByText(`http://127.0.0.1:${port}`).waitFor();
    await tab.check();
    await tab.shot("tunnels");

    await service.stop(true);
    await visit("shop", "/");
    await row.getByText("Service down").waitFor();
    await tab.check();
    service = serve(port);
    await row.getByText("Up", { exact: true }).waitFor({ timeout: 20_000 });

    await row.getByRole("button", { name: "Actions for shop" }).click();
    await page.getByRole("menuitem", { name: "Check the service now" }).click();
    await page.getByText("The local service of shop answered").waitFor();

    await agent.stop(0);
    await row.getByText("Offline").waitFor();
    await row.getByText("last seen").waitFor();
    await tab.check();
    await tab.shot("tunnels-offline");
    await page.reload();
    await row.getByText("Offline").waitFor();
    await row.getByText(`http://127.0.0.1:${port}`).waitFor();
    await row.getByRole("button", { name: "Actions for shop" }).click();
    await page.getByRole("menuitem", { name: "Clear…" }).click();
    await page.getByText("It leaves the list for everybody").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Clear", exact: true }).click();
    await page.getByText("shop was cleared.").waitFor();
    await row.waitFor({ state: "detached" });
    await page.reload();
    await page.getByText("No tunnels yet").waitFor();
    await service.stop(true);
  });

  test("a new tunnel comes by itself; not into a list that somebody reads, and not while Follow is off", async () => {
    using service = serveDisposable();
    await using _first = await open("first", service.port);
    await using tab = await adminTab("tunnels");
    const { page } = tab;
    const row = (name: string) => page.getByRole("row").filter({ hasText: name });
    await row("first").waitFor();
    await page.getByRole("switch", { name: "Follow" }).uncheck();
    await using _second = await open("second", service.port);
    await page.getByRole("button", { name: "Show 1 new tunnel" }).waitFor();
    expect(await row("second").count()).toBe(0);
    await tab.check();
    await page.getByRole("button", { name: "Show 1 new tunnel" }).click();
    await row("second").waitFor();
    await page.getByRole("switch", { name: "Follow" }).check();
    await using _third = await open("third", service.port);
    await row("third").waitFor();
    await row("third").hover();
    await using _fourth = await open("fourth", service.port);
    await page.getByRole("button", { name: "Show 1 new tunnel" }).waitFor();
    expect(await row("fourth").count()).toBe(0);
    await page.getByRole("heading", { name: "Tunnels" }).hover();
    await row("fourth").waitFor();

    // A row that somebody else has cleared meanwhile stays, as what it is, until the reader hides it.
    await page.getByRole("switch", { name: "Follow" }).uncheck();
    const admin = await stage.admin();
    const { tunnels } = await stage.call<{ tunnels: { id: string }[] }>(admin, "GET", "/admin/tunnels?q=first");
    await stage.call(admin, "DELETE", `/admin/tunnels/${tunnels[0]?.id}`);
    const clear = () => stage.call(admin, "POST", `/admin/tunnels/${tunnels[0]?.id}/clear`);
    await eventually(() => clear().then(Boolean, () => false), "its agent has left");
    await row("first").getByText("Offline").waitFor();
    // That it left is told before the list is fetched without it, and a menu stays as it opened.
    await row("first").getByText("No longer on this page").waitFor({ state: "attached" });
    await page.getByRole("button", { name: "Actions for first" }).click();
    // There is nothing left to clear.
    expect(await page.getByRole("menuitem").allInnerTexts()).toEqual(["Hide this row"]);
    await page.getByRole("menuitem", { name: "Hide this row" }).click();
    await row("first").waitFor({ state: "detached" });
    expect(await page.locator("tbody tr").count()).toBe(3);
    await tab.check();
  });

  test("disconnecting says what happens, asks once and reports", async () => {
    using service = serveDisposable();
    const agent = await open("cut-me", service.port);
    await using tab = await adminTab("tunnels?q=cut");
    const { page } = tab;
    await page.getByRole("button", { name: "Actions for cut-me" }).click();
    await page.getByRole("menuitem", { name: "Disconnect" }).click();
    await page.getByText("requests in flight are cut").waitFor();
    await tab.check();
    await page.getByRole("button", { name: "Disconnect", exact: true }).click();
    await page.getByText("cut-me was disconnected.").waitFor();
    await eventually(() => agent.events.some(({ event }) => event !== "tunnel.ready"), "the agent is told");
    await agent.stop(0);
  });
});

describe("security", () => {
  test("what an agent says it leads to is text, whatever it says, and long text is cut with its length told", async () => {
    const target = `javascript:/*"><img/src=x/onerror=document.title="pwned">${"x".repeat(150)}`;
    const answer = await register({ subdomain: "hostile", target });
    expect(answer.status).toBe(200);
    await using tab = await adminTab("tunnels?q=hostile");
    const { page } = tab;
    const row = page.getByRole("row").filter({ hasText: "hostile" });
    await row.getByText('javascript:/*"><img/src=x').waitFor();
    expect(await row.locator("img").count()).toBe(0);
    expect(await row.locator('a[href^="javascript"]').count()).toBe(0);
    await row.getByRole("button", { name: `+${target.length - 60} characters` }).click();
    await row.getByText("x".repeat(150)).waitFor();
    expect(await page.title()).not.toContain("pwned");
    await tab.check();
  });
});

describe("requests", () => {
  test("appear as they pass; search with NOT, follow or not, details, and the address keeps the search", async () => {
    using service = serveDisposable();
    await using _agent = await open("orders", service.port);
    await using tab = await adminTab("requests");
    const { page } = tab;
    const row = (path: string) => page.getByRole("button", { name: path });
    await page.getByText("Live", { exact: true }).last().waitFor();
    await visit("orders", "/orders", { authorization: "Bearer very-secret-token" });
    await row("/orders").waitFor();
    await visit("orders", `/long/${"path/".repeat(60)}`);
    await row("… +186 characters").waitFor();
    await visit("orders", "/broken");
    await row("/broken").waitFor();
    await tab.looks("requests");

    await page.keyboard.press("/");
    await page.keyboard.type("NOT status:5xx");
    await row("/broken").waitFor({ state: "detached" });
    expect(page.url()).toContain("q=NOT");
    await page.getByRole("searchbox").fill("colour:red");
    await page.getByText('"colour" is not a field').waitFor();
    await tab.looks("requests-search-refused", true);
    await page.getByRole("button", { name: "Clear the search" }).click();
    await page.getByRole("combobox", { name: "Status" }).selectOption("5xx");
    await row("/orders").waitFor({ state: "detached" });
    await row("/broken").waitFor();
    await page.getByRole("button", { name: "NOT this status" }).click();
    await page.waitForURL((url) => url.searchParams.get("status") === "!5xx");
    await row("/broken").waitFor({ state: "detached" });
    await page.reload();
    await row("/orders").waitFor();
    expect(await row("/broken").count()).toBe(0);
    await page.getByRole("combobox", { name: "Status" }).selectOption("");
    // Or what passes before the list of this choice has come stands in it from its beginning.
    await row("/broken").waitFor();

    await page.getByRole("heading", { name: "Requests" }).focus();
    await page.keyboard.press("Space");
    await eventually(async () => !(await page.getByRole("switch", { name: "Follow" }).isChecked()), "it stands still");
    await visit("orders", "/while-off");
    const showOne = page.getByRole("button", { name: "Show 1 new request" });
    await showOne.waitFor();
    expect(await row("/while-off").count()).toBe(0);
    await showOne.click();
    await row("/while-off").waitFor();
    await page.getByRole("switch", { name: "Follow" }).check();

    // A row under the pointer stays where it is.
    await row("/while-off").hover();
    await visit("orders", "/while-pointing");
    await showOne.waitFor();
    expect(await row("/while-pointing").count()).toBe(0);
    await tab.check();
    await page.getByRole("heading", { name: "Requests" }).hover();
    await row("/while-pointing").waitFor();
    await row("/while-pointing").focus();
    await visit("orders", "/while-focused");
    await showOne.waitFor();
    expect(await row("/while-focused").count()).toBe(0);
    await page.getByRole("searchbox").focus();
    await row("/while-focused").waitFor();

    // Nor does it move behind a dialog.
    const fetched = (path: string) =>
      page.waitForResponse(
        async (answer) => /\/admin\/requests\?/.test(answer.url()) && (await answer.text()).includes(path),
      );
    await row("/orders").focus();
    await page.keyboard.press("Enter");
    const details = page.getByRole("dialog", { name: "Request" });
    await details.getByText("until its response head").waitFor();
    expect(await details.textContent()).not.toContain("very-secret-token");
    await page.mouse.move(0, 0);
    const behind = fetched("/behind-a-dialog");
    await visit("orders", "/behind-a-dialog");
    await behind;
    await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
    expect(await page.getByText("/behind-a-dialog").count()).toBe(0);
    await tab.check();
    await tab.shot("request-details");
    await page.keyboard.press("Escape");
    await showOne.waitFor();
    expect(await page.getByText("/behind-a-dialog").count()).toBe(0);
    await page.keyboard.press("Enter");
    await page.reload();
    await details.getByText("/orders").first().waitFor();
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
  });
});

describe("overview", () => {
  test("numbers, chart, busiest tunnels and refusals; a refusal names its rule", async () => {
    using service = serveDisposable();
    await using _agent = await open("front", service.port);
    await using tab = await adminTab("overview");
    const { page } = tab;
    await visit("front", "/");
    await page.getByRole("figure", { name: "Traffic of the last hour" }).waitFor();
    await page.getByText("Live", { exact: true }).last().waitFor();
    const refused = await register({ subdomain: "stolen" }, "dlt_wrong");
    expect(refused.status).toBe(401);
    await page.getByRole("listitem").filter({ hasText: "stolen" }).waitFor();
    await tab.check();
    await tab.shot("overview");
    await page.getByRole("button", { name: "Show as a table" }).click();
    await page.getByRole("columnheader", { name: "Errors (5xx)" }).waitFor();
    await tab.check();
  });

  test("the stream resumes after its connection was cut, in two tabs at once", async () => {
    using service = serveDisposable();
    await using relay = startRelay(stage.port);
    await using tab = await adminTab("tunnels", relay.port);
    await using other = await adminTab("overview", relay.port);
    for (const { page } of [tab, other]) await page.getByText("Live", { exact: true }).last().waitFor();
    relay.pause();
    for (const { page } of [tab, other]) await page.getByText("Connection lost, trying again").waitFor();
    await using _agent = await open("later", service.port);
    relay.resume();
    for (const { page } of [tab, other])
      await page.getByText("Live", { exact: true }).last().waitFor({ timeout: 30_000 });
    await tab.page
      .getByText("later", { exact: true })
      .or(tab.page.getByRole("button", { name: /new tunnel/ }))
      .waitFor();
    // The cut connections are told on the console, and nothing else may be.
    for (const { problems } of [tab, other]) {
      expect(problems.filter((problem) => !problem.includes("net::ERR_"))).toEqual([]);
      problems.length = 0;
    }
  });
});
