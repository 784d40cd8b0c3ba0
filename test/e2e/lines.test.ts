// Where lines end when there is little room: no number, address or word is broken in two, and nothing lies over its edge.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { startBrowser, type Browser } from "./browser.ts";
import { startStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([startBrowser(), startStage()]);
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

/** What matches in the rows of the list, or in another part: how often, and what of it stands on more than one line. */
async function lines(page: Page, pattern: RegExp, part = "tbody"): Promise<{ found: number; broken: string[] }> {
  return (await page.evaluate(`(() => {
    const texts = document.createTreeWalker(document.querySelector("${part}"), NodeFilter.SHOW_TEXT);
    const broken = [];
    let found = 0;
    while (texts.nextNode()) {
      for (const match of texts.currentNode.data.matchAll(${pattern})) {
        const range = document.createRange();
        range.setStart(texts.currentNode, match.index);
        range.setEnd(texts.currentNode, match.index + match[0].length);
        found++;
        if (new Set([...range.getClientRects()].map((line) => line.top)).size > 1) broken.push(match[0]);
      }
    }
    return { found, broken };
  })()`)) as { found: number; broken: string[] };
}

test("on a phone the ports of a tunnel stay whole", async () => {
  await using service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const { token } = await stage.person({ username: "runner" });
  const port = service.port ?? 0;
  await using _agent = await openTunnel({ origin: stage.origin, token, port, name: "a-name-that-leaves-no-room" });
  await using tab = await browser.open("phone");
  await stage.enter(tab.context, await stage.admin());
  await tab.page.goto(`${stage.origin}/dashboard/tunnels`);
  await tab.page.getByText(`:${port}`).waitFor();
  expect(await lines(tab.page, new RegExp(`${port}|${stage.port}`, "g"))).toEqual({ found: 2, broken: [] });
  await tab.shot("lines-tunnels");
  await tab.check();
});

test("on a phone the options of a command stay whole", async () => {
  const admin = await stage.admin();
  const create = <T>(path: string, body: object) => stage.call<T>(admin, "POST", path, body);
  const { organization } = await create<{ organization: { id: string } }>("/admin/organizations", { name: "Acme" });
  const shop = { orgId: organization.id, subdomain: "shop", name: "Shop" };
  const { application } = await create<{ application: { id: string } }>("/admin/applications", shop);
  await using tab = await browser.open("phone");
  await stage.enter(tab.context, admin);
  await tab.page.goto(`${stage.origin}/dashboard/applications/${application.id}`);
  await tab.page.getByText("--subdomain").waitFor();
  expect(await lines(tab.page, /--\w+/g, ".command code")).toEqual({ found: 2, broken: [] });
  await tab.check();
});

test("on a phone what can be done to a range lies over none of its words, and a badge holds its own", async () => {
  const admin = await stage.admin();
  const range = {
    ipRange: "2001:db8:1234:5678:9abc:def0:1234:5678",
    description: "Office in the building by the long river",
  };
  await stage.call(admin, "POST", "/admin/whitelist", range);
  await using tab = await browser.open("phone");
  const { page } = tab;
  await stage.enter(tab.context, admin);
  await page.goto(`${stage.origin}/dashboard/whitelists`);
  const remove = page.getByRole("button", { name: `Remove ${range.ipRange}` });
  await remove.waitFor();
  const button = await remove.elementHandle();
  for (const words of [range.ipRange, range.description]) {
    // In one look: lines move when their letters have come.
    const apart = await page.getByText(words, { exact: true }).evaluate((text, other) => {
      const [its, others] = [text.getBoundingClientRect(), other!.getBoundingClientRect()];
      return its.right <= others.left || its.top >= others.bottom;
    }, button);
    expect(apart, words).toBe(true);
  }
  expect(await lines(page, /[0-9a-f]{4}:|5678$/g)).toEqual({ found: 7, broken: [] });
  const cut = "[...document.querySelectorAll('.badge')].filter((one) => one.scrollWidth > one.clientWidth).length";
  expect(await page.getByText("set by AGENT_WHITELIST").count()).toBe(1);
  expect(await page.evaluate(cut)).toBe(0);
  await tab.shot("lines-whitelist");
  await tab.check();
});

test("what can be done to a tunnel stays in sight beside a name of 63 characters", async () => {
  await using service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const { token } = await stage.person({ username: "longrunner" });
  const name = "long".repeat(16).slice(0, 63);
  await using _agent = await openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name });
  await using tab = await browser.open();
  const { page } = tab;
  await stage.enter(tab.context, await stage.admin());
  await page.goto(`${stage.origin}/dashboard/tunnels?q=${name}`);
  const actions = page.getByRole("button", { name: `Actions for ${name}` });
  await actions.waitFor();
  for (const width of [1280, 1024, 800]) {
    await page.setViewportSize({ width, height: 800 });
    const [table, button] = [await page.locator(".table-wrap").boundingBox(), await actions.boundingBox()];
    const endOf = (box: typeof table) => (box?.x ?? 0) + (box?.width ?? 0);
    expect(endOf(button), `${width}`).toBeLessThanOrEqual(endOf(table));
    await tab.shot(`lines-actions-${width}`);
  }
  await actions.click();
  await page.getByRole("menuitem", { name: "Copy the URL" }).waitFor();
  await tab.check();
});

