// The public port in its other forms: shards' own ports, an inherited listener; and limits of connections.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:net";
import { shardOf } from "../../src/link/shard-of.ts";
import { subprotocol } from "../../src/protocol/frames.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { program } from "../helpers/program.ts";
import { startTestServer, testEnv } from "../helpers/server.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { readLines, startServerProcess } from "../helpers/server-process.ts";
import { requestBytes } from "../helpers/services.ts";

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
    // More frames may follow in the same message.
    expect(JSON.parse(frame.toString("utf8", 8, 8 + frame.readUInt16BE(2)))).toMatchObject({ protocol: 1 });
    socket.onclose = null;
    socket.close();
    for (const path of ["/", "/health", "/admin/accounts", "/_tunnel/register", "/_tunnel/s/9"]) {
      const refused = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { host: "localhost" } });
      expect({ path, status: refused.status }).toEqual({ path, status: 404 });
    }
    const other = shardPorts.indexOf(port) === 0 ? 1 : 0;
    const confused = await fetch(`http://127.0.0.1:${port}/_tunnel/s/${other}`, {
      headers: { accept: "application/json" },
    });
    const message = `The reverse proxy sends /_tunnel/s/${other} to the port of shard ${1 - other}; each path has its own one of SHARD_PORTS.`;
    expect(await confused.json()).toMatchObject({ error: { code: "not_found", message, retryable: true } });
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
  const noSecret = join(folder, "no-secret");
  mkdirSync(join(noSecret, "jwt-secret"), { recursive: true });
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
    [
      "the data folder cannot be",
      { DB_PATH: join(notAFolder, "a.db") },
      "is a file and no folder: set DB_PATH to a file in a folder.",
    ],
    [
      "a certificate is missing",
      { TLS_CERT: "/none", TLS_KEY: "/none" },
      "TLS_CERT and TLS_KEY must be readable files",
    ],
    [
      "a certificate is none",
      { TLS_CERT: notADatabase, TLS_KEY: notADatabase },
      "TLS_CERT and TLS_KEY must be a certificate and its private key (PEM): NO_START_LINE.",
    ],
    ["a kept secret cannot be read", { DB_PATH: join(noSecret, "a.db") }, `The file ${noSecret}/jwt-secret cannot be`],
    ["SOCKET_DIR is no folder", { SOCKET_DIR: notAFolder }, `Internal sockets cannot be kept in ${notAFolder}: `],
    ["no database", { DB_PATH: notADatabase }, "cannot be used: it is not a database: set DB_PATH"],
    [
      "no PostgreSQL",
      {
        ...{ JWT_SECRET: "j".repeat(32), ENCRYPTION_KEY: "e".repeat(32) },
        DATABASE_URL: "postgres://user:secret@127.0.0.1:1/name",
      },
      "The PostgreSQL database at 127.0.0.1:1 cannot be used: Failed to connect.",
    ],
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
  test("with HOST=:: a visitor by IPv4 has its IPv4 address: for the service, for lists of agents, and for limits", async () => {
    // Agents and their registrations come from 127.0.0.1 or ::1, whichever localhost is.
    const env = { HOST: "::", AGENT_WHITELIST: "127.0.0.0/30,::1", MAX_CONNECTIONS_PER_ADDRESS: "4", SHARDS: "2" };
    await using server = await startTestServer(env);
    using service = startLocalService();
    await using _agent = await startTestAgent({ server, subdomain: "both", localPort: service.port });
    for (const localAddress of ["127.0.0.3", "127.0.0.4", "::1"]) {
      const hostname = localAddress === "::1" ? localAddress : "127.0.0.1";
      using visitor = await RawClient.open({ port: server.port, hostname, localAddress });
      await visitor.send(requestBytes("both.localhost", "/head/x"));
      const head = (await visitor.response()).body.toString("latin1").split("\r\n");
      expect(head).toContain(`X-Forwarded-For: ${localAddress}`);
      const lines = [`Authorization: Bearer ${server.token}`, "Content-Type: application/json"];
      const body = JSON.stringify({ agentId: "listed-agent", generation: 1, version: "0.1.0" });
      lines.push(`Content-Length: ${body.length}`);
      await visitor.send(requestBytes("localhost", "/_tunnel/register", { method: "POST", lines, body }));
      expect((await visitor.response()).status).toBe(localAddress === "127.0.0.4" ? 403 : 200);
    }
    const address = { port: server.port, localAddress: "127.0.0.5" };
    const visitors = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(address)));
    using fifth = await RawClient.open(address);
    expect((await fifth.response()).status).toBe(503);
    for (const visitor of visitors) visitor[Symbol.dispose]();
  });

  test("a crowd that comes while the server stands still waits for it in the kernel", async () => {
    await using server = await startServerProcess({ shards: 1 });
    server.signal("SIGSTOP");
    // More than the 512 that Bun listens for. Beyond what it listens for nobody is connected.
    const crowd = await Promise.all(Array.from({ length: 700 }, () => RawClient.open({ port: server.port })));
    server.signal("SIGCONT");
    await crowd[0]!.send(requestBytes("localhost", "/live"));
    expect((await crowd[0]!.response()).status).toBe(200);
    for (const { socket } of crowd) socket.destroy();
  });

  test("a port of SHARD_PORTS has the limits of the public one", async () => {
    const [port = 0] = await freePorts(1);
    await using _server = await startTestServer({ SHARD_PORTS: String(port), MAX_CONNECTIONS_PER_ADDRESS: "2" });
    const dial = () => RawClient.open({ port, localAddress: "127.0.0.2" });
    using first = await dial();
    using second = await dial();
    for (const one of [first, second]) {
      await one.send(requestBytes("localhost", "/"));
      expect((await one.response()).status).toBe(404);
    }
    /** What it says; nothing when it resets the connection, be it while it is dialled. */
    const said = async (): Promise<string> => {
      try {
        using one = await dial();
        await one.send(requestBytes("localhost", "/"));
        return String((await one.response()).status);
      } catch {
        return "";
      }
    };
    expect(await said()).toBe("");
    first.socket.destroy();
    await eventually(async () => (await said()) === "404", "the place comes free");
  });

  test("an organization holds no more requests and TCP connections than MAX_CONNECTIONS_PER_ORGANIZATION, on whichever shards, also after one died", async () => {
    const [tcpPort = 0] = await freePorts(1);
    const env = { MAX_CONNECTIONS_PER_ORGANIZATION: "3", TCP_PORTS: String(tcpPort) };
    await using server = await startServerProcess({ shards: 2, faults: true, env });
    const { promise: release, resolve: letGo } = Promise.withResolvers<void>();
    let inside = 0;
    using local = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0, idleTimeout: 0 },
      async fetch() {
        inside++;
        await release;
        return new Response("done");
      },
    });
    const api = adminApi(server);
    const orgId = await api.createOrganization("Bounded");
    const { raw: token } = await api.createKey({ orgId, scope: "tunnel" });
    const options = { server: { port: server.port, token }, localPort: local.port ?? 0 };
    // Of two shards each has one name; the TCP port is on the one that stays.
    const [dying = "", staying = ""] = ["ant", "bee"].toSorted((a) =>
      shardOf(a, 2) === shardOf(`tcp:${tcpPort}`, 2) ? 1 : -1,
    );
    expect([dying, staying].map((name) => shardOf(name, 2)).toSorted()).toEqual([0, 1]);
    await using _one = await startTestAgent({ ...options, subdomain: dying });
    await using _two = await startTestAgent({ ...options, subdomain: staying });
    await using _raw = await startTestAgent({
      ...options,
      subdomain: "raw",
      spec: { protocol: "tcp", subdomain: null },
    });
    const other = ["cat", "dog", "elk", "fox"].find((name) => shardOf(name, 2) === shardOf(staying, 2)) ?? "";
    await using _other = await startTestAgent({ ...options, server, subdomain: other });
    const visit = (name: string): Promise<number | null> =>
      fetch(`http://${name}.localhost:${server.port}/`, { method: "POST" }).then(
        ({ status }) => status,
        () => null,
      );
    const refused = async (): Promise<boolean> => {
      const socket = connect(tcpPort, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise((resolve) => socket.on("close", resolve));
      return socket.bytesRead === 0;
    };
    const tcp = connect(tcpPort, "127.0.0.1");
    tcp.write("GET / HTTP/1.1\r\nHost: any\r\n\r\n");
    const held = [dying, staying].map(visit);
    await eventually(() => inside === 3, "three are inside");
    expect([await visit(dying), await visit(staying), await refused()]).toEqual([503, 503, true]);
    const others = visit(other);
    await eventually(() => inside === 4, "another organization's is inside");

    // What a shard held when it died makes room.
    await server.fault("exit", shardOf(dying, 2));
    expect(await held[0]!).toBe(null);
    await eventually(() => server.log.some(({ message }) => message === "a shard died"), "the death is noticed");
    const replaced = visit(dying);
    await eventually(() => inside === 5, "its place is taken again", 20_000);
    expect(await visit(staying)).toBe(503);
    letGo();
    expect([await replaced, await held[1]!, await others]).toEqual([200, 200, 200]);
    expect([await visit(dying), await visit(staying)]).toEqual([200, 200]);
    tcp.destroy();
  }, 60_000);
});
