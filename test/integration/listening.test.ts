// The public port in its other forms: shards' own ports, an inherited listener; and limits of connections.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { subprotocol } from "../../src/protocol/frames.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { program } from "../helpers/program.ts";
import { startTestServer, testEnv } from "../helpers/server.ts";
import { readLines } from "../helpers/server-process.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-listening-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
    using local = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("any") });
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
