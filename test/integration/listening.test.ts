// The public port in its other forms: TLS of our own, shards' own ports, an inherited listener; and limits of connections.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { subprotocol } from "../../src/protocol/frames.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { program } from "../helpers/program.ts";
import { startTestServer, testEnv } from "../helpers/server.ts";
import { readLines } from "../helpers/server-process.ts";
import { testTls } from "../helpers/test-tls.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-listening-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const body = Buffer.alloc(8 * 1024 * 1024, "digit-link ");
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function startLocal() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      if (server.upgrade(request, { data: undefined })) return;
      if (request.method === "POST") return new Response(digest(await request.bytes()));
      const seen = { proto: request.headers.get("x-forwarded-proto"), host: request.headers.get("host") };
      return new URL(request.url).pathname === "/body" ? new Response(body) : Response.json(seen);
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
}

describe("TLS of our own", () => {
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const write = (): void => {
    writeFileSync(files.cert, testTls.cert);
    writeFileSync(files.key, testTls.key);
  };

  test("visitors, uploads, downloads and WebSockets pass, and say that they came by https", async () => {
    write();
    await using server = await startTestServer({
      TLS_CERT: files.cert,
      TLS_KEY: files.key,
      SCHEME: "https",
      SHARDS: "2",
    });
    using local = startLocal();
    const previous = process.env["NODE_EXTRA_CA_CERTS"];
    // The agent checks the server's certificate; this one is nobody's but the test's.
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await using _agent = await startTestAgent({
        server,
        subdomain: "secure",
        localPort: local.port ?? 0,
        origin: `https://localhost:${server.port}`,
      });
      const tls = { ca: testTls.cert };
      const url = `https://secure.localhost:${server.port}`;
      const seen = await fetch(`${url}/seen`, { tls });
      expect(await seen.json()).toEqual({ proto: "https", host: `secure.localhost:${server.port}` });
      expect(digest(await (await fetch(`${url}/body`, { tls })).bytes())).toBe(digest(body));
      expect(await (await fetch(url, { method: "POST", body, tls })).text()).toBe(digest(body));
      const health = await fetch(`https://localhost:${server.port}/health`, { tls });
      expect(health.headers.get("strict-transport-security")).toContain("max-age=");
      const socket = new WebSocket(`wss://secure.localhost:${server.port}/echo`, { tls } as never);
      const echoed = Promise.withResolvers<unknown>();
      socket.onopen = () => socket.send("through TLS");
      socket.onmessage = (event) => echoed.resolve(event.data);
      expect(await echoed.promise).toBe("through TLS");
      socket.close();
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      if (previous !== undefined) process.env["NODE_EXTRA_CA_CERTS"] = previous;
    }
  }, 30_000);

  test("a new certificate is taken up; connections that stand go on", async () => {
    write();
    await using server = await startTestServer({ TLS_CERT: files.cert, TLS_KEY: files.key, SCHEME: "https" });
    const old = connectTls({ port: server.port, host: "127.0.0.1", servername: "localhost", ca: testTls.cert });
    const answers: string[] = [];
    old.on("data", (chunk: Buffer) => answers.push(chunk.toString("latin1")));
    old.write("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await eventually(() => answers.join("").includes('"ok"'), "an answer by the old certificate");
    write();
    await eventually(
      () => server.logs.some((line) => line.includes("new TLS certificate in use")),
      "the certificate is taken up",
    );
    answers.length = 0;
    old.write("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await eventually(() => answers.join("").includes('"ok"'), "the old connection goes on");
    old.destroy();
    const fresh = await fetch(`https://localhost:${server.port}/live`, { tls: { ca: testTls.cert } });
    expect(fresh.status).toBe(200);
  });
});

describe("SHARD_PORTS", () => {
  test("an agent's session may come straight to its shard, and nothing else may", async () => {
    const shardPorts = await freePorts(2);
    await using server = await startTestServer({ SHARDS: "2", SHARD_PORTS: shardPorts.join(",") });
    const answer = await fetch(`http://localhost:${server.port}/_tunnel/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      body: JSON.stringify({ subdomain: "direct", agentId: "agent-on-port", generation: 1, version: "0.1.0" }),
    });
    const { session, tickets } = (await answer.json()) as { session: { path: string }; tickets: string[] };
    const port = shardPorts[Number(session.path.split("/").at(-1))]!;
    const socket = new WebSocket(`ws://127.0.0.1:${port}${session.path}?ticket=${tickets[0]}`, [subprotocol]);
    const first = Promise.withResolvers<unknown>();
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => first.resolve(event.data);
    socket.onclose = (event) => first.reject(new Error(`closed: ${event.code} ${event.reason}`));
    const frame = Buffer.from((await first.promise) as ArrayBuffer);
    expect(frame[0]).toBe(11);
    expect(JSON.parse(frame.subarray(8).toString())).toMatchObject({ protocol: 1 });
    socket.onclose = null;
    socket.close();
    for (const path of ["/", "/health", "/admin/accounts", "/_tunnel/register", "/_tunnel/s/9"]) {
      const refused = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { host: "localhost" } });
      expect({ path, status: refused.status }).toEqual({ path, status: 404 });
    }
  });
});

