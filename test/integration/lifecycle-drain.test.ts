// SIGTERM: not ready any more, agents are told, what runs finishes, and the process ends in time with the right code.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { subprotocol } from "../../src/protocol/frames.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { registerRaw } from "../helpers/hostile-agent.ts";
import { RawClient, requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess, type ServerProcessOptions } from "../helpers/server-process.ts";
import { requestBytes, upgradeLines } from "../helpers/services.ts";
import { openSlowReader } from "../helpers/slow-reader.ts";
import { valuesOf } from "../helpers/strict-http.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { type InProcessAgent, openTunnel } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

let service: TaggedService;
beforeAll(() => (service = startTaggedService("leaving")));
afterAll(() => service[Symbol.asyncDispose]());

async function pair(
  options: ServerProcessOptions = {},
): Promise<AsyncDisposable & { server: ServerProcess; agent: InProcessAgent }> {
  const server = await startServerProcess({ shards: 2, ...options });
  const agent = await openTunnel({ ...server, port: service.port, name: "leaving" });
  await agent.until("session");
  return {
    server,
    agent,
    async [Symbol.asyncDispose]() {
      await agent.stop(0);
      await server[Symbol.asyncDispose]();
    },
  };
}

const ready = (port: number): Promise<number | "broken"> =>
  statusOf(requestOnce({ port }, "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));

/** Nobody waits for the end of that time: a server that leaves within a test has not waited for it. */
const forever = { DRAIN_TIMEOUT_MS: "1h" };

/** Whether somebody listens there. */
function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1", () => {
    socket.destroy();
    resolve(true);
  });
  socket.on("error", () => resolve(false));
  return promise;
}

test("an idle server leaves at once and with 0; its agents say why and try again", async () => {
  await using both = await pair({ env: forever });
  const { server, agent } = both;
  expect(await ready(server.port)).toBe(200);
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect((await agent.until("tunnel.lost")).reason).toBe("the server is restarting");
  await agent.until("tunnel.retry");
});

test("what is in flight finishes, new visitors are turned away, readiness is off", async () => {
  await using both = await pair();
  const { server, agent } = both;
  const slow = visit(server.port, "leaving", "/slow/1200", { id: "drain-get" });
  const post = visit(server.port, "leaving", "/slow/1000", { method: "POST", body: "body", id: "drain-post" });
  const drip = visit(server.port, "leaving", "/drip/20", { id: "drain-drip" });
  await eventually(
    () => ["drain-get", "drain-post", "drain-drip"].every((id) => service.seen.has(id)),
    "three requests are in flight",
  );
  server.signal("SIGTERM");
  // Either the port is closed by now, or the answer is no.
  await eventually(async () => (await ready(server.port)) !== 200, "it is not ready any more");
  await agent.until("tunnel.lost");
  expect((await slow).status).toBe(200);
  expect((await post).status).toBe(200);
  expect((await drip).body.toString()).toBe(Array.from({ length: 20 }, (_, i) => `part ${i}\n`).join(""));
  expect(await server.exited).toBe(0);
});

test("a request whose head was on its way is the last on its connection, wherever that has moved", async () => {
  await using both = await pair();
  const { server, agent } = both;
  const drip = visit(server.port, "leaving", "/drip/20", { id: "meanwhile-head" });
  await eventually(() => service.seen.has("meanwhile-head"), "something is in flight");
  using client = await RawClient.open({ port: server.port });
  await client.send("GET / HTTP/1.1\r\nHost: leav");
  // A connection that is accepted later has been read by now.
  expect(await ready(server.port)).toBe(200);
  server.signal("SIGTERM");
  await agent.until("tunnel.lost");
  const answer = client.response();
  await client.send("ing.localhost\r\n\r\n");
  expect(valuesOf((await answer).fields, "connection")).toEqual(["close"]);
  expect(await client.ended).toBe("clean");
  expect((await drip).status).toBe(200);
  expect(await server.exited).toBe(0);
});

test("a session that comes straight to its shard while the server leaves is sent away: nobody would tell it", async () => {
  const [shardPort = 0] = await freePorts(1);
  await using both = await pair({ shards: 1, env: { SHARD_PORTS: String(shardPort) } });
  const { server, agent } = both;
  const { path } = await registerRaw(server, "late");
  const drip = visit(server.port, "leaving", "/drip/20", { id: "meanwhile-session" });
  await eventually(() => service.seen.has("meanwhile-session"), "something is in flight");
  server.signal("SIGTERM");
  await agent.until("tunnel.lost");
  const lines = [...upgradeLines, `Sec-WebSocket-Protocol: ${subprotocol}`];
  const answer = await requestOnce({ port: shardPort }, requestBytes("localhost", path, { lines }));
  expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([503, { error: { retryable: true } }]);
  expect((await drip).status).toBe(200);
  expect(await server.exited).toBe(0);
});

