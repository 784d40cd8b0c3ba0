// The inspector's page in a browser: exchanges as they come, one in full, sent again and compared, in every look.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Inspector, startInspector } from "../../cli/inspector/inspector.ts";
import { builtInspector } from "../helpers/built-pages.ts";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { type Browser, forgiveFromNow, startBrowser, type Tab } from "./browser.ts";

setDefaultTimeout(60_000);

const stack = new AsyncDisposableStack();
let browser: Browser;
let server: ServerProcess;
let inspector: Inspector;
/** Port of the local service. */
let shop: number;
let orders = 1200;
/** Sends another event of the stream that was asked for last. */
let tell: (text: string) => void;
const heard: string[] = [];

beforeAll(async () => {
  builtInspector();
  const service = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, development: false },
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      heard.push(`${request.method} ${pathname}${search} ${await request.text()}`);
      if (pathname === "/stream") return streamed();
      if (pathname === "/missing") return new Response("no such thing\n", { status: 404 });
      if (pathname === "/picture") return new Response(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0]));
      return Response.json(
        { id: orders++, state: "accepted" },
        { status: 201, headers: { "Set-Cookie": "s=letmein" } },
      );
    },
  });
  stack.defer(() => service.stop(true));
  shop = service.port!;
  [browser, server] = await Promise.all([startBrowser(), startServerProcess({ shards: 1 })]);
  stack.use(browser);
  stack.use(server);
  inspector = startInspector(0);
  stack.defer(() => inspector.stop());
  stack.use(await openTunnel({ ...server, port: shop, name: "shop", recorder: inspector.recorder }));
});
afterAll(() => stack.disposeAsync());

function streamed(): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      tell = (text) => controller.enqueue(Buffer.from(`data: ${text}\n\n`));
      tell("first");
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "X-Long": "v".repeat(400) } });
}

const visit = async (path: string, init?: RequestInit) =>
  void (await (await fetch(`http://shop.localhost:${server.port}${path}`, init)).arrayBuffer());
const pane = "document.querySelector('[aria-label=\"The chosen exchange\"]')";
const order = () =>
  visit("/orders?a=1", { method: "POST", body: '{"sku":"A-1"}', headers: { Authorization: "Bearer letmein" } });
const open = async (look?: Parameters<Browser["open"]>[0]): Promise<Tab> => {
  const tab = await browser.open(look);
  await tab.page.goto(inspector.url);
  return tab;
};

