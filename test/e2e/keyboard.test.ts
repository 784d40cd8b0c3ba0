// Everything by keyboard, with the focus in sight; nothing moves for who wants none of it; charts tell their numbers.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { startBrowser, type Browser, type Tab } from "./browser.ts";
import { startStage, type Stage } from "./stage.ts";

setDefaultTimeout(120_000);
let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
  const admin = await stage.admin();
  await stage.call(admin, "POST", "/admin/organizations", { name: "Acme" });
  await stage.call(admin, "POST", "/admin/accounts", { username: "milo" });
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function adminTab(path: string): Promise<Tab> {
  const tab = await browser.open();
  await stage.enter(tab.context, await stage.admin());
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  await tab.page.locator(".page-head h1").waitFor();
  return tab;
}

/** Whether whoever looks at the page sees where the focus is. */
const focusInSight = `(async () => {
  await new Promise(requestAnimationFrame);
  await Promise.all(document.getAnimations().map((one) => one.finished));
  const element = document.activeElement;
  // The button inside a date field is the browser's own, and so is its ring.
  if (element === document.body || !element.matches(":focus")) return "";
  const shown = element.closest(".choice, .check, .switch, .segmented") ?? element;
  const seen = [element, shown, element.parentElement].some((one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  });
  const box = element.getBoundingClientRect();
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return seen && inView ? "" : element.outerHTML.slice(0, 120);
})()`;

test("what a search found, or that nothing matches, is told to whoever does not see it; what a list opens with is not", async () => {
  await using tab = await adminTab("accounts");
  const { page } = tab;
  await page.getByRole("link", { name: "milo", exact: true }).waitFor();
  const told = page.getByRole("status").filter({ hasText: "Listed now" });
  expect(await told.count()).toBe(0);
  const search = page.getByRole("searchbox").first();
  await search.fill("mil");
  await told.getByText("Listed now: 1 row.").waitFor();
  await search.fill("nobody-at-all");
  await told.getByText("Listed now: nothing.").waitFor();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await told.getByText("Listed now: 2 rows.").waitFor();
  await tab.check();
});

