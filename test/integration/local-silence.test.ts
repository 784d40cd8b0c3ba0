// A local service that takes connections and answers nobody is not up, whatever its kernel says; one slow page of it proves nothing.

import { connect } from "node:net";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { TunnelSpec } from "../../cli/agent/types.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { testTls } from "../helpers/test-tls.ts";
import { visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

let server: TestServer;
/** It waits for answers longer than any visitor. */
let patient: TestServer;
let tcpPort = 0;
beforeAll(async () => {
  [tcpPort = 0] = await freePorts(1);
  const env = { CHECK_INTERVAL_MS: "100ms", REQUEST_TIMEOUT_MS: "1s", TCP_PORTS: String(tcpPort) };
  server = await startTestServer(env);
  patient = await startTestServer({ CHECK_INTERVAL_MS: "100ms" });
});
afterAll(() => Promise.all([server?.[Symbol.asyncDispose](), patient?.[Symbol.asyncDispose]()]));

interface Local {
  state: "up" | "down" | "unknown";
  why?: string;
}

/** The server's word; `isChecked`: behind a check that is made now. */
async function seen(name: string, isChecked = false, at = server): Promise<Local> {
  const { tunnels } = await adminApi(at).must("GET", "/admin/tunnels");
  const all = tunnels as { id: string; subdomain: string; local: Local }[];
  const { id, local } = all.find(({ subdomain }) => subdomain === name)!;
  return isChecked ? ((await adminApi(at).must("POST", `/admin/tunnels/${id}/check`)).local as Local) : local;
}

const serve = (subdomain: string, localPort: number, spec: Partial<TunnelSpec> = {}): Promise<TestAgent> =>
  startTestAgent({ server, subdomain, localPort, spec });

const told = (agent: TestAgent): string[] => agent.of("local.status").map(({ state, why }) => `${state} ${why ?? ""}`);

const isUp = (agent: TestAgent, name: string, at = server): Promise<void> =>
  eventually(async () => told(agent).at(-1) === "up " && (await seen(name, false, at)).state === "up", `${name} is up`);

/** A visitor of `patient` who leaves without an answer. */
async function giveUp(name: string, afterMs = 2_100): Promise<void> {
  using visitor = await RawClient.open({ port: patient.port });
  await visitor.send(`GET /slow HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`);
  await Bun.sleep(afterMs);
}

/** The server says that it is down for want of an answer, and no check makes it say anything else. */
async function isMute(name: string): Promise<void> {
  await eventually(async () => (await seen(name)).state === "down", `${name} is down`);
  for (let i = 0; i < 3; i++)
    expect(await seen(name, true)).toMatchObject({
      state: "down",
      why: expect.stringContaining("no answer within 1 s"),
    });
}

test.concurrent(
  "a service that is stopped is down when a request got no answer, and up when it answers again",
  async () => {
    await using service = await startLocalServiceProcess();
    await using agent = await serve("stopped", service.port);
    expect((await visit(server.port, "stopped", "/")).status).toBe(200);
    await isUp(agent, "stopped");
    process.kill(service.pid, "SIGSTOP");
    expect((await visit(server.port, "stopped", "/")).status).toBe(504);
    await isMute("stopped");
    expect(told(agent)).toEqual(["up ", expect.stringMatching(/^down .*no answer within 1 s/)]);
    process.kill(service.pid, "SIGCONT");
    expect((await visit(server.port, "stopped", "/")).status).toBe(200);
    await isUp(agent, "stopped");
    expect(told(agent)).toHaveLength(3);
  },
);

test.concurrent("a stopped service that is killed and started anew is up without waiting for a visitor", async () => {
  const first = await startLocalServiceProcess();
  const { port } = first;
  await using agent = await serve("killed", port);
  process.kill(first.pid, "SIGSTOP");
  expect((await visit(server.port, "killed", "/")).status).toBe(504);
  await isMute("killed");
  await first.kill();
  await eventually(async () => (await seen("killed")).why?.includes("refused") === true, "nothing listens there");
  await using _second = await startLocalServiceProcess(port);
  await isUp(agent, "killed");
});

test.concurrent(
  "a service that speaks TLS and waits, behind a tunnel for plain http, is down, with what to do",
  async () => {
    // A server of TLS that gets a line of text waits for the rest of what might be a record.
    using mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    await using agent = await serve("waits", mute.port);
    expect((await visit(server.port, "waits", "/")).status).toBe(504);
    await isMute("waits");
    expect((await seen("waits")).why).toContain("--local-https");
    expect(told(agent).at(-1)).toContain("--local-https");
  },
);

test.concurrent("a service that speaks TLS and hangs up on plain http is down as well", async () => {
  using service = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: testTls, fetch: () => new Response("secure") });
  await using agent = await serve("hangs-up", service.port ?? 0);
  await isUp(agent, "hangs-up");
  expect((await visit(server.port, "hangs-up", "/")).status).toBe(502);
  await eventually(async () => (await seen("hangs-up")).state === "down", "it is down");
  expect(await seen("hangs-up", true)).toMatchObject({ state: "down", why: expect.stringContaining("--local-https") });
  expect(told(agent)).toEqual(["up ", expect.stringContaining("--local-https")]);
});

