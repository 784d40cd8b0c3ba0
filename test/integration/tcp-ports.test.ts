// The public port that an agent names: had, kept, refused in one sentence, and shared by a pool.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { program } from "../helpers/program.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { beginTunnel, openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";

const originOf = (server: TestServer): string => `http://localhost:${server.port}`;

/** A service that says its name to whoever connects. */
function startService(name: string) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void socket.end(name),
      data() {},
    },
  });
}

/** What a visitor hears until the connection ends; null when there is none, or it ends without a word. */
function hear(port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ port, host: "127.0.0.1" });
  let heard = "";
  socket.on("data", (bytes) => (heard += bytes.toString()));
  socket.on("error", () => {});
  socket.on("close", () => resolve(heard === "" ? null : heard));
  return promise;
}

/** Where an agent keeps who it is. */
function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "digit-link-home-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs `digit-link tcp` until it ends by itself. */
async function refusal(argv: string[], token = "none"): Promise<{ exitCode: number; said: string }> {
  const child = Bun.spawn([process.execPath, await program("cli/main.ts"), "tcp", ...argv], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", DIGIT_LINK_TOKEN: token },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 20_000,
  });
  const [said, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
  return { exitCode, said: said.trim() };
}

describe("--remote-port", () => {
  test("gets that port, also after a restart", async () => {
    const ports = await freePorts(8);
    await using server = await startTestServer({ TCP_PORTS: ports.join(",") });
    using service = startService("db");
    using home = temporaryFolder();
    const options = {
      ...{ origin: originOf(server), token: server.token, port: service.port, protocol: "tcp" as const },
      env: { HOME: home.path },
    };
    for (const remotePort of [ports[5]!, ports[2]!, ports[5]!]) {
      await using agent = await openTunnelProcess({ ...options, remotePort });
      expect(agent.all("tunnel.ready")[0]).toMatchObject({ port: remotePort, url: `tcp://localhost:${remotePort}` });
      expect(await hear(remotePort)).toBe("db");
    }
  });

  test("ends with one sentence and a documented code when the port can't be had, and nothing else is taken", async () => {
    const [first, second, other] = (await freePorts(3)) as [number, number, number];
    await using server = await startTestServer({ TCP_PORTS: `${first},${second}` });
    using service = startService("db");
    const api = adminApi(server);
    const { token } = await api.createAccount("somebody", null);
    const origin = originOf(server);
    await using _taken = await openTunnel({
      ...{ origin, token, port: service.port, protocol: "tcp", remotePort: first },
    });
    const ask = (port: number | string, as = server.token) =>
      refusal(["5432", "--remote-port", String(port), "--server", origin, "--quiet"], as);
    expect(await ask(first)).toEqual({
      exitCode: 4,
      said: `digit-link: Port ${first} belongs to somebody else: choose another one.`,
    });
    const own = await refusal(["5433", "--remote-port", String(first), "--server", origin, "--quiet"], token);
    expect(own.exitCode).toBe(4);
    expect(own.said).toContain(
      `Another agent of your account serves port ${first}: stop it, or start both with --pool.`,
    );
    const outside = await ask(other);
    expect(outside.exitCode).toBe(4);
    expect(outside.said).toContain(`Port ${other} is none of this server's`);
    expect(outside.said).toContain(String(second));
    for (const one of [own, outside]) expect(one.said.split("\n")).toHaveLength(1);
    for (const bad of ["70000", "0", "abc"]) {
      expect(await ask(bad)).toMatchObject({ exitCode: 2, said: expect.stringContaining("a number from 1 to 65535") });
    }
    // Nobody holds the second port: no refused agent was given it instead.
    await using free = await openTunnel({
      ...{ origin, token: server.token, port: service.port, protocol: "tcp", remotePort: second },
    });
    expect(free.all("tunnel.ready")[0]!.port).toBe(second);
  });

  test("goes with one local port", async () => {
    const { exitCode, said } = await refusal(["22", "5432", "--remote-port", "20000", "--server", "localhost"]);
    expect([exitCode, said.split("\n").length]).toEqual([2, 1]);
    expect(said).toContain("--remote-port goes with one local port");
  });
});

