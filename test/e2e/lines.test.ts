// Where the lines of a list end when there is little room: no number, address or word is broken in two.

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

/** What matches in the rows of the list: how often, and what of it stands on more than one line. */
async function lines(page: Page, pattern: RegExp): Promise<{ found: number; broken: string[] }> {
  return (await page.evaluate(`(() => {
    const texts = document.createTreeWalker(document.querySelector("tbody"), NodeFilter.SHOW_TEXT);
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
