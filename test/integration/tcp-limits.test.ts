// Ports of TCP tunnels: the limits of number that requests have, and an address of their own to listen on.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startTestServer } from "../helpers/server.ts";

/** Connects to a TCP tunnel that echoes; null when the connection is closed instead of answered. */
async function talk(port: number, localAddress: string, host = "127.0.0.1"): Promise<Socket | null> {
  const socket = connect({ port, host, localAddress });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("data", () => resolve(true));
  socket.on("error", () => {});
  socket.once("close", () => resolve(false));
  socket.write("hello");
  return (await promise) ? socket : null;
}

const isRefused = async (port: number, localAddress: string): Promise<boolean> =>
  (await talk(port, localAddress)) === null;

function startEcho() {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket, bytes) => void socket.write(bytes) },
  });
}

describe("security", () => {
  test("TCP connections are bounded per address, per tunnel and per organization, and places come free", async () => {
    const ports = await freePorts(2);
    await using server = await startTestServer({
      TCP_PORTS: ports.join(","),
      MAX_CONNECTIONS_PER_ADDRESS: "5",
      MAX_CONNECTIONS_PER_TUNNEL: "6",
      MAX_CONNECTIONS_PER_ORGANIZATION: "8",
    });
    const api = adminApi(server);
    const { token } = await api.createAccount("member", await api.createOrganization("Bounded"));
    using echo = startEcho();
    const serve = async (name: string) =>
      startTestAgent({
        ...{ server: { port: server.port, token }, subdomain: name, localPort: echo.port, connections: 1 },
        spec: { protocol: "tcp", subdomain: null },
      });
    await using one = await serve("one");
    await using two = await serve("two");
    const [first, second] = [one, two].map((agent) => agent.of("tunnel.ready")[0]!.port!) as [number, number];
    const held: (Socket | null)[] = [];
    for (let i = 0; i < 5; i++) held.push(await talk(first, "127.0.0.2"));
    expect(await isRefused(first, "127.0.0.2")).toBe(true);
    held.push(await talk(first, "127.0.0.3"));
    expect(await isRefused(first, "127.0.0.4")).toBe(true);
    for (let i = 0; i < 2; i++) held.push(await talk(second, "127.0.0.4"));
    expect(held.map((socket) => socket !== null)).not.toContain(false);
    expect(await isRefused(second, "127.0.0.5")).toBe(true);
    held.pop()?.destroy();
    let again: Socket | null = null;
    await eventually(async () => (again = await talk(second, "127.0.0.5")) !== null, "the place comes free");
    held.shift()?.destroy();
    await eventually(async () => (again = await talk(first, "127.0.0.2")) !== null, "so does one of an address");
    for (const socket of [...held, again]) socket?.destroy();
  });

  test("all connections count, of whichever address; a trusted proxy's own has no limit but that", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({
      TCP_PORTS: String(port),
      MAX_CONNECTIONS: "10",
      MAX_CONNECTIONS_PER_ADDRESS: "2",
      TRUSTED_PROXIES: "127.0.0.9",
    });
    using echo = startEcho();
    await using _agent = await startTestAgent({
      ...{ server, subdomain: "full", localPort: echo.port, connections: 1 },
      spec: { protocol: "tcp", subdomain: null },
    });
    const held = [];
    for (let i = 0; i < 3; i++) held.push(await talk(port, "127.0.0.9"));
    expect(held).not.toContain(null);
    let last: Socket | null = null;
    for (let i = 0; i < 10 && (last = await talk(port, `127.0.0.${20 + i}`)) !== null; i++) held.push(last);
    expect(last).toBeNull();
    expect(held.length).toBeWithin(4, 11);
    for (const socket of held) socket?.destroy();
  });

  test("the kernel asks a silent visitor whether it is still there", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({ TCP_PORTS: String(port) });
    using echo = startEcho();
    await using _agent = await startTestAgent({
      ...{ server, subdomain: "quiet", localPort: echo.port, connections: 1 },
      spec: { protocol: "tcp", subdomain: null },
    });
    const socket = await talk(port, "127.0.0.2");
    const ours = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
    // State 01 = established; timer 02 = keep-alive (proc_net_tcp).
    const timers = lines.filter((line) => line.includes(ours)).map((line) => line.trim().split(/\s+/));
    const atServer = timers.filter(([, local = "", , state]) => `${local} `.endsWith(ours) && state === "01");
    expect(atServer.map(([, , , , , timer = ""]) => timer.slice(0, 2))).toEqual(["02"]);
    socket?.destroy();
  });

  test("sessions without room: a connection more is closed at once, and places come free", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({ TCP_PORTS: String(port), MAX_STREAMS_PER_SESSION: "2" });
    using echo = startEcho();
    await using _agent = await startTestAgent({
      ...{ server, subdomain: "narrow", localPort: echo.port, connections: 1 },
      spec: { protocol: "tcp", subdomain: null },
    });
    const first = await talk(port, "127.0.0.2");
    const second = await talk(port, "127.0.0.2");
    expect([first, second]).not.toContain(null);
    expect(await isRefused(port, "127.0.0.2")).toBe(true);
    first?.destroy();
    let again: Socket | null = null;
    await eventually(async () => (again = await talk(port, "127.0.0.2")) !== null, "the place comes free");
    for (const socket of [second, again as Socket | null]) socket?.destroy();
  });
});

test("TCP_HOST: behind a proxy on this machine the ports are there for everybody all the same", async () => {
  const [port = 0] = await freePorts(1);
  await using server = await startTestServer({ HOST: "127.0.0.1", TCP_PORTS: String(port), TCP_HOST: "127.0.0.7" });
  using echo = startEcho();
  await using _agent = await startTestAgent({
    ...{ server, subdomain: "db", localPort: echo.port },
    spec: { protocol: "tcp", subdomain: null },
  });
  const socket = await talk(port, "127.0.0.2", "127.0.0.7");
  expect(socket !== null).toBe(true);
  socket?.destroy();
  expect(await isRefused(port, "127.0.0.2")).toBe(true);
});
