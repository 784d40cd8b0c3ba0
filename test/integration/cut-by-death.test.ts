// What ends by the end of its connection (TCP tunnels, answers to HTTP/1.0) and is cut by the death of a shard or of the server looks broken
// to its visitor, never complete.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { shardOf, tcpName } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";

/** A service whose answer, which begins with `head`, never ends. */
const startHalfAnswerer = (head = "") =>
  Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: { data: (socket) => void socket.write(`${head}half of it`), end() {} },
  });

/** In the middle of the answer; `how` it ended is null until it did. */
function visit(port: number, question: string, halfCloses: boolean) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const visitor = { heard: "", how: null as string | null };
  socket.on("data", (data) => (visitor.heard += data.toString()));
  socket.on("end", () => (visitor.how ??= "a clean end"));
  socket.on("error", (error: NodeJS.ErrnoException) => (visitor.how ??= error.code ?? error.message));
  socket.write(question);
  if (halfCloses) socket.end();
  return visitor;
}

describe.each(["exit", "terminate", "hang", "SIGKILL"] as const)("by %s", (kind) => {
  async function expectBroken(server: ServerProcess, name: string, visitors: ReturnType<typeof visit>[]) {
    const haveHalf = () => visitors.every(({ heard }) => heard.endsWith("half of it"));
    await eventually(haveHalf, "each has half of its answer");
    if (kind === "SIGKILL") server.signal(kind);
    else await server.fault(kind, shardOf(name, server.shards));
    await eventually(() => visitors.every(({ how }) => how !== null), "all are told");
    expect(new Set(visitors.map(({ how }) => how))).toEqual(new Set(["ECONNRESET"]));
  }

  test("a TCP tunnel", async () => {
    const [port = 0] = await freePorts(1);
    await using server = await startServerProcess({ shards: 2, faults: true, env: { TCP_PORTS: String(port) } });
    using service = startHalfAnswerer();
    await using _agent = await openTunnel({ ...server, port: service.port, protocol: "tcp", remotePort: port });
    await expectBroken(server, tcpName(port), [visit(port, "who?", false), visit(port, "who?", true)]);
  });

  test("an answer to HTTP/1.0", async () => {
    await using server = await startServerProcess({ shards: 2, faults: true });
    using service = startHalfAnswerer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    await using _agent = await openTunnel({ ...server, port: service.port, name: "old" });
    const question = `GET / HTTP/1.0\r\nHost: old.localhost:${server.port}\r\n\r\n`;
    await expectBroken(server, "old", [visit(server.port, question, false), visit(server.port, question, false)]);
  });
});

test("an upload through a TCP tunnel, by the death of the agent, at the local service", async () => {
  const [port = 0] = await freePorts(1);
  await using server = await startServerProcess({ env: { TCP_PORTS: String(port) } });
  const uploads: { heard: string; how: string | null }[] = [];
  using service = Bun.listen<(typeof uploads)[number]>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      open: (socket) => void uploads.push((socket.data = { heard: "", how: null })),
      data: ({ data }, bytes) => void (data.heard += bytes.toString()),
      end: ({ data }) => void (data.how ??= "a clean end"),
      close: ({ data }, error) => void (data.how ??= error === undefined ? "a clean end" : "broken"),
    },
  });
  await using agent = await openTunnelProcess({ ...server, port: service.port, protocol: "tcp", remotePort: port });
  const whole = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  whole.end("all of it");
  const cut = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  for (const socket of [whole, cut]) socket.on("error", () => {});
  cut.write("half of it");
  const one = (heard: string) => uploads.find((upload) => upload.heard === heard)?.how;
  await eventually(() => one("half of it") === null && one("all of it") === "a clean end", "both have come");
  agent.signal("SIGKILL");
  await eventually(() => one("half of it") !== null, "the service is told");
  expect(one("half of it")).toBe("broken");
});
