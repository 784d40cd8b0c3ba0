// The inspector's page when answers come late: what it has sent is there at once, and nothing that is typed gives way to them.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Inspector } from "../../cli/inspector/inspector.ts";
import { eventually } from "../helpers/eventually.ts";
import type { ServerProcess } from "../helpers/server-process.ts";
import type { Browser, Tab } from "./browser.ts";
import { startInspected } from "./inspected.ts";

setDefaultTimeout(60_000);

const stack = new AsyncDisposableStack();
let browser: Browser;
let server: ServerProcess;
let inspector: Inspector;
beforeAll(async () => {
  let answers = 0;
  const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(`answer ${answers++}`) });
  stack.defer(() => service.stop(true));
  const inspected = stack.use(await startInspected("late", service.port!));
  ({ browser, server, inspector } = inspected);
});
afterAll(() => stack.disposeAsync());

const visit = async (path: string): Promise<void> =>
  void (await (await fetch(`http://late.localhost:${server.port}${path}`)).text());

/** The page with the exchange of this path, which is made, in full. */
async function openAt(path: string): Promise<Tab> {
  const tab = await browser.open();
  await tab.page.goto(inspector.url);
  await visit(path);
  await tab.page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: path }).click();
  await tab.page.getByRole("region", { name: "Answer's body" }).waitFor();
  return tab;
}

test("what is sent again is there at once, though the list tells of it later", async () => {
  await using tab = await openAt("/first");
  const { page } = tab;
  const told = Promise.withResolvers<void>();
  await page.route("**/api/exchanges?*", (route) => told.promise.then(() => route.continue()));
  // This ends the question that waits already; the next one is held.
  await Promise.all([page.waitForRequest("**/api/exchanges?*"), visit("/second")]);
  await page.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("region", { name: "Difference" }).waitFor();
  told.resolve();
  await page.unrouteAll({ behavior: "wait" });
});

test("what is sent again stays there, when an answer comes that the list gave before", async () => {
  await using tab = await openAt("/before");
  const { page } = tab;
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  const sent = Promise.withResolvers<void>();
  const has = Promise.withResolvers<void>();
  let answers = 0;
  await page.route("**/api/exchanges?*", async (route) => {
    // The next is answered late; those behind it, which tell of all, never.
    if (answers++ > 0) return;
    const response = await route.fetch();
    has.resolve();
    await sent.promise;
    await route.fulfill({ response });
  });
  await Promise.all([page.waitForRequest("**/api/exchanges?*"), visit("/meanwhile")]);
  await visit("/meanwhile");
  await has.promise;
  await page.getByRole("button", { name: "Send again" }).click();
  await exchanges.filter({ hasText: "again #" }).first().waitFor();
  const next = page.waitForRequest("**/api/exchanges?*");
  sent.resolve();
  await next;
  await page.getByRole("region", { name: "Difference" }).waitFor();
  expect(await exchanges.first().textContent()).toContain("/before");
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

test("what is to be changed can be typed over when it is there, not before it comes and takes the place of what was typed", async () => {
  await using tab = await openAt("/third");
  const { page } = tab;
  const told = Promise.withResolvers<void>();
  await page.route("**/api/exchanges/*?secrets", (route) => told.promise.then(() => route.continue()));
  await page.getByRole("button", { name: "Change and send" }).click();
  const head = page.getByRole("textbox", { name: "Request line and fields" });
  await head.waitFor();
  expect([await head.isEditable(), await page.getByRole("textbox", { name: "Body" }).isEditable()]).toEqual([
    false,
    false,
  ]);
  expect(await page.getByRole("button", { name: "Send", exact: true }).isEnabled()).toBe(false);
  told.resolve();
  await eventually(() => head.isEditable(), "it can be changed");
  expect(await head.inputValue()).toStartWith("GET /third HTTP/1.1\n");
  // Whoever works by keyboard is there already.
  await page.keyboard.press("Control+A");
  await page.keyboard.type("GET /changed HTTP/1.1\nHost: a");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("heading", { name: "GET /changed" }).waitFor();
});
