// ACCESS_LOG: a line for every request and TCP connection of all threads, wherever it was answered, and for nothing twice.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { runMovingVisitors } from "../helpers/moving-visitors.ts";
import { program } from "../helpers/program.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

interface Line {
  address: string;
  user: string | null;
  host: string;
  method: string;
  path: string;
  status: number;
  whole: boolean;
  bytesIn: number;
  bytesOut: number;
  requestId: string;
  leftOut?: number;
}

function temporaryLog() {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-access-"));
  const path = join(folder, "access.log");
  const lines = (): Line[] =>
    (existsSync(path) ? readFileSync(path, "utf8") : "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Line);
  return { path, lines, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Asks once, on a connection of its own. */
async function ask(port: number, host: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { host: `${host}:${port}`, ...headers } });
  await response.arrayBuffer();
  return response;
}

test("says what became of each request, on the main thread and the shards, and of TCP connections", async () => {
  using log = temporaryLog();
  const [tcpPort = 0] = await freePorts(1);
  const env = { ACCESS_LOG: log.path, TCP_PORTS: String(tcpPort) };
  await using server = await startServerProcess({ shards: 2, env });
  const api = adminApi(server);
  const orgId = await api.createOrganization("one");
  const appId = await api.createApplication(orgId, "locked", "custom");
  await api.setPolicy(appId, { authType: "basic", basicUsername: "ada", basicPassword: "visitor-secret" });
  const { token } = await api.createAccount("agent", orgId);
  await using service = startTaggedService("tagged");
  await using _open = await openTunnel({ ...server, port: service.port, name: "open" });
  await using _locked = await openTunnel({ ...server, token, port: service.port, name: "locked" });
  await using _tcp = await openTunnel({ ...server, port: service.port, protocol: "tcp" });
  const { port } = server;
  const answered = await ask(port, "open.localhost", "/hello?token=in-a-query");
  const basic = (secret: string) => ({ authorization: `Basic ${btoa(`ada:${secret}`)}` });
  await ask(port, "locked.localhost", "/in", basic("visitor-secret"));
  await ask(port, "locked.localhost", "/out", basic("wrong-secret"));
  await ask(port, "nobody.localhost", "/");
  await ask(port, "localhost", "/health");
  await ask(port, "elsewhere.test", "/");
  await requestOnce({ port }, "GET /a b HTTP/1.1\r\n\r\n");
  const visitor = connect(tcpPort, "127.0.0.1", () => visitor.end("GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
  let heard = 0;
  visitor.on("data", (bytes) => (heard += bytes.length));
  await new Promise<void>((resolve) => visitor.on("close", () => resolve()));

  const of = (host: string, path: string): Line[] =>
    log.lines().filter((line) => line.host === host && line.path === path && line.method !== "TCP");
  // Each thread sends its own when it likes.
  for (const [host, path] of [
    ["open.localhost", "/hello"],
    ["locked.localhost", "/in"],
    ["locked.localhost", "/out"],
    ["nobody.localhost", "/"],
    ["localhost", "/health"],
    ["elsewhere.test", "/"],
  ] as const)
    await eventually(() => of(`${host}:${port}`, path).length > 0, `the line of ${host}${path} is there`);
  await eventually(() => log.lines().some(({ method }) => method === "TCP"), "that of the TCP connection, too");
  await eventually(() => log.lines().some(({ method }) => method === ""), "that of the malformed request, too");
  const whole = { address: "127.0.0.1", method: "GET", whole: true };
  const requestId = answered.headers.get("x-request-id") ?? expect.any(String);
  expect(of(`open.localhost:${port}`, "/hello")).toMatchObject([{ ...whole, status: 200, user: null, requestId }]);
  expect(of(`locked.localhost:${port}`, "/in")).toMatchObject([{ ...whole, status: 200, user: "ada" }]);
  expect(of(`locked.localhost:${port}`, "/out")).toMatchObject([{ ...whole, status: 401, user: null }]);
  expect(of(`nobody.localhost:${port}`, "/")).toMatchObject([{ ...whole, status: 404 }]);
  expect(of(`localhost:${port}`, "/health")).toMatchObject([{ ...whole, status: 200 }]);
  expect(of(`elsewhere.test:${port}`, "/")).toMatchObject([{ ...whole, status: 421 }]);
  expect(log.lines().filter(({ method }) => method === "")).toMatchObject([{ address: "127.0.0.1", status: 400 }]);
  expect(log.lines().filter(({ method }) => method === "TCP")).toMatchObject([
    { address: "127.0.0.1", host: `localhost:${tcpPort}`, status: 0, bytesIn: 27, bytesOut: heard },
  ]);
  // Agents' sessions are none of it.
  expect(log.lines().filter(({ path }) => path.startsWith("/_tunnel/s/"))).toEqual([]);
  const text = readFileSync(log.path, "utf8");
  for (const secret of [
    "in-a-query",
    "visitor-secret",
    "wrong-secret",
    btoa("ada:visitor-secret"),
    token,
    server.token,
  ])
    expect(text).not.toContain(secret);
  expect(statSync(log.path).mode & 0o777).toBe(0o600);
});

describe.each([
  ["moved", { LEND_AFTER_MOVES: "1000000" }],
  ["lent", { LEND_AFTER_MOVES: "1" }],
  ["piped", { HANDOVER: "pipe" }],
])("connections that change host and are %s", (_, way) => {
  test("have one line for each request, and the end of the server loses none", async () => {
    using log = temporaryLog();
    await using server = await startServerProcess({ shards: 2, env: { ACCESS_LOG: log.path, ...way } });
    const tags = ["ant", "bee", "cat", "dog"];
    const services = tags.map(startTaggedService);
    const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
    const report = await runMovingVisitors({ port: server.port, tags, moves: 400, connections: 4, run: "log" });
    expect([report.wrong, report.broken, report.answers]).toEqual([[], [], 400]);
    await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
    server.signal("SIGTERM");
    expect(await server.exited).toBe(0);
    // The others are the agents' registrations.
    const lines = log.lines().filter(({ path }) => !path.startsWith("/_tunnel/"));
    const expected = ({ host }: Line): number => (host.startsWith("nobody-has-this.") ? 404 : 200);
    expect(lines.filter((line) => !line.whole || line.status !== expected(line))).toEqual([]);
    expect([lines.length, new Set(lines.map(({ requestId }) => requestId)).size]).toEqual([400, 400]);
  });
});

test("goes on in a new file when the old one is moved away, without a word to the server", async () => {
  using log = temporaryLog();
  await using server = await startServerProcess({ shards: 1, env: { ACCESS_LOG: log.path } });
  await ask(server.port, "localhost", "/health");
  await eventually(() => log.lines().length > 0, "the first line");
  renameSync(log.path, `${log.path}.1`);
  await ask(server.port, "localhost", "/live");
  await eventually(() => log.lines().some(({ path }) => path === "/live"), "the new file has its line");
});

test("a disk that is full costs lines, told once, and no visitor an answer", async () => {
  await using server = await startServerProcess({ shards: 1, env: { ACCESS_LOG: "/dev/full" } });
  const said = () => server.log.filter(({ message }) => message.startsWith("the access log can't be written"));
  for (let i = 0; i < 3; i++) {
    expect((await ask(server.port, "nobody.localhost", "/")).status).toBe(404);
    await eventually(() => said().length > 0, "the operator is told");
  }
  expect(said()).toHaveLength(1);
});

test("`-` is standard output; a file that can't be written stops the start with one sentence", async () => {
  const main = await program("src/main.ts");
  const folder = mkdtempSync(join(tmpdir(), "digit-link-access-"));
  const start = (accessLog: string, port: number) =>
    Bun.spawn([process.execPath, main], {
      cwd: folder,
      env: {
        ...{ PATH: process.env["PATH"] ?? "", TMPDIR: folder, HOST: "127.0.0.1", DOMAIN: "localhost", SCHEME: "http" },
        ...{ PORT: String(port), SHARDS: "1", ACCESS_LOG: accessLog, DB_PATH: join(folder, "digit-link.db") },
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  const [port = 0] = await freePorts(1);
  const refused = start(join(folder, "not", "there"), port);
  const [exitCode, said] = [await refused.exited, (await refused.stderr.text()).trim().split("\n")];
  // Before it stand the log's lines about secrets.
  expect([exitCode, said.filter((line) => !line.startsWith("{"))]).toEqual([
    1,
    [expect.stringMatching(/^digit-link: The access log .* cannot be written: .*\. Set ACCESS_LOG\.$/)],
  ]);
  await using server = start("-", port);
  const up = (): Promise<boolean> =>
    ask(port, "localhost", "/health").then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(up, "the server answers", 20_000);
  server.kill("SIGTERM");
  const lines = (await server.stdout.text()).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as Line)).toContainEqual(
    expect.objectContaining({ path: "/health", status: 200 }),
  );
  await server.exited;
  rmSync(folder, { recursive: true, force: true });
});
