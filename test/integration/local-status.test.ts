// What agent and server say of a local service is what a visitor would meet, not only whether something listens there.

import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { TunnelSpec } from "../../cli/agent/types.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { testTls } from "../helpers/test-tls.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { visit } from "../helpers/visit.ts";

let server: TestServer;
let tcpPort = 0;
beforeAll(async () => {
  [tcpPort = 0] = await freePorts(1);
  server = await startTestServer({ CHECK_INTERVAL_MS: "100ms", TCP_PORTS: String(tcpPort) });
});
afterAll(() => server?.[Symbol.asyncDispose]());

interface Local {
  state: "up" | "down" | "unknown";
  why?: string;
  since?: string;
}

/** The server's word. */
async function seen(name: string): Promise<{ id: string; local: Local }> {
  const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
  return (tunnels as { id: string; subdomain: string; local: Local }[]).find(({ subdomain }) => subdomain === name)!;
}

/** The same, behind a check that is made now. */
async function check(name: string): Promise<Local> {
  const { id } = await seen(name);
  return (await adminApi(server).must("POST", `/admin/tunnels/${id}/check`)).local as Local;
}

const serve = (subdomain: string, localPort: number | undefined, spec: Partial<TunnelSpec>): Promise<TestAgent> =>
  startTestAgent({ server, subdomain, localPort: localPort ?? 0, spec });

/** What the agent told its user, in order. */
const told = (agent: TestAgent): string[] => agent.of("local.status").map(({ state, why }) => `${state} ${why ?? ""}`);

/** Visitors get `status` whatever is checked meanwhile, and all that agent and server say is `state`. */
async function staysDown(agent: TestAgent, name: string, why: string): Promise<void> {
  const since = new Set<string | undefined>();
  for (let i = 0; i < 5; i++) {
    expect((await visit(server.port, name, "/")).status).toBe(502);
    const local = await check(name);
    expect(local).toMatchObject({ state: "down", why: expect.stringContaining(why) });
    since.add(local.since);
  }
  // Never up in between.
  expect(since.size).toBe(1);
  expect(told(agent)).toEqual([expect.stringMatching(/^down /)]);
  expect(told(agent)[0]).toContain(why);
}

test("a service whose certificate nobody vouches for is down, with the reason, and not up whenever it is checked", async () => {
  using service = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: testTls, fetch: () => new Response("secure") });
  await using agent = await serve("selfsigned", service.port, { localHttps: true });
  await staysDown(
    agent,
    "selfsigned",
    "TLS: certificate refused: self signed certificate; --insecure-local accepts it",
  );
});

test("the same service is up for whoever says that it needn't be verified", async () => {
  using service = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: testTls, fetch: () => new Response("secure") });
  await using agent = await serve("insecure", service.port, { localHttps: true, insecureLocal: true });
  await eventually(() => told(agent).length > 0, "the first check is made");
  for (let i = 0; i < 3; i++) {
    expect(await check("insecure")).toMatchObject({ state: "up" });
    expect((await visit(server.port, "insecure", "/")).status).toBe(200);
  }
  expect(told(agent)).toEqual(["up "]);
});

test.each([
  ["speaks no TLS", () => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("plain") })],
  [
    "breaks in the handshake",
    () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.terminate() } }),
  ],
  [
    "ends in the handshake",
    () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open: (socket) => void socket.end(), data() {} } }),
  ],
])("a service that is said to speak https and %s is down, verified or not", async (what, start) => {
  using service = start();
  for (const insecureLocal of [false, true]) {
    const name = `${what.split(" ", 1)[0]}-${insecureLocal}`;
    await using agent = await serve(name, service.port, { localHttps: true, insecureLocal });
    await staysDown(agent, name, what === "speaks no TLS" ? "TLS: what listens there speaks no TLS" : "TLS");
  }
});

