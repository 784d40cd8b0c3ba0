// A TCP connection that is cut by the death of a shard or of the server looks broken to its visitor, never like one that ended.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { shardOf, tcpName } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

/** A service whose answer never ends. */
const startHalfAnswerer = () =>
  Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: { open: (socket) => void socket.write("half of it"), data() {}, end() {} },
  });

/** In the middle of the answer; `how` it ended is null until it did. */
function visit(port: number, halfCloses: boolean) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const visitor = { heard: "", how: null as string | null };
  socket.on("data", (data) => (visitor.heard += data.toString()));
  socket.on("end", () => (visitor.how ??= "a clean end"));
  socket.on("error", (error: NodeJS.ErrnoException) => (visitor.how ??= error.code ?? error.message));
  if (halfCloses) socket.end("all of the question");
  return visitor;
}

test.each(["exit", "terminate", "hang", "SIGKILL"] as const)("by %s", async (kind) => {
  const [port = 0] = await freePorts(1);
  await using server = await startServerProcess({ shards: 2, faults: true, env: { TCP_PORTS: String(port) } });
  using service = startHalfAnswerer();
  await using _agent = await openTunnel({ ...server, port: service.port, protocol: "tcp", remotePort: port });
  const visitors = [visit(port, false), visit(port, true)];
  await eventually(() => visitors.every(({ heard }) => heard === "half of it"), "both have half of their answer");
  if (kind === "SIGKILL") server.signal(kind);
  else await server.fault(kind, shardOf(tcpName(port), server.shards));
  await eventually(() => visitors.every(({ how }) => how !== null), "both are told");
  expect(visitors.map(({ how }) => how)).toEqual(["ECONNRESET", "ECONNRESET"]);
});