test("nothing yet; then each exchange as it comes; one in full, its secrets only when asked for", async () => {
  await using tab = await open();
  const { page } = tab;
  await page.getByRole("heading", { name: "Waiting for the first request" }).waitFor();
  await tab.looks("inspector-empty", true);
  await visit("/missing");
  await visit("/picture");
  await order();
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  // It stands there as soon as it has begun.
  await exchanges.filter({ hasText: "201POST" }).filter({ hasNotText: "running" }).waitFor();
  expect(await exchanges.allTextContents()).toEqual([
    expect.stringMatching(/^201POST \/orders\?a=1#3 · .*\d m?s$/),
    expect.stringMatching(/^200GET \/picture#2 · .*\d m?s$/),
    expect.stringMatching(/^404GET \/missing#1 · .*\d m?s$/),
  ]);
  await exchanges.first().click();
  await page.getByText('"state": "accepted"').waitFor();
  await page.getByText('{"sku":"A-1"}').waitFor();
  expect(await page.content()).not.toContain("letmein");
  await page.getByText("Show what is hidden in heads").click();
  await page.getByText("Bearer letmein").waitFor();
  await page.getByText("s=letmein").waitFor();
  await tab.looks("inspector-details", true);

  // By keyboard from one to the next, and by the address after a reload.
  await exchanges.first().focus();
  await page.keyboard.press("ArrowDown");
  await page.getByText("89 50 4e 47 00").waitFor();
  await page.reload();
  await page.getByText("89 50 4e 47 00").waitFor();
  await page.getByRole("searchbox", { name: "Filter exchanges" }).fill("404 missing");
  await exchanges.nth(1).waitFor({ state: "detached" });
  expect(await exchanges.allTextContents()).toEqual([expect.stringContaining("/missing")]);
  await page.getByRole("searchbox").fill("nowhere");
  await page.getByRole("heading", { name: "None of them" }).waitFor();
});

test("sent again it is compared with what it was; changed, it is what was typed, and what can't be sent says why", async () => {
  await using tab = await open();
  const { page, context } = tab;
  await order();
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  await exchanges.filter({ hasText: "#4" }).click();
  await page.getByRole("button", { name: "Send again" }).click();
  const difference = page.getByRole("region", { name: "Difference" });
  await difference.waitFor();
  expect(await difference.textContent()).toMatch(/-before: +"id": 1201,\+now: +"id": 1202,/);
  expect(heard.slice(-2)).toEqual(Array(2).fill('POST /orders?a=1 {"sku":"A-1"}'));
  expect(await exchanges.first().textContent()).toMatch(/again #4/);
  await tab.looks("inspector-difference", true);

  await page.getByRole("button", { name: "Change and send" }).click();
  const head = page.getByRole("textbox", { name: "Request line and fields" });
  await head.fill("PUT nowhere HTTP/1.1\nHost: a");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText("the request target is not in origin-form").waitFor();
  await tab.looks("inspector-change", true);
  await head.fill("PUT /changed HTTP/1.1\nHost: a");
  await page.getByRole("textbox", { name: "Body" }).fill("something else");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("heading", { name: "PUT /changed" }).waitFor();
  await eventually(() => heard.at(-1) === "PUT /changed something else", "the service hears what was typed");

  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await page.getByText("The curl command is copied.").waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toMatch(/^curl -i -X PUT .*\n? {2}'http:.*\/changed'/);

  await page.getByRole("button", { name: "Clear", exact: true }).click();
  await page.getByRole("heading", { name: "Waiting for the first request" }).waitFor();
});

test("an event of a stream stands on the open page when it has come; what was opened there stays open", async () => {
  await using tab = await open();
  const { page } = tab;
  const ending = new AbortController();
  // Kept until it ends: Bun ends the connection of an answer that nobody holds any more when it collects it.
  const streaming = await fetch(`http://shop.localhost:${server.port}/stream`, { signal: ending.signal });
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  await exchanges.filter({ hasText: "/stream" }).click();
  const body = page.getByRole("region", { name: "Answer's body" });
  await body.filter({ hasText: "data: first" }).waitFor();
  await page.getByRole("button", { name: "+100 characters" }).click();
  tell("second");
  await body.filter({ hasText: "data: second" }).waitFor();
  await page.getByRole("button", { name: "show less" }).waitFor();
  ending.abort();
  await expect(streaming.text()).rejects.toThrow("aborted");
  await page.getByText("Ended by the visitor", { exact: true }).waitFor();
  await body.filter({ hasText: "data: second" }).waitFor();
  // Nothing failed.
  const listed = exchanges.filter({ hasText: /\/stream.*ended by the visitor/ });
  expect(await listed.locator(".status").getAttribute("data-tone")).toBe("good");
  await tab.looks("inspector-left", true);
});

test("what is read stays, in its place, while hundreds come and go; the next is read from its top", async () => {
  await using tab = await open("light");
  const { page } = tab;
  await order();
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  await exchanges.filter({ hasText: "/orders?a=1" }).click();
  // All of it: the answer stands above the request.
  await page.getByRole("region", { name: "Answer's body" }).waitFor();
  await page.evaluate(`${pane}.scrollTop = 150`);
  for (let i = 0; i < 220; i++) await visit(`/missing?${i}`);
  await exchanges.filter({ hasText: "/missing?219" }).waitFor();
  expect(await exchanges.count()).toBe(200);
  expect(await page.evaluate("document.activeElement.textContent")).toContain("/orders?a=1");
  expect(await page.evaluate(`${pane}.scrollTop`)).toBe(150);
  await page.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("region", { name: "Difference" }).waitFor();
  expect(await page.evaluate(`${pane}.scrollTop`)).toBe(0);
  // Two hundred are much to look through for the tests below.
  inspector.recorder.clear();
});

test("what is too large to be sent, and another program that answers in the agent's place, is said in words", async () => {
  await using tab = await open();
  const { page } = tab;
  await visit("/form", { method: "POST", body: "small" });
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: "/form" }).click();
  await page.getByRole("button", { name: "Change and send" }).click();
  // As the agent refuses 4 MiB: a text area takes seconds for as much.
  await page.route("**/repeat", (route) => route.fulfill({ status: 413, body: "" }));
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText("It is larger than what can be sent from here, 4 MiB.").waitFor();
  await page.route("**/api/exchanges?*", (route) => route.fulfill({ status: 200, body: "<html>" }));
  await visit("/form");
  await page.getByText("Something else answers here").waitFor();
  inspector.recorder.clear();
});

test("an answer is compared with the one that it repeats, or with none", async () => {
  await using tab = await open();
  const { page } = tab;
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  const difference = page.getByRole("region", { name: "Difference" });
  const repeated: number[] = [];
  for (const path of ["/one", "/two"]) {
    await visit(path);
    await exchanges.filter({ hasText: path }).click();
    await page.getByRole("heading", { name: path }).waitFor();
    await page.getByRole("button", { name: "Send again" }).click();
    await difference.waitFor();
    repeated.push(inspector.recorder.all()[0]!.id);
  }
  const first = inspector.recorder.look(repeated[0]!)!.repeats!.id;
  await page.route(`**/api/exchanges/${first}`, (route) =>
    route.fulfill({ status: 404, json: { error: { message: "gone" } } }),
  );
  await exchanges.filter({ hasText: `#${repeated[0]} ` }).click();
  await page.getByRole("heading", { name: "/one" }).waitFor();
  await page.getByText(/"id": \d+/).waitFor();
  expect(await page.getByText("Compared with").count()).toBe(0);
  await exchanges.filter({ hasText: `#${repeated[1]} ` }).click();
  await difference.waitFor();
  inspector.recorder.clear();
});

test("lines of a body that end with CRLF still do when it was changed", async () => {
  await using tab = await open();
  const { page } = tab;
  await visit("/form", { method: "POST", body: "a\r\nb" });
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: "/form" }).click();
  await page.getByRole("button", { name: "Change and send" }).click();
  await page.getByRole("textbox", { name: "Body" }).fill("c\nd\n");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("button", { name: "changed from #" }).waitFor();
  await eventually(() => heard.at(-1) === "POST /form c\r\nd\r\n", "the service hears the line ends that there were");
});

