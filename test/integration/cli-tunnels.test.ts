// Agents as processes, as users type them, at a real server: which local service each tunnel leads to, and how it is spoken to.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { createCli } from "../helpers/cli-process.ts";
import { eventually } from "../helpers/eventually.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { testTls } from "../helpers/test-tls.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-tunnels-"));
const authority = join(folder, "ca.pem");
const { digitLink, serve } = createCli(folder);
let server: TestServer;
let origin: string;
let token: string;
/** What a user has set who doesn't want to type it each time. */
let env: Record<string, string>;

beforeAll(async () => {
  writeFileSync(authority, testTls.cert);
  server = await startTestServer();
  origin = `http://localhost:${server.port}`;
  ({ token } = await adminApi(server).createAccount("ada", null));
  env = { DIGIT_LINK_SERVER: origin, DIGIT_LINK_TOKEN: token };
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Says who it is and which Host it was asked for; echoes WebSocket messages behind its tag. */
function local(tag: string, options: { hostname?: string; port?: number; tls?: typeof testTls } = {}) {
  const service = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0, development: false, ...options },
    fetch: (request, self) =>
      self.upgrade(request, { data: undefined })
        ? undefined
        : new Response(`${tag} at ${request.headers.get("host")}${new URL(request.url).pathname}`),
    websocket: { message: (socket, message) => void socket.send(`${tag}: ${String(message)}`) },
  });
  return { port: service.port ?? 0, [Symbol.asyncDispose]: () => service.stop(true) };
}

const publicHost = (name: string) => `${name}.localhost:${server.port}`;

async function ask(host: string, path = "/"): Promise<{ status: number; text: string }> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  const { status, body } = await requestOnce({ port: server.port }, head);
  return { status, text: body.toString() };
}

/** What a visitor's WebSocket hears on "hello", or that it was refused. */
async function greet(host: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = new WebSocket(`ws://${host}/socket`);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => resolve(String(data));
  socket.onclose = () => resolve("refused");
  const heard = await promise;
  socket.onclose = null;
  socket.close();
  return heard;
}

test("--forward, repeated: each name leads to its own service; Ctrl-C ends all of them", async () => {
  await using web = local("web");
  await using shop = local("shop", { hostname: "127.0.0.2" });
  await using api = local("store", { tls: testTls });
  const forwards = [`web:${web.port}`, `shop:127.0.0.2:${shop.port}`, `store:https://127.0.0.1:${api.port}`];
  const agent = serve(["--insecure-local", ...forwards.flatMap((forward) => ["--forward", forward])], { env });
  for (const name of ["web", "shop", "store"]) await agent.until(`online   http://${publicHost(name)} -> `);
  for (const name of ["web", "shop", "store"])
    expect(await ask(publicHost(name), `/${name}`)).toEqual({
      status: 200,
      text: `${name} at ${publicHost(name)}/${name}`,
    });
  for (const [name, target] of [
    ["web", `http://localhost:${web.port}`],
    ["shop", `http://127.0.0.2:${shop.port}`],
    ["store", `https://127.0.0.1:${api.port}`],
  ])
    expect(agent.said.out).toContain(`online   http://${publicHost(name!)} -> ${target}\n`);
  expect(await agent.stop()).toMatchObject({ exitCode: 0, problems: "" });
  const connected = () => adminApi(server).must("GET", "/admin/tunnels?state=connected");
  await eventually(async () => ((await connected())["tunnels"] as unknown[]).length === 0, "the server knows");
});

test("an agent that has ended leaves its name to the next one at once, whatever that serves", async () => {
  for (let i = 0; i < 5; i++) {
    await using service = local(`turn ${i}`);
    await using agent = serve(["http", String(service.port), "-n", "turns"], { env });
    await agent.until("has 2 of 2 connections");
    expect((await ask(publicHost("turns"))).text).toStartWith(`turn ${i} at `);
  }
});

test("the flag form; the token it shows is warned of", async () => {
  await using service = local("mine");
  const argv = ["--server", origin, "--subdomain", "myapp", "--port", String(service.port), "--token", token];
  const agent = serve(argv);
  await agent.until(`online   http://${publicHost("myapp")} -> http://localhost:${service.port}\n`);
  expect((await ask(publicHost("myapp"), "/a")).text).toBe(`mine at ${publicHost("myapp")}/a`);
  expect(await agent.stop()).toMatchObject({
    exitCode: 0,
    problems: expect.stringMatching(/^digit-link: warning: A token on the command line shows in ps [^\n]+\n$/),
  });
});