test.concurrent("one page that never comes leaves a service up that answers others meanwhile", async () => {
  let asked = 0;
  using service = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      if (!request.url.endsWith("/slow")) return new Response("here");
      asked++;
      return new Promise<Response>(() => {});
    },
  });
  await using agent = await serve("slow", service.port ?? 0);
  const givenUp = (): number => agent.of("request").filter(({ status }) => status === 504).length;
  // On a busy machine the other answer may come behind the end of that second: then they don't go beside each other.
  for (let isBeside = false; !isBeside;) {
    await isUp(agent, "slow");
    const before = { asked, givenUp: givenUp(), told: told(agent) };
    const slow = visit(server.port, "slow", "/slow");
    await eventually(() => asked > before.asked, "it is asked for");
    expect((await visit(server.port, "slow", "/")).status).toBe(200);
    isBeside = givenUp() === before.givenUp;
    expect((await slow).status).toBe(504);
    await eventually(() => givenUp() > before.givenUp, "the agent has heard of it");
    if (!isBeside) continue;
    expect(await seen("slow", true)).toMatchObject({ state: "up" });
    expect(told(agent)).toEqual(before.told);
  }
  // Nobody else asks meanwhile: as far as anybody knows, it answers nobody.
  expect((await visit(server.port, "slow", "/slow")).status).toBe(504);
  await isMute("slow");
  expect((await visit(server.port, "slow", "/")).status).toBe(200);
  await isUp(agent, "slow");
});

test.concurrent("a visitor who keeps the rest of its request back says nothing about the service", async () => {
  using service = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => new Response(await request.text()),
  });
  await using agent = await serve("kept", service.port ?? 0);
  using visitor = await RawClient.open({ port: server.port });
  await visitor.send("POST / HTTP/1.1\r\nHost: kept.localhost\r\nContent-Length: 10\r\n\r\nhalf");
  expect((await visitor.response()).status).toBe(504);
  await eventually(() => agent.of("request").some(({ status }) => status === 504), "the agent has heard of it");
  expect(await seen("kept", true)).toMatchObject({ state: "up" });
  expect(told(agent)).toEqual(["up "]);
});

test.concurrent("a TCP service that breaks a connection off, as its protocol may want it, stays up", async () => {
  using service = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.terminate() },
  });
  await using agent = await serve("breaks", service.port, { protocol: "tcp", subdomain: null });
  await eventually(() => told(agent).length > 0, "the first check is made");
  const visitor = connect(tcpPort, "127.0.0.1", () => visitor.write("hello"));
  visitor.on("error", () => {});
  await new Promise((resolve) => visitor.once("close", resolve));
  await eventually(() => agent.of("connection").length > 0, "the agent tells of it");
  expect(await seen(`tcp:${tcpPort}`, true)).toMatchObject({ state: "up" });
  expect(told(agent)).toEqual(["up "]);
});

test.concurrent(
  "a stopped service whose visitors all leave early is down, and up by itself when it goes on",
  async () => {
    await using service = await startLocalServiceProcess();
    await using agent = await startTestAgent({ server: patient, subdomain: "left", localPort: service.port });
    expect((await visit(patient.port, "left", "/")).status).toBe(200);
    await isUp(agent, "left", patient);
    process.kill(service.pid, "SIGSTOP");
    await giveUp("left");
    await eventually(async () => (await seen("left", false, patient)).state === "down", "it is down");
    expect(await seen("left", true, patient)).toMatchObject({
      state: "down",
      why: expect.stringContaining("stopped or stuck"),
    });
    process.kill(service.pid, "SIGCONT");
    await isUp(agent, "left", patient);
    expect(told(agent)).toEqual(["up ", expect.stringMatching(/^down .*stopped or stuck/), "up "]);
  },
);

test.concurrent("a service that was down for want of an answer, and stopped, is up when it goes on", async () => {
  await using service = await startLocalServiceProcess();
  await using agent = await serve("resumed", service.port);
  process.kill(service.pid, "SIGSTOP");
  expect((await visit(server.port, "resumed", "/")).status).toBe(504);
  expect(await seen("resumed", true)).toMatchObject({ state: "down" });
  process.kill(service.pid, "SIGCONT");
  await isUp(agent, "resumed");
});

test.concurrent("visitors who leave the slow pages of a service that runs prove nothing", async () => {
  let connections = 0;
  using service = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open: () => void connections++, data() {} } });
  await using agent = await startTestAgent({ server: patient, subdomain: "polled", localPort: service.port });
  await isUp(agent, "polled", patient);
  const before = connections;
  await Promise.all([giveUp("polled"), giveUp("polled", 50), giveUp("polled")]);
  await eventually(() => connections > before + 3, "it is checked");
  expect(await seen("polled", true, patient)).toMatchObject({ state: "up" });
  expect(told(agent)).toEqual(["up "]);
});