describe("PORT=0", () => {
  test("a free port is taken, and every URL says which", async () => {
    await using server = await startTestServer();
    using local = startLocal();
    await using agent = await startTestAgent({ server, subdomain: "any", localPort: local.port ?? 0 });
    expect(server.port).toBeGreaterThan(0);
    const ready = agent.events.find(({ event }) => event === "tunnel.ready");
    expect(ready).toMatchObject({ url: `http://any.localhost:${server.port}` });
    expect((await fetch(`http://any.localhost:${server.port}/seen`)).status).toBe(200);
  });
});

/** The line by which a server says that it is up. */
async function saysUp(lines: ReadableStream<Uint8Array>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  void readLines(lines, (line) => {
    if (line.includes("digit-link is up")) resolve(line);
  });
  return promise;
}

describe("an inherited listener", () => {
  test("LISTEN_FD: the server takes over a port that somebody else opened", async () => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const fd = (listener as unknown as { fd: number }).fd;
    const child = Bun.spawn([process.execPath, await program("src/main.ts")], {
      env: { ...process.env, ...testEnv(folder, { LISTEN_FD: "3", LOG_FORMAT: "json" }) },
      stdio: ["ignore", "ignore", "pipe", fd],
    });
    const said = saysUp(child.stderr);
    try {
      const { port } = listener;
      // Its own copy only: connections that arrive now are the child's.
      listener.stop(true);
      await eventually(
        async () => (await fetch(`http://127.0.0.1:${port}/live`).catch(() => null))?.status === 200,
        "the child answers on the port",
        20_000,
      );
      expect(await said).toContain(`"tunnels":"http://<name>.localhost:${port}"`);
    } finally {
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    }
  }, 40_000);
});

describe("a start that cannot be ends with one sentence and exit code 1", () => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  afterAll(() => taken.stop(true));
  const port = String(taken.port);
  const notAFolder = join(folder, "file");
  writeFileSync(notAFolder, "");
  const notADatabase = join(folder, "text");
  writeFileSync(notADatabase, "no database at all, and longer than the head of one".repeat(100));

  test.each<[string, Record<string, string>, string]>([
    ["PORT is taken", { PORT: port }, `Port ${port} is taken by another program.`],
    ["a port of SHARD_PORTS is taken", { SHARD_PORTS: port }, `port ${port} of SHARD_PORTS on 127.0.0.1 is taken`],
    [
      "HOST is another machine's",
      { HOST: "203.0.113.9" },
      "HOST is 203.0.113.9, and that is no address of this machine.",
    ],
    ["LISTEN_FD is nothing", { LISTEN_FD: "9" }, "LISTEN_FD is 9, and that is no listening socket."],
    ["the data folder cannot be", { DB_PATH: join(notAFolder, "a.db") }, "is not set, and cannot be kept in"],
    [
      "a certificate is missing",
      { TLS_CERT: "/none", TLS_KEY: "/none" },
      "TLS_CERT and TLS_KEY must be readable files",
    ],
    ["no database", { DB_PATH: notADatabase }, "cannot be used: file is not a database."],
  ])("%s", async (_what, env, sentence) => {
    const child = Bun.spawn([process.execPath, await program("src/main.ts")], {
      env: { PATH: process.env["PATH"], ...testEnv(folder, { LOG_FORMAT: "json", ...env }) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [said, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
    // Besides what is logged.
    const lines = said
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("{"));
    expect(lines).toEqual([expect.stringMatching(/^digit-link: .+\.$/)]);
    expect(lines[0]).toContain(sentence);
    expect(exitCode).toBe(1);
  });
});

describe("security", () => {
  test("an organization holds no more requests than MAX_CONNECTIONS_PER_ORGANIZATION, whatever its tunnels are called", async () => {
    await using server = await startTestServer({ MAX_CONNECTIONS_PER_ORGANIZATION: "2" });
    const { promise: release, resolve: letGo } = Promise.withResolvers<void>();
    let inside = 0;
    using local = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch() {
        inside++;
        await release;
        return new Response("done");
      },
    });
    const api = async (path: string, body: unknown): Promise<Record<string, { id: string }> & { token: string }> => {
      const headers = { "x-admin-token": server.token, "content-type": "application/json" };
      const made = await fetch(`http://localhost:${server.port}${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      expect(made.status).toBe(201);
      return (await made.json()) as never;
    };
    const { organization } = await api("/admin/organizations", { name: "Bounded" });
    const { token } = await api("/admin/accounts", { username: "member", orgId: organization?.id });
    await using _one = await startTestAgent({
      server: { port: server.port, token },
      subdomain: "first-of-two",
      localPort: local.port ?? 0,
    });
    await using _two = await startTestAgent({
      server: { port: server.port, token },
      subdomain: "second-of-two",
      localPort: local.port ?? 0,
    });
    const visit = (name: string): Promise<Response> => fetch(`http://${name}.localhost:${server.port}/`);
    const held = [visit("first-of-two"), visit("second-of-two")];
    await eventually(() => inside === 2, "both requests are inside");
    expect((await visit("first-of-two")).status).toBe(503);
    letGo();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await visit("second-of-two")).status).toBe(200);
  });
});
