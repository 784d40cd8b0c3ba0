// TCP tunnels whose agent is away for a moment: the port stays open, and connections wait for the agent as requests do.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { shardOf, tcpName } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { patternBytes, patternSha1 } from "../helpers/pattern.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { startTestServer } from "../helpers/server.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

const mib = 1024 * 1024;

/** A service that answers the end of what it got with its digest. */
function startDigester() {
  return Bun.listen<{ hash: ReturnType<typeof createHash> }>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => void (socket.data = { hash: createHash("sha1") }),
      data: (socket, bytes) => void socket.data.hash.update(bytes),
      end: (socket) => void socket.end(socket.data.hash.digest("hex")),
    },
  });
}

interface Visitor {
  socket: Socket;
  heard: string;
  /** Null while it is open. */
  end: "closed" | "ECONNREFUSED" | "ECONNRESET" | null;
  /** `performance.now()`. */
  endedAt: number;
}

/** Connects, says `bytes` and half-closes. */
function visit(port: number, bytes: Uint8Array | string = "hello"): Visitor {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const visitor: Visitor = { socket, heard: "", end: null, endedAt: 0 };
  socket.on("data", (data) => (visitor.heard += data.toString()));
  let error: NodeJS.ErrnoException | null = null;
  socket.on("error", (why) => (error = why));
  socket.on("close", () => {
    visitor.endedAt = performance.now();
    visitor.end = (error?.code ?? "closed") as Visitor["end"];
  });
  socket.on("end", () => socket.end());
  socket.end(bytes);
  return visitor;
}

/** The same as soon as the port is open; resolves when the visitor is connected. */
async function visitWhenOpen(port: number): Promise<Visitor> {
  let visitor = visit(port);
  const isConnected = (): boolean => {
    if (visitor.end !== null) visitor = visit(port);
    // It is "closed" a moment before it says why.
    return !["opening", "closed"].includes(visitor.socket.readyState);
  };
  await eventually(isConnected, "it is connected");
  return visitor;
}

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

async function setUp(env: Record<string, string>) {
  const [port = 0] = await freePorts(1);
  const server = await startTestServer({ TCP_PORTS: String(port), HOLD_MS: "20s", ...env });
  const service = startDigester();
  const origin = `http://localhost:${server.port}`;
  const agent = () =>
    openTunnel({ origin, token: server.token, port: service.port, protocol: "tcp", remotePort: port });
  /** A tunnel that was up a moment ago. */
  await (await agent()).stop(0);
  return {
    ...{ port, agent },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      service.stop(true);
    },
  };
}

test("connections wait for the agent to come back, and then nothing of them is missing", async () => {
  await using at = await setUp({});
  const [small, big, gone] = [visit(at.port), visit(at.port, patternBytes(0, 32 * mib)), visit(at.port)];
  await eventually(() => gone.socket.readyState !== "opening", "it is connected");
  gone.socket.resetAndDestroy();
  // What the kernels hold at most: nothing of it is read before there is somebody to give it to.
  await Bun.sleep(300);
  expect(big.socket.writableLength).toBeGreaterThan(16 * mib);
  expect([small.end, big.end]).toEqual([null, null]);
  await using _back = await at.agent();
  await eventually(() => small.end !== null && big.end !== null, "both are served");
  expect([small.end, small.heard]).toEqual(["closed", sha1("hello")]);
  expect([big.end, big.heard]).toEqual(["closed", patternSha1(32 * mib)]);
});

test("nobody waits longer than HOLD_MS, and after the grace period the port is closed", async () => {
  await using at = await setUp({ HOLD_MS: "400ms", GRACE_MS: "2s" });
  const startedAt = performance.now();
  const visitor = visit(at.port);
  await eventually(() => visitor.end !== null, "it is told");
  expect(visitor.end).toBe("ECONNRESET");
  expect(visitor.endedAt - startedAt).toBeGreaterThan(390);
  const isRefused = async (): Promise<boolean> => {
    const late = visit(at.port);
    await eventually(() => late.end !== null, "it ends");
    return late.end === "ECONNREFUSED";
  };
  await eventually(isRefused, "the lease is over");
  expect(performance.now() - startedAt).toBeGreaterThan(1_000);
});

