// The inspector's page and what does not behave: WebSockets of a real application, more tabs than a browser has connections, text that hides.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { ServerWebSocket } from "bun";
import type { Page, Request } from "playwright-core";
import type { Inspector } from "../../cli/inspector/inspector.ts";
import { eventually } from "../helpers/eventually.ts";
import type { ServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import type { Browser } from "./browser.ts";
import { startInspected } from "./inspected.ts";

setDefaultTimeout(60_000);

const stack = new AsyncDisposableStack();
let browser: Browser;
let server: ServerProcess;
let inspector: Inspector;
/** The local service's end of the WebSocket that was opened last. */
let atService: ServerWebSocket;

beforeAll(async () => {
  const service = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, development: false },
    async fetch(request, self) {
      if (self.upgrade(request)) return undefined;
      return new Response(request.body === null ? "hello" : await request.text());
    },
    websocket: {
      open(socket) {
        atService = socket;
        socket.send("welcome");
      },
      message: (socket, text) => void socket.send(`echo: ${text}`),
    },
  });
  stack.defer(() => service.stop(true));
  const inspected = stack.use(await startInspected("chat", service.port!));
  ({ browser, server, inspector } = inspected);
});
afterAll(() => stack.disposeAsync());

const url = (path: string, scheme = "http") => `${scheme}://chat.localhost:${server.port}${path}`;

/** A visitor's WebSocket that has had its first message. */
async function dial(path: string): Promise<WebSocket> {
  const socket = new WebSocket(url(path, "ws"));
  await heard(socket);
  return socket;
}

/** The next message. */
async function heard(socket: WebSocket): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  socket.addEventListener("message", ({ data }) => resolve(data), { once: true });
  socket.addEventListener("close", () => reject(new Error("it was closed")), { once: true });
  return promise;
}

test("a WebSocket is open while it is, its messages are counted as they pass, and how it ended is told", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  await page.goto(inspector.url);
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  const told = page.getByRole("region", { name: "WebSocket" });
  const choose = async (path: string): Promise<void> => {
    await exchanges.filter({ hasText: path }).click();
    await page.getByRole("heading", { name: `GET ${path}` }).waitFor();
  };

  const socket = await dial("/chat");
  await choose("/chat");
  await told.filter({ hasText: /Stateopen.*visitor0 messages, 0 B.*service1 message, 9 B/ }).waitFor();
  expect(await exchanges.filter({ hasText: "/chat" }).textContent()).toMatch(/^101GET \/chat.*open$/);
  socket.send("hello");
  expect(await heard(socket)).toBe("echo: hello");
  await told.filter({ hasText: /visitor1 message, 11 B.*service2 messages, 22 B/ }).waitFor();
  expect(await page.getByText("not kept").count()).toBe(0);
  for (const name of ["Send again", "Change and send", "Copy as curl", "Copy as test"])
    expect(await page.getByRole("button", { name }).isDisabled()).toBe(true);
  await page.getByText("It can't be sent again. It switches to another protocol.").waitFor();
  await tab.looks("inspector-socket", true);
  socket.close(1000, "bye");
  await told.filter({ hasText: /Stateclosed by the visitor: 1000 \(normal\) “bye”/ }).waitFor();
  await exchanges.filter({ hasText: /\/chat.*(?:ms|\d s)$/ }).waitFor();

  await dial("/fails");
  await choose("/fails");
  atService.close(1011, "broken");
  await told.filter({ hasText: "Stateclosed by the local service: 1011 (internal error) “broken”" }).waitFor();

  const aborted = await dial("/aborted");
  await choose("/aborted");
  await told.filter({ hasText: "Stateopen" }).waitFor();
  aborted.terminate();
  await told.filter({ hasText: "Stateended without a close frame" }).waitFor();
  await tab.looks("inspector-socket-aborted", true);

  await dial("/dies");
  await choose("/dies");
  await told.filter({ hasText: "Stateopen" }).waitFor();
  atService.terminate();
  await told.filter({ hasText: "Stateended without a close frame" }).waitFor();
  inspector.recorder.clear();
});