test("a service that isn't there is down in the same words, whether a check or a visitor finds out", async () => {
  const gone = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = gone;
  await gone.stop(true);
  await using agent = await serve("gone", port, {});
  await staysDown(agent, "gone", "connection refused: nothing listens there");
  expect(agent.of("request").map(({ error }) => error)).toEqual(
    Array(5).fill("connection refused: nothing listens there"),
  );
});

// So do the forwarders of containers and of SSH while nothing listens behind them.
test.each([
  ["plain", undefined, {}],
  ["over TLS", testTls, { localHttps: true, insecureLocal: true }],
])(
  "a service that hangs up on whoever comes (%s) is found out by visitors, and is down until it serves",
  async (how, tls, spec) => {
    const name = how.replaceAll(" ", "-").toLowerCase();
    const hangUp = { open: (socket: { end(): unknown }) => void socket.end(), data() {} };
    const forwarder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: hangUp, ...(tls && { tls }) });
    const { port } = forwarder;
    await using agent = await serve(name, port, spec);
    await eventually(() => told(agent).length > 0, "the first check is made");
    await staysDown(agent, name, "closed at once");
    forwarder.stop(true);
    using service = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("here"), ...(tls && { tls }) });
    await eventually(() => told(agent).at(-1) === "up ", "it is up again");
    expect((await visit(server.port, name, "/")).status).toBe(200);
    // It begins to hang up again: the first visitor who meets that brings it to light.
    await service.stop(true);
    using again = Bun.listen({ hostname: "127.0.0.1", port, socket: hangUp, ...(tls && { tls }) });
    expect((await visit(server.port, name, "/")).status).toBe(502);
    await eventually(() => told(agent).at(-1)?.startsWith("down") === true, "it is down again");
    expect(again.port).toBe(port);
  },
);

test("the service of a TCP tunnel that goes is down for agent and server, and up when it is back", async () => {
  const echo = { data: (socket: { write(bytes: Buffer): unknown }, bytes: Buffer) => void socket.write(bytes) };
  const listen = (port: number) => Bun.listen({ hostname: "127.0.0.1", port, socket: echo });
  const first = listen(0);
  const { port } = first;
  await using agent = await serve("db", port, { protocol: "tcp", subdomain: null });
  const name = `tcp:${tcpPort}`;
  const said = async (): Promise<string> => (await seen(name)).local.state;
  await eventually(async () => (await said()) === "up", "the server says up");
  first.stop(true);
  const visitor = connect(tcpPort, "127.0.0.1");
  visitor.on("error", () => {});
  await new Promise((resolve) => visitor.once("close", resolve));
  await eventually(async () => (await said()) === "down", "the server says down");
  expect(told(agent)).toEqual(["up ", "down connection refused: nothing listens there"]);
  using _second = listen(port);
  await eventually(async () => (await said()) === "up", "the server says up again");
  expect(told(agent).at(-1)).toBe("up ");
});

test("of agents that share a name one whose service is down makes it down until it is back, whatever the others answer", async () => {
  const start = (port = 0) => Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("here") });
  using stays = start();
  const goes = start();
  const [first, second] = [stays, goes].map(({ port = 0 }) => port);
  const pool = { ...server, origin: `http://localhost:${server.port}`, name: "pooled", pool: true };
  await using _first = await openTunnel({ ...pool, port: first! });
  await using _second = await openTunnel({ ...pool, port: second! });
  await eventually(async () => (await seen("pooled")).local.state === "up", "both are up");
  await goes.stop(true);
  expect(await check("pooled")).toMatchObject({ state: "down" });
  const statuses = new Set<number>();
  for (let i = 0; i < 8; i++) statuses.add((await visit(server.port, "pooled", "/")).status);
  expect(statuses).toEqual(new Set([200, 502]));
  for (let i = 0; i < 3; i++) expect(await check("pooled")).toMatchObject({ state: "down" });
  using _back = start(second);
  await eventually(async () => (await seen("pooled")).local.state === "up", "both are up again");
});
