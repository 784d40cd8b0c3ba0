// Live lists: they stand still under the reader, reach back to what is kept, and say what they can't do; and the keys of pages.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { isLive, startLiveStage, type LiveStage } from "./live-stage.ts";
import type { Person } from "./stage.ts";

setDefaultTimeout(90_000);
let live: LiveStage;
beforeAll(async () => {
  live = await startLiveStage();
});
afterAll(async () => live[Symbol.asyncDispose]());

describe("lists", () => {
  test("refusals and busiest tunnels stand still under the reader, say how many wait, and follow again", async () => {
    await using _agent = await live.open("busiest");
    await using tab = await live.adminTab("overview");
    const { page } = tab;
    await isLive(page);
    await live.refuse("one");
    const refusals = page.getByRole("region", { name: "Recent refusals" });
    await refusals.getByRole("listitem").filter({ hasText: "one" }).waitFor();
    await refusals.getByRole("listitem").first().hover();
    await live.refuse("two");
    await refusals.getByRole("button", { name: "Show 1 new refusal" }).waitFor();
    expect(await refusals.getByText("two", { exact: true }).count()).toBe(0);
    await tab.check();
    await tab.shot("overview-held");
    await page.getByRole("heading", { name: "Overview" }).hover();
    await refusals.getByText("two", { exact: true }).waitFor();

    const busiest = page.getByRole("region", { name: "Busiest tunnels" });
    await busiest.getByRole("link", { name: "busiest" }).focus();
    await using _second = await live.open("newcomer");
    for (let n = 0; n < 3; n++) await live.visit("newcomer", "/");
    await busiest.getByRole("button", { name: "Show 1 new tunnel" }).waitFor();
    expect(await busiest.getByText("newcomer").count()).toBe(0);
    await page.getByRole("heading", { name: "Overview" }).focus();
    await busiest.getByText("newcomer").waitFor();
    await page.keyboard.press("Space");
    await live.refuse("three");
    await refusals.getByRole("button", { name: "Show 1 new refusal" }).click();
    await refusals.getByText("three", { exact: true }).waitFor();
    expect(await page.getByRole("switch", { name: "Follow" }).isChecked()).toBe(false);
  });

  test("requests of an application, page by page back to the oldest that is kept, which is said", async () => {
    await using _agent = await live.open("shop", live.boss.token);
    await using _other = await live.open("elsewhere");
    for (let n = 0; n < 240; n += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => live.visit("shop", `/n/${n + i}`)));
    }
    await live.visit("elsewhere", "/not-of-the-shop");
    await using tab = await live.adminTab(`applications/${live.appId}`);
    const { page } = tab;
    await page.getByRole("main").getByRole("link", { name: "Requests" }).click();
    await page.waitForURL("**/requests?app=*");
    await page.getByText("Only requests of Web Shop.").waitFor();
    await page.getByText("The last 230 requests of each tunnel").waitFor();
    await page.getByText("200 of 200 shown").waitFor();
    const rows = page.locator("tbody tr");
    for (let listed = 200; listed < 230; listed = await rows.count()) {
      await page.getByRole("button", { name: "Load older" }).click();
      await eventually(async () => (await rows.count()) > listed, `more than ${listed} are listed`);
    }
    await page.getByText("230 of 230 shown").waitFor();
    await page.getByText("Nothing older is kept: only the last 230 of each tunnel").waitFor();
    expect(await page.getByRole("button", { name: "Load older" }).count()).toBe(0);
    expect(await page.getByText("/not-of-the-shop").count()).toBe(0);
    await live.visit("elsewhere", "/not-of-the-shop");
    await live.visit("shop", "/newest");
    // Whoever has scrolled down is reading.
    await page.getByRole("button", { name: "Show 1 new request" }).click();
    await page.getByRole("button", { name: "/newest" }).waitFor();
    expect(await page.getByText("/not-of-the-shop").count()).toBe(0);
    await tab.check();
    // A choice that is not in the list of choices is shown as one all the same.
    const chosen = page.getByRole("combobox", { name: "Tunnel" }).locator("option:checked");
    await page.goto(`${live.stage.origin}/dashboard/requests?tunnel=gone`);
    await page.getByText("Waiting for the first request").waitFor();
    expect(await chosen.innerText()).toBe("One that is not listed");
  });

  test("the audit log follows on its first page only, and says why not on others", async () => {
    const createKey = () => live.stage.call(live.boss, "POST", "/org/api-keys", { description: "one of many" });
    await createKey();
    await using tab = await live.tabOf(live.boss, "audit?action=api_key.created");
    const { page } = tab;
    const rows = page.getByRole("button", { name: "api_key.created" });
    await page.getByRole("switch", { name: "Follow" }).check();
    await createKey();
    await eventually(async () => (await rows.count()) === 2, "the second key is there");
    await rows.first().hover();
    await createKey();
    await page.getByRole("button", { name: "Show 1 new event" }).waitFor();
    expect(await rows.count()).toBe(2);
    await page.getByRole("heading", { name: "Audit log" }).hover();
    await eventually(async () => (await rows.count()) === 3, "the third key is there");
    await Promise.all(Array.from({ length: 50 }, createKey));
    await eventually(async () => (await rows.count()) === 50, "the page is full");
    await page.getByRole("button", { name: "Next page" }).click();
    await page.getByText("Only the first page follows").waitFor();
    expect(await page.getByRole("switch", { name: "Follow" }).isDisabled()).toBe(true);
    expect(await page.getByRole("switch", { name: "Follow" }).isChecked()).toBe(false);
    await tab.check();
    await page.getByRole("button", { name: "First page" }).click();
    await eventually(() => page.getByRole("switch", { name: "Follow" }).isChecked(), "it follows again");
  });
});

describe("shortcuts", () => {
  test("? lists what works on this page, for this account", async () => {
    const listed = async (person: Person, path: string, heading: string) => {
      await using tab = await live.tabOf(person, path);
      await tab.page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      await tab.page.keyboard.press("?");
      await tab.page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
      return await tab.page.locator(".shortcuts dd").allInnerTexts();
    };
    const follow = "Follow, or let lists stand still";
    const search = "Search or filter the list";
    const onTunnels = await listed(live.boss, "tunnels", "Tunnels");
    expect(onTunnels).toEqual(expect.arrayContaining([follow, search, "Go to: Audit log"]));
    const quiet = await listed(live.boss, "settings", "Settings");
    expect(quiet).not.toContain(follow);
    expect(quiet).not.toContain(search);
    const loner = await listed(await live.stage.person({ username: "loner" }), "me", "My account");
    expect(loner.filter((text) => text.startsWith("Go to"))).toEqual(["Go to: Overview", "Go to: My account"]);
  });
});
