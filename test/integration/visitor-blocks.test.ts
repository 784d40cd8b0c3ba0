// Limits per address on a real server: what a blocked visitor meets in the shard, and what trusted proxies are spared.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { RawClient, requestOnce } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { valuesOf } from "../helpers/strict-http.ts";

const [visitor, neighbour, proxy, many] = ["127.0.0.11", "127.0.0.12", "127.0.0.9", "127.0.0.13"] as const;
const words = { username: "ada", password: "visitor-secret-word" };
const rule = { enabled: true, maxAttempts: 3, windowDurationSeconds: 600, blockDurationSeconds: 120 };

describe("security", () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-blocks-"));
  const local = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
  let env: Record<string, string> = {};
  let server: TestServer;
  let token = "";
  let agent: AsyncDisposable;

  const startAgent = () =>
    startTestAgent({
      server: { port: server.port, token },
      subdomain: "guarded",
      localPort: local.port ?? 0,
      connections: 1,
    });
  beforeAll(async () => {
    const [port = 0, shardPort = 0, tcpPort = 0] = await freePorts(3);
    env = {
      ...{ PORT: String(port), SHARD_PORTS: String(shardPort), DB_PATH: join(folder, "blocks.db") },
      ...{ TCP_PORTS: `${tcpPort}-${tcpPort}`, TRUSTED_PROXIES: proxy, MAX_CONNECTIONS_PER_ADDRESS: "6" },
    };
    server = await startTestServer(env);
    const api = adminApi(server);
    const orgId = await api.createOrganization("acme");
    const appId = await api.createApplication(orgId, "guarded", "custom");
    await api.setPolicy(appId, { authType: "basic", basicUsername: words.username, basicPassword: words.password });
    await api.must("PUT", `/admin/applications/${appId}/rate-limit`, rule);
    token = (await api.createKey({ orgId, scope: "tunnel" })).raw;
    agent = await startAgent();
    await eventually(async () => (await ask(visitor)).status === 401, "the policy is in force");
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await local.stop(true);
    rmSync(folder, { recursive: true, force: true });
  });

  /** One request from an address, on a connection of its own. */
  async function ask(localAddress: string, lines: string[] = [], path = "/", host = "guarded.localhost", body = "") {
    const [method, length] = body === "" ? ["GET", []] : ["POST", [`Content-Length: ${body.length}`]];
    const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...length, ...lines];
    const answer = await requestOnce({ port: server.port, localAddress }, `${head.join("\r\n")}\r\n\r\n${body}`);
    const [retryAfter] = valuesOf(answer.fields, "retry-after");
    return { ...answer, retryAfterSeconds: Number(retryAfter ?? 0) };
  }
  const basic = (password: string) => [
    `Authorization: Basic ${Buffer.from(`${words.username}:${password}`).toString("base64")}`,
  ];

  test("who failed too often gets a 429 from the shard, also after a restart; a session goes on, and so do others", async () => {
    const form = new URLSearchParams(words).toString();
    const type = "Content-Type: application/x-www-form-urlencoded";
    const login = await ask(
      visitor,
      [type, `Origin: http://guarded.localhost:${server.port}`],
      "/__auth/basic",
      undefined,
      form,
    );
    const session = `Cookie: ${valuesOf(login.fields, "set-cookie")[0]!.split(";", 1)[0]}`;

    expect([(await ask(visitor, basic("1"))).status, (await ask(visitor, basic("2"))).status]).toEqual([401, 401]);
    const last = await ask(visitor, basic("3"));
    expect([last.status, last.retryAfterSeconds]).toEqual([429, rule.blockDurationSeconds]);
    // Without a credential nothing is asked of main: the shard knows the block by itself.
    const blocked = await ask(visitor);
    expect(blocked.status).toBe(429);
    expect(blocked.retryAfterSeconds).toBeWithin(1, rule.blockDurationSeconds + 1);
    expect((await ask(visitor, basic(words.password))).status).toBe(429);
    expect((await ask(visitor, [session])).status).toBe(200);
    expect((await ask(neighbour, basic(words.password))).status).toBe(200);

    await agent[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    server = await startTestServer(env);
    agent = await startAgent();
    const again = await ask(visitor, basic(words.password));
    expect(again.status).toBe(429);
    expect(again.retryAfterSeconds).toBeWithin(1, rule.blockDurationSeconds + 1);
    expect((await ask(visitor)).status).toBe(429);
    expect((await ask(visitor, [session])).status).toBe(200);
    expect((await ask(neighbour, basic(words.password))).status).toBe(200);
  });

  test("a trusted proxy that names nobody is never counted; whom it names, is", async () => {
    const guess = (lines: string[], i: number) => ask(proxy, [...basic(`guess ${lines.length} ${i}`), ...lines]);
    const logIn = (lines: string[], i: number) =>
      ask(
        proxy,
        ["Content-Type: application/json", ...lines],
        "/auth/login",
        `localhost:${server.port}`,
        JSON.stringify({ username: `nobody${i}`, password: "wrong password" }),
      );
    for (let i = 0; i < 12; i++) {
      expect((await guess([], i)).status).toBe(401);
      expect((await logIn([], i)).status).toBe(401);
    }
    expect((await ask(proxy, basic(words.password))).status).toBe(200);
    const named = ["X-Forwarded-For: 203.0.113.5"];
    const statuses = { visits: [] as number[], logins: [] as number[] };
    for (let i = 0; i < 4; i++) statuses.visits.push((await guess(named, i)).status);
    for (let i = 0; i < 11; i++) statuses.logins.push((await logIn(named, i)).status);
    expect(statuses.visits).toEqual([401, 401, 429, 429]);
    expect(statuses.logins).toEqual([...Array<number>(10).fill(401), 429]);
    expect((await ask(proxy, [...basic(words.password), "X-Forwarded-For: 203.0.113.6"])).status).toBe(200);
    expect(server.logs.filter((line) => line.includes("names no visitor"))).toHaveLength(1);
  });

  test("connections of a trusted proxy are not counted per address, on the public port, a shard's and a TCP tunnel's", async () => {
    const tcp = { server: { port: server.port, token }, subdomain: "tcp", localPort: local.port ?? 0 };
    await using _agent = await startTestAgent({ ...tcp, connections: 1, spec: { protocol: "tcp", subdomain: null } });
    for (const port of [server.port, env["SHARD_PORTS"], env["TCP_PORTS"]?.split("-")[0]].map(Number)) {
      for (const [localAddress, served] of [
        [proxy, 9],
        [many, 6],
      ] as const) {
        const clients = await Promise.all(
          Array.from({ length: 9 }, () => RawClient.open({ port, localAddress }).catch(() => null)),
        );
        const statuses = await Promise.all(
          clients.map(async (client) => {
            const answer = client?.response().catch(() => null);
            await client?.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
            return (await answer)?.status ?? 0;
          }),
        );
        expect({
          port,
          localAddress,
          served: statuses.filter((status) => status === 200 || status === 404).length,
        }).toEqual({
          port,
          localAddress,
          served,
        });
        for (const client of clients) client?.socket.destroy();
      }
    }
  });
});
