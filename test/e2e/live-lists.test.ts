// Live lists: they stand still under the reader, reach back to what is kept, and say what they can't do; and the keys of pages.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { isLive, startLiveStage, type LiveStage } from "./live-stage.ts";
import { serveHeld } from "./local-services.ts";
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

    // On a phone the link stands beside the title, and so does the button that takes its place: nothing moves.
    await tab.become("phone");
    const boxOf = async (role: "link" | "heading" | "button", name: RegExp) => {
      const box = await refusals.getByRole(role, { name }).boundingBox();
      return { top: box?.y ?? 0, bottom: (box?.y ?? 0) + (box?.height ?? 0) };
    };
    const title = await boxOf("heading", /^Recent refusals/);
    const standsBeside = ({ top, bottom }: typeof title) => top < title.bottom && bottom > title.top;
    expect(standsBeside(await boxOf("link", /^All in the audit log/))).toBe(true);
    const list = await refusals.getByRole("list").boundingBox();
    await live.refuse("four");
    await refusals.getByRole("button", { name: "Show 1 new refusal" }).waitFor();
    expect(standsBeside(await boxOf("button", /^Show/))).toBe(true);
    expect(await refusals.getByRole("list").boundingBox()).toEqual(list);
    await tab.check();
    await tab.shot("overview-held");
  });

  test("applications stand still under the reader, and tell what is gone", async () => {
    const made = (subdomain: string) =>
      live.stage
        .call<{ application: { id: string } }>(live.boss, "POST", "/org/applications", { subdomain, name: subdomain })
        .then(({ application }) => application.id);
    const kept = await made("kept");
    const doomed = await made("doomed");
    await using tab = await live.adminTab("applications");
    const { page } = tab;
    await isLive(page);
    const rows = page.locator("tbody tr");
    const names = async () => (await rows.locator("td:first-child a").allTextContents()).join(" ");
    await eventually(async () => (await names()) === "doomed kept Web Shop", "all are listed");
    await rows.first().hover();
    const newcomer = await made("newcomer");
    await live.stage.call(live.boss, "PUT", `/org/applications/${kept}`, { name: "renamed" });
    await live.stage.call(live.boss, "DELETE", `/org/applications/${doomed}`);
    await using _agent = await live.open("anything");
    await page.getByRole("button", { name: "Show 1 new application" }).waitFor();
    await page.getByText("No longer on this page").first().waitFor();
    expect(await names()).toBe("doomed renamed Web Shop");
    await tab.looks("applications-held", true);
    await page.getByRole("heading", { name: "Applications" }).hover();
    await eventually(async () => (await names()) === "newcomer renamed Web Shop", "it moved on when nobody was in it");

    await page.getByRole("switch", { name: "Follow" }).uncheck();
    await live.stage.call(live.boss, "DELETE", `/org/applications/${newcomer}`);
    await using _other = await live.open("another");
    await page.getByText("No longer on this page").first().waitFor();
    expect(await names()).toBe("newcomer renamed Web Shop");
    await page.getByRole("switch", { name: "Follow" }).check();
    await eventually(async () => (await names()) === "renamed Web Shop", "it follows again");
  });

  test("what a picker offers stands still while it is open", async () => {
    await using tab = await live.adminTab("tunnels");
    const { page } = tab;
    await isLive(page);
    const picker = page.getByRole("combobox", { name: "Application" });
    await picker.click();
    await page.getByRole("option", { name: "shop" }).waitFor();
    const { application } = await live.stage.call<{ application: { id: string } }>(
      ...([live.boss, "POST", "/org/applications", { subdomain: "another-app", name: "Another" }] as const),
    );
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await using _agent = await live.open("for-the-picker");
    await page.getByText("for-the-picker", { exact: true }).waitFor();
    expect(asked).toContain("/admin/tunnels");
    expect(asked).not.toContain("/admin/applications");
    await page.keyboard.press("Escape");
    await picker.click();
    await page.getByRole("option", { name: "another-app" }).waitFor();
    await live.stage.call(live.boss, "DELETE", `/org/applications/${application.id}`);
  });

  test("a list that is fetched again as one comes back moves no row under the pointer, but by the reader's own act", async () => {
    const admin = await live.stage.admin();
    const allow = (ipRange: string) => live.stage.call(admin, "POST", "/admin/whitelist", { ipRange });
    await allow("192.0.2.1");
    await using tab = await live.adminTab("whitelists");
    const { page } = tab;
    await page.clock.install();
    await page.reload();
    const rows = page.locator("tbody tr");
    const first = () => rows.first().locator("code").textContent();
    await page.getByText("192.0.2.1").waitFor();
    const before = await first();
    await page.getByRole("button", { name: "Remove 192.0.2.1" }).hover();
    await allow("192.0.2.2");
    await page.clock.fastForward(6_000);
    await page.evaluate(`window.dispatchEvent(new Event("visibilitychange"))`);
    await page.getByRole("button", { name: "Show 1 new row" }).waitFor();
    expect(await first()).toBe(before);
    expect(await page.getByText("192.0.2.2").count()).toBe(0);
    await tab.looks("whitelist-held", true);
    await page.getByRole("button", { name: "Remove 192.0.2.1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    // The focus is back in the list by then.
    await rows.filter({ hasText: "192.0.2.1" }).waitFor({ state: "detached" });
    await page.getByText("192.0.2.2").waitFor();
    await tab.check();
  });

  test("requests of an application: page by page to the oldest that is kept, searched and sorted over all of them", async () => {
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
    await page.getByText("The last 230 requests of each tunnel").waitFor();
    await eventually(
      async () => (await page.getByRole("combobox", { name: "Application" }).inputValue()) === "shop",
      "it is named",
    );
    const paths = () => page.locator("tbody .req-open").allInnerTexts();
    const seen = new Set<string>();
    for (let turned = 0; turned < 5; turned++) {
      let shown: string[] = [];
      await eventually(async () => {
        shown = await paths();
        return shown.length > 0 && !shown.some((path) => seen.has(path));
      }, "another page is shown");
      for (const path of shown) seen.add(path);
      if (turned < 4) await page.getByRole("button", { name: "Next page" }).click();
    }
    await page.getByText("30 on this page, the last one").waitFor();
    expect(seen.size).toBe(230);
    expect([...seen].every((path) => path.startsWith("/n/"))).toBe(true);
    await page.getByText("Only the first page follows").waitFor();
    await tab.check();

    // What stands on none of the pages seen so far is found.
    await page.getByRole("searchbox").fill("path:/n/2 NOT path:/n/21");
    const found = [...seen].filter((path) => path.startsWith("/n/2") && !path.startsWith("/n/21")).sort();
    await eventually(async () => (await paths()).sort().join() === found.join(), "all that match are found");
    await page.getByRole("button", { name: "Duration" }).click();
    await page.getByRole("button", { name: "Duration" }).click();
    await page.waitForURL("**sort=-duration*");
    await page.getByRole("columnheader", { name: "Duration" }).and(page.locator("[aria-sort=descending]")).waitFor();
    await page.getByText("Only the newest first follow").waitFor();
    // Rows of the old order stand dimmed until the new one's have come; what is visited before that is one of those.
    await eventually(async () => (await page.locator("table[aria-busy=true]").count()) === 0, "the new order is there");
    const before = (await paths()).sort();
    await live.visit("elsewhere", "/n/2-not-of-the-shop");
    await live.visit("shop", "/n/2-newest");
    await page.getByRole("button", { name: "Show 1 new request" }).waitFor();
    expect((await paths()).sort()).toEqual(before);
    await tab.looks("requests-sorted", true);
    await page.getByRole("button", { name: "Show 1 new request" }).click();
    await page.getByRole("button", { name: "/n/2-newest" }).waitFor();
    const took = await page.locator("tbody td.align-end:nth-child(5)").allInnerTexts();
    const ms = took.map((text) => Number.parseFloat(text) * (/\d ?s$/.test(text) ? 1_000 : 1));
    expect(ms).toEqual(ms.toSorted((a, b) => b - a));
    // A choice that is not in the list of choices is shown as one all the same.
    const chosen = page.getByRole("combobox", { name: "Tunnel" }).locator("option:checked");
    await page.goto(`${live.stage.origin}/dashboard/requests?tunnel=gone`);
    await page.getByText("Nothing matches").waitFor();
    expect(await chosen.innerText()).toBe("One that is not listed");
  });

  test("requests that still run say so, and are no bad ones; however slowly lists come, they come", async () => {
    const hold = Promise.withResolvers<void>();
    await using service = serveHeld(hold.promise);
    await using _agent = await live.open("slow", live.token, service.port);
    await using tab = await live.adminTab("requests?q=path:/held");
    const { page } = tab;
    await isLive(page);
    const held = live.visit("slow", "/held");
    await eventually(async () => {
      // Nothing tells that one began; the next that ends does.
      await live.visit("slow", "/other");
      return (await page.getByText("/held", { exact: true }).count()) > 0;
    }, "the one that runs is listed");
    const row = page.getByRole("row").filter({ hasText: "/held" });
    await row.getByText("none yet").waitFor();
    await row.getByText("running").waitFor();
    expect(await row.locator(".status").getAttribute("data-tone")).toBe("idle");
    await tab.shot("requests-running");
    await row.getByRole("button", { name: "/held" }).click();
    await page.getByRole("dialog").getByText("none yet: it is still running").waitFor();
    await tab.check();
    await page.keyboard.press("Escape");
    hold.resolve();
    await held;
    await row.getByText("200", { exact: true }).waitFor();

    // Each takes longer than the next reason to fetch needs to come.
    await page.route("**/admin/requests?*", async (route) => {
      await Bun.sleep(1_500);
      await route.continue().catch(() => {});
    });
    await page.getByRole("heading", { name: "Requests" }).hover();
    await page.getByRole("heading", { name: "Requests" }).focus();
    await eventually(async () => {
      await live.visit("slow", "/held-up");
      return (await page.getByText("/held-up").count()) > 0;
    }, "a list is shown before the requests stop");
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
