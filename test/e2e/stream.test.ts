// The event stream in the pages: every state of a tunnel as it is, nothing polled beside it, and what is missing or old is said.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { startHostileAgent } from "../helpers/hostile-agent.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { forgiveFromNow } from "./browser.ts";
import { isLive, startLiveStage, type LiveStage } from "./live-stage.ts";
import { startRelay } from "./relay.ts";

setDefaultTimeout(90_000);
let live: LiveStage;
beforeAll(async () => {
  live = await startLiveStage();
});
afterAll(async () => live[Symbol.asyncDispose]());

/** GET calls of the API, but for the stream itself. */
function countFetches(page: Page): string[] {
  const fetches: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (/^\/(?:admin|org)\//.test(pathname) && !pathname.endsWith("/events")) fetches.push(pathname);
  });
  return fetches;
}

describe("a tunnel", () => {
  test("unproven, up with round trip and rate, down, and offline after kill -9, without a reload", async () => {
    await using tab = await live.adminTab("tunnels");
    const { page } = tab;
    await isLive(page);
    const row = (name: string) => page.getByRole("row").filter({ hasText: name });
    // An agent that never answers whether its local service does.
    using _silent = await startHostileAgent({ port: live.stage.port, token: live.token }, "silent");
    await row("silent").getByText("Unproven", { exact: true }).waitFor();
    await row("silent").getByText("connected, no answer seen yet").waitFor();

    const local = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
    const port = local.port ?? 0;
    await using agent = await openTunnelProcess({
      origin: live.stage.origin,
      token: live.token,
      port: local.port ?? 0,
      name: "real",
    });
    await row("real").getByText("Up", { exact: true }).waitFor();
    await row("real")
      .getByText(/answered .*(?:ago|now)/)
      .waitFor();
    await row("real")
      .getByText(/^[\d.]+ ms/)
      .waitFor();
    await row("real").getByText("0/s", { exact: true }).waitFor();
    for (let n = 0; n < 20; n++) await live.visit("real", `/${n}`);
    await row("real")
      .getByText(/^(?!0\/s)[\d.]+\/s$/)
      .waitFor();
    await row("real").getByText("20", { exact: false }).first().waitFor();
    await row("real").getByText("0/s", { exact: true }).waitFor();
    await tab.shot("tunnels-states");

    await local.stop(true);
    await live.visit("real", "/down");
    await row("real").getByText("Service down").waitFor();
    await row("real").getByText("since").waitFor();

    agent.signal("SIGKILL");
    await row("real").getByText("Offline").waitFor();
    await row("real").getByText("last seen").waitFor();
    await row("real").getByText(`:${port}`).waitFor();
    await row("real").getByText("–/s").waitFor({ state: "detached" });
    await row("real").getByRole("button", { name: "Actions for real" }).click();
    await page.getByRole("menuitem", { name: "Clear…" }).waitFor();
    await tab.check();
  });

  test("of an application: the way of a request is green only when its local service has answered", async () => {
    await using tab = await live.tabOf(live.boss, `applications/${live.appId}`);
    const { page } = tab;
    await isLive(page);
    await page.getByText("No agent is connected").waitFor();
    const local = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
    const agent = await live.open("shop", live.boss.token, local.port ?? 0);
    const stop = (name: string) => page.getByRole("listitem").filter({ hasText: name });
    const tones = async () => {
      const stops = page.getByRole("list", { name: "The way of a request" }).getByRole("listitem");
      return stops.evaluateAll((all) => all.map((one) => one.getAttribute("data-tone")));
    };
    await stop("Local service").getByText("Answers", { exact: true }).waitFor();
    await stop("Local service")
      .getByText(/answered .*(?:ago|now)/)
      .waitFor();
    await stop("Agent")
      .getByText(/round trip [\d.]+ ms/)
      .waitFor();
    expect(await tones()).toEqual(["warn", "good", "good", "good"]);
    await tab.check();
    await tab.shot("path-up");
    await local.stop(true);
    await live.visit("shop", "/");
    await stop("Local service").getByText("Does not answer").waitFor();
    expect(await tones()).toEqual(["warn", "accent", "accent", "bad"]);
    await tab.check();
    await tab.shot("path-down");
    await agent.stop(0);
    await stop("Agent").getByText("Offline").waitFor();
    await stop("Agent").getByText("last seen").waitFor();
    expect(await tones()).toEqual(["warn", "idle", "bad", "idle"]);
    await page.getByRole("button", { name: "Clear…" }).waitFor();
    await tab.check();
    await tab.shot("path-offline");
  });
});

