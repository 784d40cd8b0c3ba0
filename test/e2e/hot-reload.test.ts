// What developers open tunnels for: a page of a Vite dev server, in a browser, that takes an edit without being loaded again.

import { expect, test } from "bun:test";
import { startTestAgent } from "../helpers/agent.ts";
import { startTestServer } from "../helpers/server.ts";
import { startViteProject } from "../helpers/vite-project.ts";
import { startBrowser } from "./browser.ts";

test("a file edited on disk changes the open page behind a tunnel, which stays the same page", async () => {
  await using browser = await startBrowser();
  await using vite = await startViteProject();
  await using server = await startTestServer({ SHARDS: "2" });
  await using _agent = await startTestAgent({ server, subdomain: "vite", localPort: vite.port });
  await using tab = await browser.open();
  const { page } = tab;
  const dialled = page.waitForEvent("websocket");
  const connected = page.waitForEvent("console", (message) => message.text() === "[vite] connected.");
  await page.goto(`http://vite.localhost:${server.port}/`);
  await page.getByText("before", { exact: true }).waitFor();
  const hmr = await dialled;
  await connected;
  // By the tunnel, not by Vite's own port, which its client tries next.
  expect(new URL(hmr.url()).host).toBe(`vite.localhost:${server.port}`);
  await page.evaluate("globalThis.mark = 'same page'");
  const update = hmr.waitForEvent("framereceived", ({ payload }) => String(payload).includes('"type":"update"'));
  vite.say("after");
  await update;
  await page.getByText("after", { exact: true }).waitFor();
  expect(await page.evaluate("globalThis.mark")).toBe("same page");
}, 60_000);