test("the audit list has room for IPv4 addresses and whole words on a small desk; IPv6 breaks between its groups", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  await stage.enter(tab.context, await stage.admin());
  const addresses = ["198.51.100.200", "2001:db8:1234:5678:9abc:def0:1234:5678", "203.0.113.241"];
  await page.route("**/admin/audit?*", async (route) => {
    const answer = await route.fetch();
    const { events } = (await answer.json()) as { events: object[] };
    const one = events[0];
    const rows = addresses.map((address, index) => ({
      ...one,
      id: `aud_${index}`,
      actor: null,
      identity: null,
      address,
    }));
    await route.fulfill({ json: { events: rows, nextCursor: null } });
  });
  await page.goto(`${stage.origin}/dashboard/audit`);
  await page.getByText("nobody").first().waitFor();
  for (const width of [1199, 1100, 1000, 900, 800, 740]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await lines(page, /nobody|[0-9]+(\.[0-9]+){3}|[0-9a-f]{3,4}:/g), `${width}`).toEqual({
      found: 3 + 2 + 7,
      broken: [],
    });
    // Nothing of them has to be scrolled to.
    const hidden = `(() => {
      const right = document.querySelector(".table-wrap").getBoundingClientRect().right;
      return [...document.querySelectorAll(".address")].filter((one) => one.getBoundingClientRect().right > right).length;
    })()`;
    expect(await page.evaluate(hidden), `${width}`).toBe(0);
  }
  await tab.check();
});

test("until the server has said who is logged in, the frame stands as a skeleton", async () => {
  await using tab = await browser.open();
  await stage.enter(tab.context, await stage.admin());
  const asked = Promise.withResolvers<void>();
  const { page } = tab;
  await page.route("**/auth/me", async (route) => {
    await asked.promise;
    await route.continue();
  });
  await page.goto(`${stage.origin}/dashboard/accounts`);
  await page.getByRole("status", { name: "Loading the page" }).waitFor();
  const left = (await page.locator("main").boundingBox())?.x;
  await tab.check();
  await tab.become("phone");
  const lost = `[...document.querySelectorAll("main .skeleton")].filter((bar) => {
    const [its, around] = [bar, bar.closest(".card") ?? document.body].map((one) => one.getBoundingClientRect());
    return its.left < around.left + 8 || its.right > around.right - 8;
  }).length`;
  expect(await page.evaluate(lost)).toBe(0);
  await tab.become("light");
  asked.resolve();
  await page.getByRole("heading", { name: "Accounts", level: 1 }).waitFor();
  expect((await page.locator("main").boundingBox())?.x).toBe(left);
});
