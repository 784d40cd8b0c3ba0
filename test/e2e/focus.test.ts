// The focus of whoever works by keyboard stays where the work is, whatever changes on the page.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { isLive, startLiveStage, type LiveStage } from "./live-stage.ts";
import type { Person } from "./stage.ts";

setDefaultTimeout(60_000);
let live: LiveStage;
let admin: Person;
beforeAll(async () => {
  live = await startLiveStage();
  admin = await live.stage.admin();
});
afterAll(async () => live[Symbol.asyncDispose]());

/** What has the focus, as it is called. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(
    "(() => { const it = document.activeElement; return it === document.body ? '' : (it.getAttribute('aria-label') ?? it.textContent); })()",
  );

test("in a menu of a row whose numbers go on", async () => {
  await using _agent = await live.open("counts");
  await using tab = await live.adminTab("tunnels");
  const { page } = tab;
  await isLive(page);
  const row = page.getByRole("row").filter({ hasText: "counts" });
  const actions = row.getByRole("button", { name: "Actions for counts" });
  await actions.waitFor();
  // However fast one types: the focus is in the menu at once, not a task after it opened.
  const atOnce = `document.querySelector('[aria-label="Actions for counts"]').click(), document.activeElement.textContent`;
  expect(await page.evaluate<string>(atOnce)).toBe("Check the service now");
  await page.keyboard.press("Escape");
  await page.getByRole("menuitem", { name: "Check the service now" }).waitFor({ state: "hidden" });
  await actions.press("Enter");
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toBe("Copy the URL");
  for (let n = 0; n < 3; n++) await live.visit("counts", "/");
  await row.locator("[data-label=Requests]").filter({ hasText: /^3/ }).waitFor();
  expect(await focused(page)).toBe("Copy the URL");
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toBe("Disconnect");
});

test("on the button that saved, and on that of the last page", async () => {
  await using tab = await live.adminTab(`applications/${live.appId}/settings`);
  const { page } = tab;
  const save = page.getByRole("button", { name: "Save", exact: true });
  await page.getByLabel("Name", { exact: true }).fill("The Shop");
  await save.focus();
  await page.keyboard.press("Enter");
  await page.getByText("Saved.", { exact: true }).waitFor();
  await eventually(() => save.isDisabled(), "nothing is left to save");
  await tab.check();
  expect(await focused(page)).toBe("Save");

  for (let n = 0; n < 52; n++) await live.stage.call(admin, "POST", "/admin/accounts", { username: `user-${n}` });
  await page.goto(`${live.stage.origin}/dashboard/accounts`);
  await page.getByRole("button", { name: "Next page" }).press("Enter");
  await page.getByText("the last one").waitFor();
  await eventually(() => page.getByRole("button", { name: "Next page" }).isDisabled(), "it was the last page");
  await tab.check();
  expect(await focused(page)).toBe("Next page");
});

test("in the next row when its own is gone, and beside the list when it was the last one", async () => {
  for (const ipRange of ["192.0.2.1", "192.0.2.2"]) {
    await live.stage.call(live.boss, "POST", "/org/whitelist", { ipRange, description: "" });
  }
  await using tab = await live.tabOf(live.boss, "whitelists");
  const { page } = tab;
  const remove = async (range: string) => {
    await page.getByRole("button", { name: `Remove ${range}` }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).press("Enter");
    await page.getByRole("button", { name: `Remove ${range}` }).waitFor({ state: "detached" });
  };
  await remove("192.0.2.2");
  expect(await focused(page)).toBe("Remove 192.0.2.1");
  await remove("192.0.2.1");
  await page.getByText("This list is empty").waitFor();
  expect(await focused(page)).toBe("Add a range");
  await tab.check();
});

test("on the button that stands where a pressed one has gone, and on a page's heading after a link", async () => {
  await live.stage.call(admin, "POST", "/admin/accounts", { username: "doomed" });
  await using tab = await live.adminTab("accounts?q=nobody-at-all");
  const { page } = tab;
  await page.getByRole("button", { name: "Clear the filters" }).press("Enter");
  await page.getByRole("link", { name: "doomed", exact: true }).waitFor();
  expect(await focused(page)).not.toBe("");
  await page.getByRole("link", { name: "doomed", exact: true }).press("Enter");
  await page.getByRole("heading", { name: "doomed", level: 1 }).waitFor();
  expect((await focused(page)).trim()).toBe("doomed");

  await page.getByRole("button", { name: "Deactivate…" }).press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Deactivate", exact: true }).press("Enter");
  await page.getByRole("button", { name: "Activate…", exact: true }).waitFor();
  expect(await focused(page)).toBe("Activate…");
});

test("in the field of a list when its last value is taken out, and in the claim that was added", async () => {
  await using tab = await live.tabOf(live.boss, "policy");
  const { page } = tab;
  const ranges = page.getByLabel(/^Only from these addresses/);
  const typing = () =>
    page.evaluate<string>("document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.textContent.trim()");
  await ranges.fill("10.0.0.0/8, 192.0.2.1,");
  await ranges.press("Enter");
  await page.getByRole("button", { name: "Remove 10.0.0.0/8" }).press("Enter");
  expect(await focused(page)).toBe("Remove 192.0.2.1");
  await page.keyboard.press("Enter");
  expect(await typing()).toStartWith("Only from these addresses");
  await page.getByRole("radio", { name: /^Single sign-on/ }).check();
  for (const name of ["Claim 1", "Claim 2"]) {
    await page.getByRole("button", { name: "Add a claim" }).press("Enter");
    expect(await typing()).toBe(name);
  }
});

test("a menu stays at its button and the options at their field when the page or a dialog scrolls under them", async () => {
  await using tab = await live.adminTab("audit");
  const { page } = tab;
  const distance = (anchor: string, panel: string) =>
    page.evaluate(`document.querySelector("${panel}").getBoundingClientRect().top
      - document.querySelector("${anchor}").getBoundingClientRect().bottom`) as Promise<number>;
  const follows = async (anchor: string, panel: string, scroller: string) => {
    const before = await distance(anchor, panel);
    const scrolled = await page.evaluate(`(() => {
      const scroller = ${scroller};
      const was = scroller.scrollTop;
      scroller.scrollBy({ top: 24, behavior: "instant" });
      return scroller.scrollTop - was;
    })()`);
    expect(scrolled).toBe(24);
    await eventually(async () => Math.abs((await distance(anchor, panel)) - before) < 1, `${panel} follows`);
  };
  await page.setViewportSize({ width: 1_000, height: 420 });
  await page.getByRole("button", { name: "Export" }).click();
  await follows(".page-head [aria-haspopup=menu]", "[role=menu][aria-label=Export]", "document.scrollingElement");
  // Away from its button a menu would be nobody's.
  await page.evaluate("scrollBy({ top: 400, behavior: 'instant' })");
  await page.getByRole("menu", { name: "Export" }).waitFor({ state: "hidden" });

  await page.goto(`${live.stage.origin}/dashboard/keys`);
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByRole("dialog").getByRole("combobox", { name: "Organization" }).click();
  await page.getByRole("option", { name: "Acme" }).waitFor();
  const field = "dialog .combobox input";
  await follows(field, "dialog .combobox-panel", "document.querySelector('dialog')");
});
