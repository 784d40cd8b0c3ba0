// A Vite dev server through a tunnel: modules, and hot reload over its WebSocket after a file was changed.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type ViteDevServer } from "vite";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnel, type TunnelAgent } from "../helpers/tunnel-agent.ts";

let folder: string;
let vite: ViteDevServer;
let server: ServerProcess;
let agent: TunnelAgent;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "digit-link-vite-"));
  writeFileSync(join(folder, "index.html"), `<script type="module" src="/main.js"></script>`);
  writeFileSync(
    join(folder, "main.js"),
    `import { word } from "./word.js"; import.meta.hot.accept("./word.js"); word;`,
  );
  writeFileSync(join(folder, "word.js"), `export const word = "before";`);
  vite = await createServer({
    root: folder,
    configFile: false,
    logLevel: "silent",
    cacheDir: join(folder, ".vite"),
    // Polling: a machine full of tests may be out of inotify watches.
    server: { host: "127.0.0.1", port: 0, watch: { usePolling: true, interval: 50 } },
  });
  await vite.listen();
  server = await startServerProcess({ shards: 2 });
  const { port } = vite.httpServer!.address() as AddressInfo;
  agent = await openTunnel({ ...server, port, name: "vite" });
  ({ url } = await agent.until("tunnel.ready"));
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await vite?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test("the page, its modules and Vite's own client arrive", async () => {
  const page = await fetch(`${url}/`, { headers: { Accept: "text/html" } });
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("/@vite/client");
  const module = await fetch(`${url}/main.js`);
  expect(module.headers.get("content-type")).toContain("javascript");
  expect(await module.text()).toContain("word.js");
  const notModified = await fetch(`${url}/main.js`, { headers: { "If-None-Match": module.headers.get("etag") ?? "" } });
  expect(notModified.status).toBe(304);
});

test("a changed file is announced over the HMR WebSocket, and its new content can be loaded", async () => {
  const client = await (await fetch(`${url}/@vite/client`)).text();
  const wsToken = /const wsToken = "([^"]+)"/.exec(client)?.[1];
  expect(wsToken).toBeString();
  // As the browser did: the module graph must know the files.
  await fetch(`${url}/main.js`);
  expect(await (await fetch(`${url}/word.js`)).text()).toContain("before");
  const messages: { type: string; updates?: { path: string; acceptedPath: string; timestamp: number }[] }[] = [];
  const socket = new WebSocket(`${url.replace("http", "ws")}/?token=${wsToken}`, "vite-hmr");
  socket.onmessage = ({ data }) => void messages.push(JSON.parse(String(data)));
  await eventually(() => messages.some(({ type }) => type === "connected"), "Vite says hello");
  writeFileSync(join(folder, "word.js"), `export const word = "after";`);
  await eventually(() => messages.some(({ type }) => type === "update"), "Vite announces the change");
  const update = messages.find(({ type }) => type === "update")!.updates![0]!;
  expect(update).toMatchObject({ path: "/main.js", acceptedPath: "/word.js" });
  expect(await (await fetch(`${url}/word.js?t=${update.timestamp}`)).text()).toContain("after");
  socket.close();
});