describe("a port that another program has", () => {
  const sentence = (port: number) =>
    `Port ${port} can't be opened on the server: it is in use there by another program.`;
  const takePort = (port: number) => Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });

  test("is up for nobody as long as that has it: not for the agent, nor in the API", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({ TCP_PORTS: String(port) });
    using service = startService("db");
    const other = takePort(port);
    const options = { origin: originOf(server), token: server.token, port: service.port, protocol: "tcp" as const };
    await using agent = beginTunnel({ ...options, remotePort: port });
    expect((await agent.until("tunnel.retry")).reason).toBe(sentence(port));
    expect(agent.all("tunnel.ready")).toEqual([]);
    expect((await adminApi(server).must("GET", "/admin/tunnels"))["tunnels"]).toEqual([]);
    other.stop(true);
    expect(await agent.until("tunnel.ready", 1, 30_000)).toMatchObject({ port });
    expect(await hear(port)).toBe("db");
  });

  test("is not given to who wants any: another one is", async () => {
    const ports = await freePorts(8);
    await using server = await startTestServer({ TCP_PORTS: ports.join(",") });
    using service = startService("db");
    const others = ports.slice(1).map(takePort);
    const options = { origin: originOf(server), token: server.token, port: service.port, protocol: "tcp" as const };
    await using agent = await openTunnel(options);
    expect(agent.all("tunnel.ready")[0]!.port).toBe(ports[0]!);
    expect(await hear(ports[0]!)).toBe("db");
    await using second = beginTunnel(options);
    expect((await second.until("tunnel.retry")).reason).toContain("can't be opened on the server");
    for (const other of others) other.stop(true);
    expect(ports.slice(1)).toContain((await second.until("tunnel.ready", 1, 30_000)).port!);
  });

  test("is lost to it while the server is away: the agent gets another one when it comes back", async () => {
    const ports = await freePorts(2);
    using home = temporaryFolder();
    const settings = { TCP_PORTS: ports.join(","), DB_PATH: join(home.path, "server.db") };
    const first = await startTestServer(settings);
    using service = startService("db");
    const { token } = await adminApi(first).createAccount("somebody", null);
    const options = { port: service.port, token, protocol: "tcp" as const, env: { HOME: home.path } };
    const had = await openTunnelProcess({ ...options, origin: originOf(first) });
    const { port: lost } = had.all("tunnel.ready")[0]!;
    await had[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const other = takePort(lost!);
    await using server = await startTestServer(settings);
    await using agent = await openTunnelProcess({ ...options, origin: originOf(server) });
    expect(agent.all("tunnel.ready")[0]!.port).toBe(ports.find((port) => port !== lost)!);
    other.stop(true);
  });
});

describe("--pool", () => {
  test("shares a named port among agents that all say so: both serve, one goes on alone, others are refused", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({ TCP_PORTS: String(port) });
    using one = startService("one");
    using two = startService("two");
    const options = { origin: originOf(server), token: server.token, protocol: "tcp" as const, remotePort: port };
    await using first = await openTunnelProcess({ ...options, port: one.port, pool: true });
    await using second = await openTunnelProcess({ ...options, port: two.port, pool: true });
    expect([first, second].map((agent) => agent.all("tunnel.ready")[0]!.port)).toEqual([port, port]);
    const heard: Record<string, number> = { one: 0, two: 0 };
    for (let i = 0; i < 20; i++) heard[(await hear(port)) ?? "nothing"]!++;
    expect(Object.keys(heard)).toEqual(["one", "two"]);
    expect(Math.min(heard["one"]!, heard["two"]!)).toBeGreaterThan(4);

    await using alone = beginTunnel({ ...options, port: two.port });
    expect(await alone.done).toMatchObject({ reason: "refused", code: "name_in_use" });
    const { token } = await adminApi(server).createAccount("somebody", null);
    await using stranger = beginTunnel({ ...options, token, port: two.port, pool: true });
    expect(await stranger.done).toMatchObject({ reason: "refused", code: "name_taken" });

    first.signal("SIGTERM");
    await first.exited;
    for (let i = 0; i < 6; i++) expect(await hear(port)).toBe("two");
    await using again = await openTunnelProcess({ ...options, port: one.port, pool: true });
    expect(again.all("tunnel.ready")[0]!.port).toBe(port);
    await eventually(async () => (await hear(port)) === "one", "the restarted agent serves as well");
  });

  test("without a named port is a mistake of the command line, which says to name it", async () => {
    const { exitCode, said } = await refusal(["5432", "--pool", "--server", "localhost"]);
    expect([exitCode, said.split("\n").length]).toEqual([2, 1]);
    expect(said).toContain("--pool needs --remote-port");
  });
});