describe("the stream", () => {
  test("is all there is: tunnels, overview, audit and limits ask for nothing beside it while it is connected", async () => {
    await using _agent = await live.open("quiet");
    await using _own = await live.open("shop", live.boss.token);
    const staysQuiet = async (path: string) => {
      await using tab = await (path === "limits" ? live.tabOf(live.boss, path) : live.adminTab(path));
      const { page } = tab;
      const debug = await tab.context.newCDPSession(page);
      await debug.send("Network.enable");
      const streams = new Set<string>();
      debug.on("Network.requestWillBeSent", ({ requestId, request }) => {
        if (request.url.endsWith("/events")) streams.add(requestId);
      });
      /** The next word of the stream, which speaks each second of the real clock. */
      const speaks = () =>
        new Promise<void>((heard) => {
          const hear = ({ requestId }: { requestId: string }) => {
            if (!streams.has(requestId)) return;
            debug.off("Network.dataReceived", hear);
            heard();
          };
          debug.on("Network.dataReceived", hear);
        });
      // The page begins with this clock: timers that run already would not follow it.
      await page.clock.install();
      await page.reload();
      if (path === "audit") await page.getByRole("switch", { name: "Follow" }).check();
      await isLive(page);
      await eventually(async () => {
        const fetches = countFetches(page);
        for (let round = 0; round < 3; round++) {
          // Less than the silence after which the stream would begin anew, more than any interval was.
          await page.clock.fastForward(16_000);
          // Without a word it would be given up.
          await speaks();
          // Whatever the timers asked for is heard of before this, and that word by the page.
          await page.evaluate("fetch('/live').then((answer) => answer.text())");
        }
        // The chart moves on when its minute is over.
        const charts = fetches.filter((pathname) => pathname.endsWith("/traffic")).length;
        return charts <= 1 && fetches.length === charts;
      }, `${path} is quiet`);
    };
    await Promise.all(["tunnels?q=quiet", "overview", "audit", "limits"].map(staysQuiet));
  });

  test("closes in a tab that is hidden for a while, and brings what was missed when it is seen again", async () => {
    await using _agent = await live.open("hidden");
    await live.visit("hidden", "/first");
    await using tab = await live.adminTab("requests");
    forgiveFromNow(tab, "net::ERR_");
    const { page } = tab;
    await page.clock.install();
    await isLive(page);
    await page.getByRole("button", { name: "/first" }).waitFor();
    const streams: (string | undefined)[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/events")) streams.push(request.headers()["last-event-id"]);
    });
    const show = (hidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
        document.dispatchEvent(new Event("visibilitychange"))`);
    // Switching to and fro is no reason to begin anew.
    await show(true);
    await page.clock.fastForward(2_000);
    await show(false);
    // Two fetches may be left of the beginning, one under way and one behind it, and bring a row before the stream tells of it: the third
    // row comes because the stream has told something.
    for (const path of ["/before-1", "/before-2", "/before-3"]) {
      await live.visit("hidden", path);
      await page.getByRole("button", { name: path }).waitFor();
    }
    expect(streams).toEqual([]);
    await show(true);
    const closed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/events"));
    await page.clock.fastForward(11_000);
    await closed;
    await live.visit("hidden", "/meanwhile");
    await show(false);
    await page.getByRole("button", { name: "/meanwhile" }).waitFor();
    expect(streams).toEqual([expect.stringMatching(/^\w+-\d+$/)]);
  });

  test("that can't go on where it broke off: what is on screen is fetched again, and the server's memory leaves no gap", async () => {
    await using _agent = await live.open("gappy");
    await using relay = startRelay(live.stage.port);
    await using tab = await live.adminTab("requests", { port: relay.port });
    forgiveFromNow(tab, "net::ERR_");
    const { page } = tab;
    await isLive(page);
    await live.visit("gappy", "/before-gap");
    await page.getByRole("button", { name: "/before-gap" }).waitFor();
    // What is asked meanwhile waits: that it failed would be told instead.
    const back = Promise.withResolvers<void>();
    await page.route(/\/admin\/(?!events)/, async (route) => {
      await back.promise;
      await route.continue().catch(() => {});
    });
    relay.pause();
    await page.getByText("Connection lost, trying again").waitFor();
    // Nothing of the page is older than the moment at which it stopped to be live.
    const bar = page.getByRole("status").filter({ hasText: /Last live (?:\d+ s ago|just now)\./ });
    await bar.getByText("The connection for live updates is lost").waitFor();
    await tab.shot("not-live");
    await live.visit("gappy", "/during-gap");
    // As after a restart of the server: it knows nothing of what was heard before.
    await page.route("**/admin/events", (route) =>
      route.continue({ headers: { ...route.request().headers(), "last-event-id": "earlier-7" } }),
    );
    relay.resume();
    await page.getByText("Live", { exact: true }).last().waitFor({ timeout: 30_000 });
    back.resolve();
    await page.getByRole("button", { name: "/during-gap" }).waitFor();
    await bar.waitFor({ state: "detached" });
    const rows = await page.locator("tbody .req-open").allInnerTexts();
    expect(rows.slice(0, 2)).toEqual(["/during-gap", "/before-gap"]);
    await tab.check();
  });

  test("lost, on a phone: the connection is told outside of the drawer, old data says how old it is, and can be asked again", async () => {
    await using _agent = await live.open("aging");
    await using relay = startRelay(live.stage.port);
    await using tab = await live.adminTab("tunnels?q=aging", { port: relay.port, look: "phone" });
    forgiveFromNow(tab, "net::ERR_");
    const { page } = tab;
    await isLive(page);
    await page.getByText("aging", { exact: true }).waitFor();
    relay.pause();
    await page.getByText("Connection lost, trying again").waitFor();
    const bar = page.getByRole("status").filter({ hasText: "Not up to date" });
    await bar.getByText(/last fetched (?:\d+ s ago|just now)\./).waitFor({ timeout: 20_000 });
    await bar.getByText("could not be reached").waitFor();
    // What ticks in a live region would be read out each second.
    await bar.getByRole("timer").waitFor();
    await page.getByText("aging", { exact: true }).waitFor();
    await tab.check();
    await tab.shot("not-up-to-date");
    // Before the server is back: the page would find it by itself, and the button be gone.
    const asked = page.waitForRequest((request) => request.url().includes("/admin/tunnels"));
    await bar.getByRole("button", { name: "Try again" }).click();
    await asked;
    relay.resume();
    await bar.waitFor({ state: "detached", timeout: 30_000 });
    await isLive(page);
  });
});