describe("keyboard", () => {
  test.each(["overview", "tunnels", "requests", "accounts", "audit", "me", "organizations"])(
    "%s: Tab reaches everything that can be used, and the focus is always in sight",
    async (path) => {
      await using tab = await adminTab(path);
      const { page } = tab;
      await page.locator("[role=status][aria-label^=Loading]").first().waitFor({ state: "detached" });
      await page.evaluate("document.activeElement.blur()");
      await page.evaluate(`globalThis.reached = new Set();
        document.addEventListener("focusin", (event) => reached.add(event.target))`);
      for (let pressed = 0; pressed < 300; pressed++) {
        await page.keyboard.press("Tab");
        if ((await page.evaluate("document.activeElement === document.body")) === true) break;
        expect(await page.evaluate(focusInSight)).toBe("");
      }
      // Radio buttons of one group are one stop.
      const missed = await page.evaluate(`[...document.querySelectorAll("a[href], button, input, select, textarea")]
        .filter((one) => !one.disabled && one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0)
        .filter((one) => one.type !== "radio" && !reached.has(one))
        .map((one) => one.outerHTML.slice(0, 120))`);
      expect(missed).toEqual([]);
    },
  );

  test("from the log-in to a new organization and out again without a pointer", async () => {
    await using tab = await adminTab("organizations");
    const { page } = tab;
    await page.getByRole("link", { name: "Acme" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("#content:focus").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("New organization");
    await page.keyboard.press("Enter");
    await page.keyboard.type("By Keyboard");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "By Keyboard", level: 1 }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await page.getByRole("heading", { name: "Applications", level: 1 }).waitFor();
    // The new page starts at its heading for keyboard and screen reader.
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    await tab.check();
  });

  test("Esc leaves a dialog, a menu and a search, and gives the focus back", async () => {
    await using tab = await adminTab("organizations");
    const { page } = tab;
    const opener = page.getByRole("button", { name: "New organization" });
    await opener.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "New organization" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("New organization");
    await page.keyboard.press("/");
    await page.keyboard.type("nothing has this name");
    await page.getByText("Nothing matches").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Acme" }).waitFor();
    // Letters in a field are letters.
    await page.keyboard.type("?g");
    expect(await page.getByRole("searchbox").inputValue()).toBe("?g");
    expect(await page.getByRole("dialog").count()).toBe(0);
  });
});

test("on a phone the menu lies over the page, which can't be reached meanwhile; Esc, the page beside it and its links close it", async () => {
  await using tab = await browser.open("phone");
  const { page } = tab;
  await stage.enter(tab.context, await stage.admin());
  await page.goto(`${stage.origin}/dashboard/overview`);
  await page.getByRole("heading", { name: "Recent refusals" }).waitFor();
  const menu = page.getByRole("button", { name: "Menu" });
  const nav = page.getByRole("navigation", { name: "Main" });
  const link = (name: string) => nav.getByRole("link", { name, exact: true });
  const focused = () =>
    page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.tagName");
  expect(await nav.isVisible()).toBe(false);
  await menu.tap();
  await link("Overview").waitFor();
  await tab.check();
  await tab.shot("menu");
  await page.getByRole("heading", { name: "Overview", level: 1 }).focus();
  expect(await focused()).toBe("Menu");
  await link("Tunnels").focus();
  await page.keyboard.press("Escape");
  await nav.waitFor({ state: "hidden" });
  expect(await focused()).toBe("Menu");
  await menu.tap();
  await link("Overview").waitFor();
  await page.touchscreen.tap(380, 600);
  await nav.waitFor({ state: "hidden" });
  await menu.tap();
  // Where one is already.
  await link("Overview").tap();
  await nav.waitFor({ state: "hidden" });
  await menu.tap();
  await link("Accounts").tap();
  await page.getByRole("heading", { name: "Accounts", level: 1 }).waitFor();
  await nav.waitFor({ state: "hidden" });
  expect(await focused()).toBe("H1");
  await tab.check();
});

describe("motion and charts", () => {
  test("who wants less motion gets none", async () => {
    await using tab = await adminTab("overview");
    const { page } = tab;
    await page.getByRole("figure").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    const running = await page.evaluate(
      "document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 50).length",
    );
    expect(running).toBe(0);
  });

  test("a day of the chart is the one that was counted, in every time zone", async () => {
    await using tab = await adminTab("overview");
    const { page } = tab;
    const debug = await tab.context.newCDPSession(page);
    await debug.send("Emulation.setTimezoneOverride", { timezoneId: "America/New_York" });
    await page.reload();
    const answer = page.waitForResponse((one) => one.url().includes("range=month"));
    await page.getByRole("button", { name: "Month", exact: true }).click();
    const { points } = (await (await answer).json()) as { points: { time: string }[] };
    await page.getByText("Requests per day of UTC.").waitFor();
    await page.getByRole("button", { name: "Show as a table" }).click();
    const rows = page.getByRole("table", { name: "Traffic of the last month" }).getByRole("row");
    const last = new Date(points.at(-1)?.time ?? "");
    const shown = last.toLocaleDateString("en-US", {
      timeZone: "UTC",
      year: "numeric",
      month: "short",
      day: "2-digit",
    });
    expect(await rows.last().getByRole("cell").first().textContent()).toBe(shown);
    await tab.check();
  });

  test("the chart has every range and both measures, and tells its numbers under the pointer", async () => {
    await using tab = await adminTab("overview");
    const { page } = tab;
    for (const range of ["Day", "Month", "Hour"]) {
      await page.getByRole("button", { name: range, exact: true }).click();
      await page.getByRole("figure", { name: `Traffic of the last ${range.toLowerCase()}` }).waitFor();
    }
    // An empty chart has no numbers to tell.
    const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("x".repeat(5_000)) });
    const { token } = await stage.person({ username: "runner" });
    await using agent = await openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name: "seen" });
    await fetch(`http://seen.localhost:${stage.port}/`);
    await agent.stop(0);
    await service.stop(true);
    await eventually(async () => {
      await page.reload();
      await page.getByRole("figure").waitFor();
      return (await page.locator(".chart-empty").count()) === 0;
    }, "the traffic is in the chart");
    await page.getByRole("button", { name: "Bytes", exact: true }).click();
    await page.locator(".chart .u-over").hover();
    await page.locator(".chart-tip").getByText("Sent to visitors").waitFor();
    await tab.check();
  });
});