test("of more tabs than a browser has connections for, each shows all that came as soon as it is looked at", async () => {
  await using tab = await browser.open();
  const { context } = tab;
  // A browser without windows shows all of its tabs at once.
  await context.addInitScript(`{
    let isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => isHidden });
    window.look = (isLookedAt) => {
      isHidden = !isLookedAt;
      document.dispatchEvent(new Event("visibilitychange"));
    };
  }`);
  /** Questions that wait for news: each takes one of the six connections. */
  const waiting = new Set<Request>();
  context.on("request", (request) => request.url().includes("?since=") && waiting.add(request));
  const isOver = (request: Request) => void waiting.delete(request);
  context.on("requestfinished", isOver);
  context.on("requestfailed", isOver);
  let seen: Page | null = null;
  /** Nobody has two tabs before them. */
  const lookAt = async (page: Page): Promise<void> => {
    await seen?.evaluate("look(false)");
    if (page.url() === inspector.url) await page.evaluate("look(true)");
    else await page.goto(inspector.url);
    seen = page;
  };
  const listed = (page: Page) =>
    page.getByRole("region", { name: "Exchanges" }).getByRole("button").locator("code").allTextContents();
  const pages = [tab.page];
  while (pages.length < 7) pages.push(await context.newPage());
  const paths: string[] = [];
  for (const page of [...pages, ...pages]) {
    await lookAt(page);
    // While it is looked at, and what came before.
    paths.unshift(`/visit-${paths.length}`);
    await (await fetch(url(paths[0]!))).text();
    await page.getByRole("button", { name: paths[0]! }).click();
    await page.getByRole("region", { name: "Answer's body" }).filter({ hasText: "hello" }).waitFor();
    expect(await listed(page)).toEqual(paths);
    const whose = () => [...waiting].map((request) => pages.indexOf(request.frame().page()));
    await eventually(() => whose().join() === String(pages.indexOf(page)), "only it waits for more");
  }
  inspector.recorder.clear();
});

test("of more windows than a browser has connections for, all before somebody, each works and shows what comes", async () => {
  await using tab = await browser.open();
  const { context } = tab;
  // Without its cache: there equal questions wait for each other, but not for long.
  await context.route("**/*", (route) => route.continue());
  const pages = [tab.page];
  while (pages.length < 9) pages.push(await context.newPage());
  for (const page of pages) await page.goto(inspector.url);
  const last = pages.at(-1)!;
  for (const path of ["/one", "/two"]) {
    await (await fetch(url(path))).text();
    for (const page of pages) await page.getByRole("button", { name: path }).waitFor();
    await last.getByRole("button", { name: path }).click();
    await last.getByRole("region", { name: "Answer's body" }).filter({ hasText: "hello" }).waitFor();
  }
  inspector.recorder.clear();
});

test("security: characters that turn the order of others round, or can't be seen, stand as escapes; copied they are what they were", async () => {
  await using tab = await browser.open();
  const { page, context } = tab;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(inspector.url);
  const body = "user \u202e\u2066// admin\u2069 \u2066begin\u200b\u061c\u{e0041} caf\u00e9 \u2764\ufe0f";
  await (await fetch(url("/odd"), { method: "POST", body, headers: { "X-Odd": "a\xe2\x80\xaeb" } })).text();
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: "/odd" }).click();
  const region = page.getByRole("region", { name: "Request's body" });
  await region.waitFor();
  const pre = `document.querySelector('pre[aria-label^=Request]')`;
  const painted = await page.evaluate(
    `[...${pre}.childNodes].map((node) => node.nodeType === 3 ? node.data : node.dataset.escape).join("")`,
  );
  expect(painted).toBe(
    String.raw`user \u202e\u2066// admin\u2069 \u2066begin\u200b\u061c\udb40\udc41 ` + "caf\u00e9 \u2764\ufe0f",
  );
  // From left to right stands what comes one after the other.
  const lefts = (await page.evaluate(`[...${pre}.childNodes].filter((node) => node.data !== "").map((node) => {
    const range = document.createRange();
    range.selectNode(node);
    return range.getBoundingClientRect().left;
  })`)) as number[];
  expect(lefts.length).toBeGreaterThan(5);
  expect(lefts).toEqual(lefts.toSorted((a, b) => a - b));
  await page.locator('.headers [data-escape="\\\\u0080"]').first().waitFor();
  await tab.looks("inspector-unseen", true);

  const copied = async () => page.evaluate("navigator.clipboard.readText()");
  await page.evaluate(`getSelection().selectAllChildren(${pre})`);
  await page.keyboard.press("Control+C");
  await eventually(async () => (await copied()) === body, "what was selected is copied as it was");
  await page.getByRole("button", { name: "Copy as test" }).click();
  await page.getByText("The test is copied.").waitFor();
  expect(await copied()).toContain(String.raw`user \u202e\u2066// admin\u2069`);
  await page.getByRole("button", { name: "Change and send" }).click();
  await page.getByText(String.raw`can't be seen: \u202e \u2066 \u2069 \u200b \u061c`).waitFor();
  await tab.looks("inspector-unseen-change", true);
  inspector.recorder.clear();
});

