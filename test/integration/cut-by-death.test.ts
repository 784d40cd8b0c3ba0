// What ends by the end of its connection (TCP tunnels, answers to HTTP/1.0) and is cut by the death of a shard or of the server looks broken
// to its visitor, never complete.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { shardOf, tcpName } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { testTls } from "../helpers/test-tls.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-cut-"));
const files = { TLS_CERT: join(folder, "cert.pem"), TLS_KEY: join(folder, "key.pem") };
writeFileSync(files.TLS_CERT, testTls.cert);
writeFileSync(files.TLS_KEY, testTls.key);
// The agents check the server's certificate; this one is nobody's but the test's.
beforeAll(() => void (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"));
afterAll(() => {
  delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  rmSync(folder, { recursive: true });
});

/** As much as kernels take, at both ends, for a visitor that doesn't read. */
const bodyBytes = 600_000;

/** A service whose answer, which begins with `head`, never ends; but `GET /first` is answered. */
const startHalfAnswerer = (head = "") =>
  Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      data: (socket, bytes) => {
        const isFirst = bytes.toString().startsWith("GET /first");
        socket.write(isFirst ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" : `${head}half of it`);
      },
      end() {},
    },
  });

/** In the middle of the answer; `how` it ended is null until it did. */
function visit(port: number, question: string, halfCloses: boolean, isTls = false) {
  const to = { port, host: "127.0.0.1", allowHalfOpen: true };
  const socket = isTls ? connectTls({ ...to, ca: testTls.cert }) : connect(to);
  const visitor = { heard: "", how: null as string | null };
  socket.on("data", (data) => (visitor.heard += data.toString()));
  socket.on("end", () => (visitor.how ??= "a clean end"));
  socket.on("error", (error: NodeJS.ErrnoException) => (visitor.how ??= error.code ?? error.message));
  socket.write(question);
  if (halfCloses) socket.end();
  return visitor;
}

const ways: [string, Record<string, string>][] = [
  ["handed over", {}],
  ["piped", { HANDOVER: "pipe" }],
  ["over TLS of our own", files],
];

/** A server with an agent of `old.localhost`. */
async function startPair(env: Record<string, string>, servicePort: number) {
  const server = await startServerProcess({ shards: 2, faults: true, env });
  const isTls = env === files;
  const origin = isTls ? server.origin.replace("http:", "https:") : server.origin;
  const agent = await openTunnel({ ...server, origin, port: servicePort, name: "old" });
  return {
    ...{ server, isTls, question: `GET / HTTP/1.0\r\nHost: old.localhost:${server.port}\r\n\r\n` },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
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

  test.each(ways)("an answer to HTTP/1.0, %s", async (_, env) => {
    using service = startHalfAnswerer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    await using pair = await startPair(env, service.port);
    const { server, isTls, question } = pair;
    const ask = (before = "") => visit(server.port, `${before}${question}`, false, isTls);
    const first = question.replace("GET /", "GET /first");
    const [newer, keptAlive] = ["HTTP/1.1\r\n", "HTTP/1.0\r\nConnection: keep-alive\r\n"];
    const inLaterRequests = [newer, keptAlive].map((line) => ask(first.replace("HTTP/1.0\r\n", line)));
    await expectBroken(server, "old", [ask(), ...inLaterRequests]);
  });
});

test.each(ways)(
  "a whole answer to HTTP/1.0 that its visitor reads after the death of the server, %s",
  async (_, env) => {
    using service = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: {
        data: (socket) => void socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${"x".repeat(bodyBytes)}`),
      },
    });
    await using pair = await startPair(env, service.port);
    const { server, isTls, question } = pair;
    const to = { port: server.port, host: "127.0.0.1" };
    const socket = isTls ? connectTls({ ...to, ca: testTls.cert }) : connect(to);
    const heard: Buffer[] = [];
    const ended = Promise.withResolvers<string>();
    socket.on("end", () => ended.resolve("a clean end"));
    socket.on("error", ({ message }) => ended.resolve(message));
    await new Promise((resolve) => socket.once(isTls ? "secureConnect" : "connect", resolve));
    socket.pause();
    socket.write(question);
    const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
    // FIN-WAIT-1 or -2: the FIN is behind the bytes, or at the visitor.
    const hasEnded = new RegExp(`:${hex(server.port)} \\w+:${hex(socket.localPort!)} 0[45] `);
    await eventually(() => hasEnded.test(readFileSync("/proc/net/tcp", "latin1")), "the kernel has all of it");
    server.signal("SIGKILL");
    await server.exited;
    socket.on("data", (data: Buffer) => heard.push(data));
    socket.resume();
    expect(await ended.promise).toBe("a clean end");
    expect(Buffer.concat(heard).toString().split("\r\n\r\n")[1]).toHaveLength(bodyBytes);
  },
);

interface Upload {
  heard: string;
  how: string | null;
}

/** A local service that takes uploads, and writes down how each ended; `answer` is its first and only word to each. */
function startUploadTaker(answer: string) {
  const uploads: Upload[] = [];
  const service = Bun.listen<Upload>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      open: (socket) => void uploads.push((socket.data = { heard: "", how: null })),
      data: (socket, bytes) => {
        if (socket.data.heard === "" && answer !== "") socket.write(answer);
        socket.data.heard += bytes.toString();
      },
      end: ({ data }) => void (data.how ??= "a clean end"),
      close: ({ data }, error) => void (data.how ??= error === undefined ? "a clean end" : "broken"),
    },
  });
  /** How the upload that ends with `text` ended; null: not yet; undefined: it has not come. */
  const ended = (text: string) => uploads.find(({ heard }) => heard.endsWith(text))?.how;
  return { port: service.port, ended, [Symbol.dispose]: () => service.stop(true) };
}

const upgrade = [
  ...["GET / HTTP/1.1", "Host: old.localhost", "Connection: Upgrade", "Upgrade: websocket"],
  ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""],
].join("\r\n");
const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

test.each([
  ["a TCP tunnel", { protocol: "tcp" }, "", ""],
  ["an upgraded connection", { protocol: "http", name: "old" }, upgrade, switched],
] as const)(
  "an upload through %s, by the death of the agent, at the local service",
  async (_, spec, question, answer) => {
    const [tcpPort = 0] = await freePorts(1);
    await using server = await startServerProcess({ env: { TCP_PORTS: String(tcpPort) } });
    using service = startUploadTaker(answer);
    const isTcp = spec.protocol === "tcp";
    const of = isTcp ? { ...spec, remotePort: tcpPort } : spec;
    await using agent = await openTunnelProcess({ ...server, port: service.port, ...of });
    const open = async () => {
      const socket = connect({ port: isTcp ? tcpPort : server.port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => {});
      if (question === "") return socket;
      let heard = "";
      socket.on("data", (data) => (heard += data.toString()));
      socket.write(question);
      await eventually(() => heard.endsWith("\r\n\r\n"), "it is upgraded");
      return socket;
    };
    const [whole, cut] = [await open(), await open()];
    whole.end("all of it");
    cut.write("half of it");
    const haveCome = () => service.ended("half of it") === null && service.ended("all of it") === "a clean end";
    await eventually(haveCome, "both have come");
    agent.signal("SIGKILL");
    await eventually(() => service.ended("half of it") !== null, "the service is told");
    expect(service.ended("half of it")).toBe("broken");
  },
);