test("whoever waits for an agent that has not come back since the start is told at once, and keeps nobody", async () => {
  const env = { ...forever, HOLD_MS: "10m", HOLD_MAX: "1" };
  await using both = await pair({ env });
  both.server.signal("SIGKILL");
  await both.server.exited;
  await both.agent.stop(0);
  await using again = await startServerProcess({ shards: 2, again: both.server, env });
  // There is room for one of them: when the other is told so, it waits.
  const visitors = [1, 2].map(() => visit(again.port, "leaving", "/"));
  expect((await Promise.race(visitors)).status).toBe(503);
  again.signal("SIGTERM");
  expect((await Promise.all(visitors)).map(({ status }) => status)).toEqual([503, 503]);
  expect(await again.exited).toBe(0);
});

test("an open dashboard keeps nobody: its event streams end", async () => {
  const token = "an-admin-token-of-the-tests-0123456789";
  await using server = await startServerProcess({ shards: 1, env: { ...forever, ADMIN_TOKEN: token } });
  using client = await RawClient.open({ port: server.port });
  let told = "";
  const answer = client.response({ onBody: (bytes) => (told += bytes.toString()) });
  await client.send(`GET /admin/events HTTP/1.1\r\nHost: localhost\r\nX-Admin-Token: ${token}\r\n\r\n`);
  await eventually(() => told.includes("event: stats"), "it is told of what happens");
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect((await answer).status).toBe(200);
  expect(await client.ended).toBe("clean");
});

test("an answer of ours that its visitor has not taken yet outlives the server", async () => {
  await using server = await startServerProcess({ shards: 1 });
  const { port } = server;
  const whole = await requestOnce(
    { port },
    "GET /swagger/json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  );
  using visitor = await openSlowReader({
    ...{ port, host: "localhost", path: "/swagger/json" },
    ...{ fastMs: 0, bytesPerSecond: 200_000 },
  });
  await eventually(() => visitor.received > 0, "the answer has begun");
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(visitor.body().bytes).toBeLessThan(whole.bodyBytes);
  await eventually(() => visitor.over !== null, "the visitor has read on");
  expect({ over: visitor.over, ...visitor.body() }).toEqual({
    over: "closed",
    bytes: whole.bodyBytes,
    sha1: whole.sha1,
  });
});

test("the port of a TCP tunnel stays closed while the rest finishes: a successor may want it", async () => {
  const [tcpPort = 0] = await freePorts(1);
  await using both = await pair({ env: { TCP_PORTS: String(tcpPort) } });
  const { server } = both;
  const tcp = await openTunnel({ ...server, port: service.port, protocol: "tcp", remotePort: tcpPort });
  expect(await isOpen(tcpPort)).toBe(true);
  const drip = visit(server.port, "leaving", "/drip/60", { id: "meanwhile" });
  await eventually(() => service.seen.has("meanwhile"), "something is in flight");
  server.signal("SIGTERM");
  await tcp.until("tunnel.lost");
  const looks: boolean[] = [];
  for (let look = 0; look < 20; look++) {
    looks.push(await isOpen(tcpPort));
    await Bun.sleep(20);
  }
  expect(looks).toEqual(looks.map(() => false));
  expect((await drip).status).toBe(200);
  await tcp.stop(0);
});

test("what never ends is broken off at DRAIN_TIMEOUT_MS, visibly", async () => {
  await using both = await pair({ env: { DRAIN_TIMEOUT_MS: "700" } });
  const { server } = both;
  const endless = visit(server.port, "leaving", "/drip/10000", { id: "endless", timeoutMs: 60_000 });
  const broken = endless.then(
    () => false,
    () => true,
  );
  await eventually(() => service.seen.has("endless"), "it is in flight");
  const started = performance.now();
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeGreaterThan(600);
  expect(await broken).toBe(true);
});

test("a second signal stops at once", async () => {
  await using both = await pair({ env: forever });
  const { server } = both;
  void statusOf(visit(server.port, "leaving", "/drip/10000", { id: "second", timeoutMs: 60_000 }));
  await eventually(() => service.seen.has("second"), "it is in flight");
  server.signal("SIGTERM");
  const said = () => server.log.find(({ message }) => message.startsWith("stopping"));
  await eventually(() => said() !== undefined, "it drains");
  expect(said()).toMatchObject({ signal: "SIGTERM", withinMs: 3_600_000 });
  server.signal("SIGINT");
  await server.exited;
});

test("agents are back by themselves after a restart and after kill -9, and the name is theirs", async () => {
  await using both = await pair();
  const { server, agent } = both;
  let again = server;
  for (const [round, signal] of (["SIGTERM", "SIGKILL"] as const).entries()) {
    again.signal(signal);
    await again.exited;
    again = await startServerProcess({ shards: 2, again: server });
    const failed = agent.all("tunnel.retry").length;
    await agent.until("tunnel.ready", round + 2, 30_000);
    // It is back with the first attempt that finds the server, after a wait that it has said. One may have been under way already.
    expect(agent.all("tunnel.retry").length - failed).toBeLessThanOrEqual(1);
    expect((await visit(server.port, "leaving", "/")).status).toBe(200);
  }
  await again[Symbol.asyncDispose]();
}, 90_000);
