// `digit-link/vite` in Vite's own process, under Node as most run it: the public address comes and goes with the dev server.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { type HttpProxy, startHttpProxy } from "../helpers/http-proxy.ts";
import { program } from "../helpers/program.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { endWithThisProcess, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { requestBytes } from "../helpers/services.ts";
import { openWebSocket } from "../helpers/services-websocket.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "digit-link-vite-plugin-"));
const stack = new AsyncDisposableStack();
let server: ServerProcess;
let proxy: HttpProxy;

beforeAll(async () => {
  // As in the package: the plugin beside the program.
  mkdirSync(join(folder, "package"));
  writeFileSync(join(folder, "package/package.json"), `{ "type": "module" }`);
  symlinkSync(await program("cli/main.ts"), join(folder, "package/digit-link.js"));
  const plugin = await Bun.build({
    entrypoints: [join(root, "cli/vite/plugin.ts")],
    outdir: join(folder, "package"),
    target: "node",
    naming: "vite.js",
  });
  expect(plugin.success).toBe(true);
  // A domain that Vite doesn't know: below localhost it takes any. No resolver knows it, but the agent's proxy does.
  server = stack.use(await startServerProcess({ shards: 1, env: { DOMAIN: "tunnel.example", HOLD_MS: "500ms" } }));
  proxy = stack.use(await startHttpProxy(server.port));
});
afterAll(async () => {
  await stack.disposeAsync();
  rmSync(folder, { recursive: true, force: true });
});

/** A project with the plugin under `vite`, and what that has said. */
function startVite(name: string, options: string, env: Record<string, string> = {}) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), `{ "type": "module" }`);
  writeFileSync(join(project, "index.html"), `<!doctype html><script type="module" src="/main.js"></script>`);
  writeFileSync(join(project, "main.js"), `document.title = "${name}"; import.meta.hot.accept();`);
  writeFileSync(
    join(project, "vite.config.js"),
    `import digitLink from "../package/vite.js";
     export default { plugins: [digitLink(${options})], cacheDir: ".vite", clearScreen: false,
       server: { host: "127.0.0.1", port: 0, watch: { usePolling: true, interval: 50 } } };`,
  );
  const child = Bun.spawn([Bun.which("node") ?? "node", join(root, "node_modules/vite/bin/vite.js")], {
    cwd: project,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
      HOME: folder,
      NO_COLOR: "1",
      DIGIT_LINK_SERVER: "http://tunnel.example",
      DIGIT_LINK_TOKEN: server.token,
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  endWithThisProcess(child.pid);
  const said = { out: "", problems: "" };
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, key: keyof typeof said) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) said[key] += text;
  };
  void Promise.all([read(child.stdout, "out"), read(child.stderr, "problems")]);
  const hears = (text: string) =>
    eventually(() => `${said.out}${said.problems}`.includes(text), `it says ${text}`, 20_000).catch((error) => {
      throw new Error(`${String(error)}: ${said.out}${said.problems}`);
    });
  return { child, said, hears, change: (text: string) => writeFileSync(join(project, "main.js"), text) };
}

const ask = (target: string) =>
  requestOnce(server, requestBytes("shop.tunnel.example", target, { lines: ["Accept: text/html"] }));

test("the page and hot reload are public by a host that Vite lets in, and gone with the dev server", async () => {
  const vite = startVite("shop", `{ subdomain: "shop", inspect: 0 }`);
  await vite.hears("➜  Public:  http://shop.tunnel.example");
  await vite.hears("➜  Inspect: http://127.0.0.1:");
  const page = await ask("/");
  expect([page.status, page.body.toString()]).toEqual([200, expect.stringContaining("/@vite/client")]);
  await ask("/main.js");
  const token = /const wsToken = "([^"]+)"/.exec((await ask("/@vite/client")).body.toString())?.[1] ?? "";
  const host = "shop.tunnel.example";
  using hmr = await openWebSocket(
    { port: server.port, host, target: `/?token=${token}` },
    { protocols: ["vite-hmr"], origin: `http://${host}` },
  );
  expect(JSON.parse((await hmr.message()).data.toString())).toMatchObject({ type: "connected" });
  vite.change(`document.title = "changed"; import.meta.hot.accept();`);
  expect(JSON.parse((await hmr.message()).data.toString())).toMatchObject({ type: "update" });
  hmr[Symbol.dispose]();
  vite.child.kill("SIGTERM");
  await vite.child.exited;
  await eventually(async () => [404, 503].includes((await ask("/")).status), "the address is gone");
  expect(vite.said.problems).toMatch(/^digit-link: warning: .* is plain http to another machine: .*\n$/);
});

test("a refusal is said in Vite's log, and Vite goes on", async () => {
  const vite = startVite("refused", `{ subdomain: "a_b" }`);
  await vite.hears("digit-link: ");
  await vite.hears("Vite goes on without it.");
  expect(vite.child.exitCode).toBeNull();
  const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(vite.said.out)?.[1]);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  vite.child.kill();
});

test.each([
  ["mistyped", `{ subdomian: "shop" }`, `"subdomian" is no option; did you mean "subdomain"?`],
  ["a token", `{ token: "dlt_x" }`, `"token" is no option; there are subdomain, server and inspect.`],
])("an option that there is not (%s) is said, and nothing is made public", async (name, options, sentence) => {
  const vite = startVite(`option-${name}`, options);
  await vite.hears(`digit-link: ${sentence} Vite goes on without it.`);
  vite.child.kill("SIGTERM");
  await vite.child.exited;
  expect(vite.said.out).not.toContain("Public:");
});

test("a server that can't be reached is said in one sentence", async () => {
  const vite = startVite("unreachable", `{ server: "http://127.0.0.1:1" }`);
  await vite.hears(
    "digit-link: 127.0.0.1:1 can't be reached (connection refused: nothing listens there); it tries again.",
  );
  vite.child.kill();
});

test("without Bun on PATH one sentence says what to do", async () => {
  const vite = startVite("no-bun", "{}", { PATH: "/nonexistent" });
  await vite.hears("digit-link: Bun is needed on PATH for it: npm install -g bun.");
  vite.child.kill();
});
