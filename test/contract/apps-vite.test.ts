// Contract: a Vite dev server through a tunnel: modules, hot reload over its WebSocket, and the hosts that it refuses.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { startHttpProxy } from "../helpers/http-proxy.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { describeApplication, requestBytes } from "../helpers/services.ts";
import { openWebSocket } from "../helpers/services-websocket.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { startViteProject, type ViteProject } from "../helpers/vite-project.ts";

let vite: ViteProject;
beforeAll(async () => {
  vite = await startViteProject();
});
afterAll(() => vite?.[Symbol.asyncDispose]());

interface HmrMessage {
  type: string;
  updates?: { path: string; acceptedPath: string; timestamp: number }[];
}

/** What Vite's client in the page is given for its WebSocket. */
const wsTokenOf = (client: string): string => /const wsToken = "([^"]+)"/.exec(client)?.[1] ?? "";

describeApplication({ name: "vite", localPort: () => vite.port }, (application) => {
  test("the page, its modules and Vite's own client arrive", async () => {
    const { url } = application();
    const page = await fetch(`${url}/`, { headers: { Accept: "text/html" } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("/@vite/client");
    const module = await fetch(`${url}/main.js`);
    expect(module.headers.get("content-type")).toContain("javascript");
    expect(await module.text()).toContain("word.js");
    const etag = module.headers.get("etag") ?? "";
    expect((await fetch(`${url}/main.js`, { headers: { "If-None-Match": etag } })).status).toBe(304);
  });

  test("a changed file is announced over the HMR WebSocket, and its new content can be loaded", async () => {
    const { url } = application();
    const wsToken = wsTokenOf(await (await fetch(`${url}/@vite/client`)).text());
    // As the browser did: the module graph must know the files.
    await fetch(`${url}/main.js`);
    const [before, after] = [`before ${url}`, `after ${url}`];
    vite.say(before);
    const word = async (query = ""): Promise<string> => (await fetch(`${url}/word.js${query}`)).text();
    await eventually(async () => (await word()).includes(before), "Vite has seen the file");
    const messages: HmrMessage[] = [];
    const socket = new WebSocket(`${url.replace("http", "ws")}/?token=${wsToken}`, "vite-hmr");
    socket.onmessage = ({ data }) => void messages.push(JSON.parse(String(data)) as HmrMessage);
    await eventually(() => messages.some(({ type }) => type === "connected"), "Vite says hello");
    vite.say(after);
    await eventually(() => messages.some(({ type }) => type === "update"), "Vite announces the change");
    const update = messages.find(({ type }) => type === "update")!.updates![0]!;
    expect(update).toMatchObject({ path: "/main.js", acceptedPath: "/word.js" });
    expect(await word(`?t=${update.timestamp}`)).toContain(after);
    socket.close();
  });
});

describe("a domain that Vite doesn't know (below localhost it takes any)", () => {
  test("its refusal arrives; with --host-header rewrite the page and the HMR WebSocket do", async () => {
    await using server = await startServerProcess({ shards: 2, env: { DOMAIN: "tunnel.example" } });
    // No resolver knows the domain, but the agents' proxy does.
    await using proxy = await startHttpProxy(server.port);
    const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` };
    const to = { origin: "http://tunnel.example", token: server.token, port: vite.port, connections: 1, env };
    await using _kept = await openTunnelProcess({ ...to, name: "kept" });
    await using _rewritten = await openTunnelProcess({ ...to, name: "rewritten", hostHeader: "rewrite" });
    const ask = (name: string, target: string) =>
      requestOnce(server, requestBytes(`${name}.tunnel.example`, target, { lines: ["Accept: text/html"] }));
    const dial = (name: string, wsToken: string, port = server.port) => {
      const host = `${name}.tunnel.example`;
      const options = { protocols: ["vite-hmr"], origin: `http://${host}` };
      return openWebSocket({ port, host, target: `/?token=${wsToken}` }, options);
    };

    const refusal = await ask("kept", "/");
    expect([refusal.status, refusal.body.toString()]).toEqual([403, expect.stringContaining("kept.tunnel.example")]);
    const page = await ask("rewritten", "/");
    expect([page.status, page.body.toString()]).toEqual([200, expect.stringContaining("/@vite/client")]);
    const wsToken = wsTokenOf((await ask("rewritten", "/@vite/client")).body.toString());
    // For a WebSocket Vite's refusal is another one.
    const refused = "Unexpected server response: 400";
    await expect(dial("kept", wsToken, vite.port)).rejects.toThrow(refused);
    await expect(dial("kept", wsToken)).rejects.toThrow(refused);
    using hmr = await dial("rewritten", wsToken);
    expect(JSON.parse((await hmr.message()).data.toString())).toMatchObject({ type: "connected" });
  });
});