test("a status of the tunnel's own is no answer of the local service; of many bytes is told how many are shown", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  await page.goto(inspector.url);
  const exchanges = page.getByRole("region", { name: "Exchanges" }).getByRole("button");
  await using _ = await openTunnel({ ...server, port: 1, name: "down", recorder: inspector.recorder });
  await (await fetch(`http://down.localhost:${server.port}/nobody`)).text();
  await exchanges.filter({ hasText: "/nobody" }).click();
  await page.getByText("Not answered: the visitor got 502 from the tunnel").waitFor();
  await page.getByText("There is no answer of the local service.").waitFor();
  expect(await page.getByRole("button", { name: "Copy as test" }).isDisabled()).toBe(true);
  await tab.looks("inspector-502", true);
  await (await fetch(url("/upload"), { method: "POST", body: new Uint8Array(2_000) })).text();
  await exchanges.filter({ hasText: "/upload" }).click();
  await page.getByRole("heading", { name: "POST /upload" }).waitFor();
  await page.getByText("2 KiB, the first 512 B shown").first().waitFor();
  inspector.recorder.clear();
});

test("a form with a picture is shown in parts, on a phone too", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  await page.goto(inspector.url);
  const form = new FormData();
  form.append("title", "A caf\u00e9 \u202e by night");
  form.append("note", "long ".repeat(1_000));
  form.append("data", new Blob(['{"a":[1,2]}'], { type: "application/json" }), "data.json");
  const picture = new Uint8Array(3_000).fill(0xff);
  picture.set([0x89, 0x50, 0x4e, 0x47]);
  form.append("picture", new Blob([picture], { type: "image/png" }), `${"a-long-name-".repeat(20)}.png`);
  form.append("nothing", new Blob([]), "");
  await (await fetch(url("/form"), { method: "POST", body: form })).text();
  await page.getByRole("region", { name: "Exchanges" }).getByRole("button", { name: "/form" }).click();
  const parts = page.getByRole("list", { name: "Parts of the request's body" }).getByRole("listitem");
  await parts.first().waitFor();
  expect(await parts.allTextContents()).toEqual([
    expect.stringMatching(/^title · 20 BA caf\u00e9 \u202e by night$/),
    expect.stringMatching(/^note · 4.9 KiB(?:long )+… \+3000 characters$/),
    expect.stringMatching(/^data · data\.json · application\/json.* · 11 B\{\n {2}"a": \[\n/),
    expect.stringMatching(
      /^picture · (?:a-long-name-)+.* · image\/png · 2.9 KiB, the first 64 B shown0000 {2}89 50 4e 47 ff/,
    ),
    expect.stringMatching(/^nothing · no file chosen · .*0 B$/),
  ]);
  await parts.last().scrollIntoViewIfNeeded();
  await tab.looks("inspector-parts", true);
  await tab.become("phone");
  await tab.looks("inspector-parts-phone", true);
  inspector.recorder.clear();
});

test("by keyboard: / leads to the filter, the list is one stop of Tab, and its keys lead through it", async () => {
  await using tab = await browser.open();
  const { page } = tab;
  await page.goto(inspector.url);
  for (const path of ["/a", "/b", "/c", "/d"]) await (await fetch(url(path))).text();
  await page.getByRole("button", { name: "GET /d" }).waitFor();
  const focused = () =>
    page.evaluate("document.activeElement.querySelector('code')?.textContent ?? document.activeElement.ariaLabel");
  const press = async (...keys: string[]): Promise<unknown> => {
    for (const key of keys) await page.keyboard.press(key);
    return focused();
  };
  expect(await press("/")).toBe("Filter exchanges");
  expect(await press("/")).toBe("Filter exchanges");
  expect(await page.getByRole("searchbox").inputValue()).toBe("/");
  expect(await press("Escape", "Tab", "Tab")).toBe("/d");
  expect(await press("ArrowDown", "ArrowDown")).toBe("/b");
  expect([await press("End"), await press("Home"), await press("ArrowUp"), await press("ArrowDown")]).toEqual([
    "/a",
    "/d",
    "/d",
    "/c",
  ]);
  await page.getByRole("heading", { name: "GET /c" }).waitFor();
  await page.getByRole("button", { name: "Send again" }).waitFor();
  await press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toBe("Send again");
  expect(await press("Shift+Tab")).toBe("/c");
  inspector.recorder.clear();
});