test("an agent that starts anew on the same port: what was read stays, and its address is asked for", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  const first = startInspector(0);
  await using _ = await openTunnel({ ...server, port: shop, name: "anew", recorder: first.recorder });
  await page.goto(first.url);
  await fetch(`http://anew.localhost:${server.port}/orders`);
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button").click();
  await page.getByText('"state": "accepted"').waitFor();
  // The question that waits breaks off, the next ones find nobody.
  forgiveFromNow(tab, "net::ERR_");
  await first.stop();
  await page.getByText("The agent does not answer").waitFor();
  const second = startInspector(Number(new URL(first.url).port));
  await page.getByText("The agent was started anew, with another key").waitFor();
  await page.getByText('"state": "accepted"').waitFor();
  await tab.looks("inspector-anew", true);
  // Only what stands behind the # is another: browsers do not load that by themselves.
  await page.evaluate(`location.href = ${JSON.stringify(second.url)}`);
  await page.getByRole("heading", { name: "Waiting for the first request" }).waitFor();
  await second.stop();
});

test("on a phone the list and the one that is chosen stand by themselves", async () => {
  await using tab = await open("phone");
  const { page } = tab;
  await order();
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: "/orders?a=1" }).click();
  await page.getByRole("heading", { name: "POST /orders?a=1" }).waitFor();
  const focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.className";
  expect(await page.evaluate(focused)).toBe("The chosen exchange");
  await tab.looks("inspector-phone", true);
  await page.getByRole("button", { name: "All exchanges" }).click();
  await page.getByRole("region", { name: "Exchanges" }).waitFor();
  expect(await page.evaluate(focused)).toBe("exchange");
  await tab.looks("inspector-phone-list", true);
  await visit(`/missing/${"q".repeat(3_000)}`);
  await page.getByRole("button", { name: "/missing/qqq" }).click();
  await page.getByRole("heading", { name: "GET /missing/qqq" }).waitFor();
  await tab.looks("inspector-phone-long", true);
});

test("security: an address without the key, or one that is over, says so and shows nothing", async () => {
  await using tab = await browser.open();
  await tab.page.goto(new URL(inspector.url).origin);
  await tab.page.getByText("This is not the whole address").waitFor();
  await tab.looks("inspector-no-key", true);
});