test("connections wait over a restart of the server, too", async () => {
  const [port = 0] = await freePorts(1);
  const env = { TCP_PORTS: String(port), HOLD_MS: "20s" };
  const first = await startServerProcess({ shards: 2, env });
  using service = startDigester();
  const { origin, token } = first;
  const options = { origin, token, port: service.port, protocol: "tcp" as const, remotePort: port };
  await (await openTunnel(options)).stop(0);
  first.signal("SIGTERM");
  await first.exited;
  await using second = await startServerProcess({ shards: 2, env, again: first });
  // The shard opens the port a moment after the server says that it is ready.
  const visitor = await visitWhenOpen(port);
  await using _agent = await openTunnel({ ...options, origin: second.origin });
  await eventually(() => visitor.end !== null, "it is served");
  expect([visitor.end, visitor.heard]).toEqual(["closed", sha1("hello")]);
});

describe("over the death of the shard that owns the port", () => {
  /** Until it is noticed; but for a shard that hangs, the port is closed then. */
  const death = (server: ServerProcess) =>
    eventually(() => server.log.some(({ message }) => message === "a shard died"), "the shard is dead");

  // What is noticed by its silence takes 2 s.
  test.each(["throw", "terminate", "hang"] as const)("(%s), while the agent is away", async (kind) => {
    const [port = 0] = await freePorts(1);
    const env = { TCP_PORTS: String(port), HOLD_MS: "20s" };
    await using server = await startServerProcess({ shards: 2, faults: true, env });
    using service = startDigester();
    const options = { ...server, port: service.port, protocol: "tcp" as const, remotePort: port };
    await (await openTunnel(options)).stop(0);
    const before = visit(port);
    await eventually(() => before.socket.readyState !== "opening", "it is connected");
    await server.fault(kind, shardOf(tcpName(port), server.shards));
    await death(server);
    await eventually(() => before.end !== null, "the visitor of the shard that died is told");
    expect(before.heard).toBe("");
    const waits = await visitWhenOpen(port);
    await using _agent = await openTunnel(options);
    await eventually(() => waits.end !== null, "the one that waited at its successor is served");
    const after = visit(port, "and then");
    await eventually(() => after.end !== null, "a new one is served");
    expect([waits, after].map(({ end, heard }) => [end, heard])).toEqual([
      ["closed", sha1("hello")],
      ["closed", sha1("and then")],
    ]);
  });

  test("that the agent lost, too: it comes back by itself, and whoever came meanwhile is served", async () => {
    const [port = 0] = await freePorts(1);
    const env = { TCP_PORTS: String(port), HOLD_MS: "20s" };
    await using server = await startServerProcess({ shards: 2, faults: true, env });
    using service = startDigester();
    await using agent = await openTunnel({ ...server, port: service.port, protocol: "tcp", remotePort: port });
    await server.fault("exit", shardOf(tcpName(port), server.shards));
    await death(server);
    await agent.until("tunnel.lost");
    const meanwhile = await visitWhenOpen(port);
    await eventually(() => meanwhile.end !== null, "it is served");
    expect([meanwhile.end, meanwhile.heard]).toEqual(["closed", sha1("hello")]);
    await agent.until("tunnel.ready", 2);
  });
});

describe("security", () => {
  test("no more connections wait than HOLD_MAX; one that leaves makes room", async () => {
    await using at = await setUp({ HOLD_MAX: "2" });
    const [first, second] = [visit(at.port), visit(at.port)];
    await eventually(() => [first, second].every(({ socket }) => socket.readyState !== "opening"), "two wait");
    const third = visit(at.port);
    await eventually(() => third.end !== null, "the third is turned away");
    expect([first.end, second.end, third.end]).toEqual([null, null, "ECONNRESET"]);
    first.socket.resetAndDestroy();
    const isHeld = async (): Promise<boolean> => {
      const one = visit(at.port);
      await Bun.sleep(50);
      return one.end === null;
    };
    await eventually(isHeld, "its place is free");
    await using _back = await at.agent();
    await eventually(() => second.heard === sha1("hello"), "the second is served");
  });

  test("whoever leaves without a word makes room at once; one that is only silent stays", async () => {
    await using at = await setUp({ HOLD_MAX: "2" });
    const silent = connect({ port: at.port, host: "127.0.0.1", allowHalfOpen: true });
    let heard = "";
    silent.on("data", (data) => (heard += data.toString()));
    silent.on("end", () => {});
    const left = visit(at.port, "");
    await eventually(() => left.end !== null, "it is let go");
    expect([left.end, silent.readyState]).toEqual(["ECONNRESET", "open"]);
    const next = visit(at.port);
    await eventually(() => next.socket.readyState !== "opening", "it is connected");
    await using _back = await at.agent();
    silent.end();
    await eventually(() => next.end !== null && heard !== "", "both are served");
    expect([next.heard, heard]).toEqual([sha1("hello"), sha1("")]);
  });
});
