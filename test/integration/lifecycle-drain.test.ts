// SIGTERM: not ready any more, agents are told, what runs finishes, and the process ends in time with the right code.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess, type ServerProcessOptions } from "../helpers/server-process.ts";
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

test("an idle server leaves within a second and with 0; its agents say why and try again", async () => {
  await using both = await pair();
  const { server, agent } = both;
  expect(await ready(server.port)).toBe(200);
  const started = performance.now();
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeLessThan(1_000);
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
  await eventually(async () => (await ready(server.port)) !== 200, "it is not ready any more", 500);
  await agent.until("tunnel.lost");
  expect((await slow).status).toBe(200);
  expect((await post).status).toBe(200);
  expect((await drip).body.toString()).toBe(Array.from({ length: 20 }, (_, i) => `part ${i}\n`).join(""));
  expect(await server.exited).toBe(0);
});

test("what never ends is broken off at DRAIN_TIMEOUT_MS, visibly", async () => {
  await using both = await pair({ env: { DRAIN_TIMEOUT_MS: "700" } });
  const { server } = both;
  const endless = visit(server.port, "leaving", "/drip/10000", { id: "endless" });
  const broken = endless.then(
    () => false,
    () => true,
  );
  await eventually(() => service.seen.has("endless"), "it is in flight");
  const started = performance.now();
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - started).toBeWithin(600, 3_000);
  expect(await broken).toBe(true);
});

test("a second signal stops at once", async () => {
  await using both = await pair();
  const { server } = both;
  void statusOf(visit(server.port, "leaving", "/drip/10000", { id: "second" }));
  await eventually(() => service.seen.has("second"), "it is in flight");
  server.signal("SIGTERM");
  await eventually(() => server.log.some(({ message }) => message.startsWith("stopping")), "it drains");
  const started = performance.now();
  server.signal("SIGINT");
  await server.exited;
  expect(performance.now() - started).toBeLessThan(1_000);
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
