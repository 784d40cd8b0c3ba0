// How long the dashboard's pages take to stand there and to tell what happened. In a step of their own: beside others they would measure those.

import { expect, setDefaultTimeout, test } from "bun:test";
import { startBrowser } from "../e2e/browser.ts";
import { isLive, startLiveStage } from "../e2e/live-stage.ts";
import { startStage } from "../e2e/stage.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(60_000);

test("the first useful screen stands within a second: the median of five loads, each in a browser that knows nothing yet", async () => {
  await using stage = await startStage();
  await using browser = await startBrowser();
  using service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const admin = await stage.admin();
  const { token } = await stage.person({ username: "runner" });
  await using _shop = await openTunnel({ origin: stage.origin, token, port: service.port ?? 0, name: "shop" });
  await fetch(`http://shop.localhost:${stage.port}/`);
  const loadsMs: number[] = [];
  for (let load = 0; load < 5; load++) {
    await using tab = await browser.open();
    await stage.enter(tab.context, admin);
    const startedAt = performance.now();
    await tab.page.goto(`${stage.origin}/dashboard/overview`, { waitUntil: "commit" });
    await tab.page.getByRole("region", { name: "Busiest tunnels" }).getByRole("link", { name: "shop" }).waitFor();
    loadsMs.push(performance.now() - startedAt);
  }
  const [, , median] = loadsMs.toSorted((a, b) => a - b);
  // On two cores 0.35 s were measured, and 0.6 s with as much again to do for others.
  expect(median, loadsMs.map(Math.round).join(" ")).toBeLessThan(1_000);
});

test("a tunnel is offline on the open page within five seconds of its agent's kill -9", async () => {
  await using live = await startLiveStage();
  using service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  await using tab = await live.adminTab("tunnels");
  await isLive(tab.page);
  const { origin } = live.stage;
  await using agent = await openTunnelProcess({ origin, token: live.token, port: service.port!, name: "killed" });
  const row = tab.page.getByRole("row").filter({ hasText: "killed" });
  await row.getByText("Up", { exact: true }).waitFor();
  const killedAt = performance.now();
  agent.signal("SIGKILL");
  await row.getByText("Offline").waitFor();
  expect(performance.now() - killedAt).toBeLessThan(5_000);
});