test("a port alone: the server picks a name", async () => {
  await using service = local("bare");
  await using agent = serve([String(service.port)], { env });
  await agent.until("online   ");
  const [, host = ""] = /online {3}http:\/\/(\S+) -> /.exec(agent.said.out) ?? [];
  expect(host).toMatch(new RegExp(`^[a-z0-9-]+\\.localhost:${server.port}$`));
  expect((await ask(host)).text).toBe(`bare at ${host}/`);
  expect(await greet(host)).toBe("bare: hello");
});

test("--pool without the name or port to share is a mistake, and says which flag is missing", async () => {
  const cases = [
    [["http", "3000"], "--subdomain NAME"],
    [["3000"], "--subdomain NAME"],
    [["tcp", "5432"], "--remote-port PORT"],
  ] as const;
  for (const [argv, flag] of cases) {
    const { exitCode, out, problems } = await digitLink([...argv, "--pool", "--wait", "20"], { env });
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(problems).toMatch(/^digit-link: [^\n]+\.\n$/);
    expect(problems).toContain(`--pool needs ${flag}`);
  }
});

test("--host-header: the visitor's, the local address, or a value", async () => {
  await using service = local("host");
  const { port } = service;
  for (const [flags, seen] of [
    [[], publicHost("host")],
    [["--host-header", "preserve"], publicHost("host")],
    [["--host-header", "rewrite"], `localhost:${port}`],
    [["--host-header", "rewrite", "--local-host", "127.0.0.1"], `127.0.0.1:${port}`],
    [["--host-header", "app.test:3000"], "app.test:3000"],
  ] as const) {
    await using agent = serve(["http", String(port), "--subdomain", "host", ...flags], { env });
    await agent.until("online   ");
    expect({ flags, answer: await ask(publicHost("host"), "/x") }).toEqual({
      flags,
      answer: { status: 200, text: `host at ${seen}/x` },
    });
  }
});

test("--local-host: the same port on another address", async () => {
  await using near = local("near");
  await using far = local("far", { hostname: "127.0.0.2", port: near.port });
  for (const [host, answer] of [
    ["127.0.0.2", "far"],
    ["127.0.0.1", "near"],
  ] as const) {
    await using agent = serve(["http", String(far.port), "-n", "where", "--local-host", host], { env });
    await agent.until(`-> http://${host}:${far.port}\n`);
    expect((await ask(publicHost("where"))).text).toStartWith(`${answer} at `);
    expect(await greet(publicHost("where"))).toBe(`${answer}: hello`);
  }
});

describe("--local-https", () => {
  test("a certificate that nobody vouches for is refused, for requests and WebSockets, and the user is told", async () => {
    await using service = local("tls", { tls: testTls });
    await using agent = serve(["http", String(service.port), "--local-https", "-n", "strict"], { env });
    await agent.until(`-> https://localhost:${service.port}\n`);
    expect((await ask(publicHost("strict"))).status).toBe(502);
    expect(await greet(publicHost("strict"))).toBe("refused");
    await agent.until(`request  502 GET http://${publicHost("strict")}/socket`);
    expect(
      agent.said.out
        .split("\n")
        .filter((line) => line.includes("request"))
        .join("\n"),
    ).toMatch(/request {2}502 GET \S+\/ [\d.]+ ms error: [^\n]*certificate/);
  });

  test.each([
    ["--insecure-local takes it", "blind", ["--insecure-local"], {}],
    ["an authority of one's own vouches for it", "vouched", [], { NODE_EXTRA_CA_CERTS: authority }],
  ])("%s: requests and WebSockets", async (_, name, flags, trust) => {
    await using service = local("tls", { tls: testTls });
    const argv = ["http", String(service.port), "--local-https", "-n", name, ...flags];
    await using agent = serve(argv, { env: { ...env, ...trust } });
    await agent.until(`-> https://localhost:${service.port}\n`);
    expect(await ask(publicHost(name), "/a")).toEqual({ status: 200, text: `tls at ${publicHost(name)}/a` });
    expect(await greet(publicHost(name))).toBe("tls: hello");
  });

  test("--insecure-local without it is a mistake", async () => {
    expect(await digitLink(["http", "3000", "--insecure-local"], { env })).toEqual({
      ...{ exitCode: 2, out: "" },
      problems: "digit-link: --insecure-local only makes sense with --local-https (or an https:// address).\n",
    });
  });

  test("forgotten: the user reads what to do", async () => {
    await using service = local("tls", { tls: testTls });
    await using agent = serve(["http", String(service.port), "-n", "forgotten"], { env });
    await agent.until("online   ");
    expect((await ask(publicHost("forgotten"))).status).toBe(502);
    await agent.until("give --local-https");
  });
});
