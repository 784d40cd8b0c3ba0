// What a server that leaves does with connections that have no end of their own, and with visitors that read slowly.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { requestBytes } from "../helpers/services.ts";
import { openWebSocket, startWebSocketService, type WebSocketService } from "../helpers/services-websocket.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(30_000);

let sockets: WebSocketService;
let bodies: LocalService;
beforeAll(async () => {
  sockets = await startWebSocketService();
  bodies = startLocalService();
});
afterAll(() => {
  sockets[Symbol.dispose]();
  bodies[Symbol.dispose]();
});

/** Nobody waits for the end of that time: a server that leaves within a test has not waited for it. */
const forever = { DRAIN_TIMEOUT_MS: "1h" };

/** Sends SIGTERM; how long the server took to leave with 0. */
async function leave(server: ServerProcess): Promise<number> {
  const started = performance.now();
  server.signal("SIGTERM");
  expect(await server.exited).toBe(0);
  return performance.now() - started;
}

describe("WebSockets", () => {
  test.concurrent(
    "idle ones are told that the server goes away, their services too, and nobody waits for them",
    async () => {
      await using server = await startServerProcess({ shards: 2, env: forever });
      await using _agent = await openTunnel({ ...server, port: sockets.port, name: "ws" });
      const visitors = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          openWebSocket({ port: server.port, host: "ws.localhost", target: `/idle${i}` }),
        ),
      );
      for (const visitor of visitors) {
        visitor.ws.send("hello");
        await visitor.message();
      }
      // Long enough to count as idle.
      await Bun.sleep(2_500);
      await leave(server);
      for (const visitor of visitors) expect(await visitor.closed).toMatchObject({ code: 1001 });
      await eventually(
        () =>
          visitors.every((_, i) => sockets.closes.some(({ target, code }) => target === `/idle${i}` && code === 1001)),
        "every service has seen the visitor say good-bye",
      );
    },
  );

  test.concurrent("one that talks goes on, and is told when it has been silent for two seconds", async () => {
    await using server = await startServerProcess({ shards: 2, env: forever });
    await using _agent = await openTunnel({ ...server, port: sockets.port, name: "ws" });
    const visitor = await openWebSocket({ port: server.port, host: "ws.localhost", target: "/busy" });
    const started = performance.now();
    const left = leave(server);
    for (let i = 0; i < 20; i++) {
      visitor.ws.send(`message ${i}`);
      expect((await visitor.message()).data.toString()).toBe(`message ${i}`);
      await Bun.sleep(100);
    }
    expect(await visitor.closed).toMatchObject({ code: 1001 });
    expect(performance.now() - started).toBeGreaterThan(3_500);
    await left;
  });

  test.concurrent(
    "a message that came in part is not completed by our good-bye: that connection breaks at the deadline",
    async () => {
      await using server = await startServerProcess({ shards: 1, env: { DRAIN_TIMEOUT_MS: "4000" } });
      await using _agent = await openTunnel({ ...server, port: bodies.port, name: "ws" });
      using client = await RawClient.open(server);
      await client.send(
        requestBytes("ws.localhost", "/raw", {
          lines: [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          ],
        }),
      );
      await client.response();
      // The service echoes: to the visitor this is the beginning of a text message of 20 bytes.
      const begun = Buffer.from([0x81, 20, ...Buffer.from("half a mes")]);
      await client.send(begun);
      expect(await client.rawBytes(begun.length)).toEqual(begun);
      await Bun.sleep(2_500);
      expect(await leave(server)).toBeGreaterThan(3_500);
      expect(await client.rawBytes(1)).toHaveLength(0);
    },
  );

  test.concurrent("a visitor and a service that do not react are cut off after two seconds more", async () => {
    await using server = await startServerProcess({ shards: 1, env: forever });
    await using _agent = await openTunnel({ ...server, port: bodies.port, name: "ws" });
    using client = await RawClient.open(server);
    await client.send(
      requestBytes("ws.localhost", "/raw", {
        lines: [
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
      }),
    );
    await client.response();
    await Bun.sleep(2_500);
    await leave(server);
    const goodBye = await client.rawBytes(4);
    expect([goodBye[0], goodBye.readUInt16BE(2)]).toEqual([0x88, 1001]);
  });
});

describe("TCP tunnels", () => {
  test.concurrent(
    "a connection that was silent for longer than the server may take to leave is closed; a fresh one gets that time",
    async () => {
      const [tcpPort] = await freePorts(1);
      const env = { TCP_PORTS: String(tcpPort), DRAIN_TIMEOUT_MS: "3000" };
      await using server = await startServerProcess({ shards: 1, env });
      using echo = Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        socket: { data: (socket, bytes) => void socket.write(bytes) },
      });
      await using _agent = await openTunnel({ ...server, port: echo.port, protocol: "tcp" });
      const [old, fresh] = [await talk(tcpPort!), await talk(tcpPort!)];
      // A word every now and then until the other one has been silent for long enough, and has been ended.
      let words = 0;
      const say = async (): Promise<void> => {
        fresh.socket.write("!");
        words++;
        await eventually(() => fresh.received() === `hello${"!".repeat(words)}`, "the fresh one is answered");
      };
      // The server looks once a second how long it has been.
      for (const since = performance.now(); performance.now() - since < 4_500; await Bun.sleep(100)) await say();
      const left = leave(server);
      expect(await old.ended).toBe("end");
      await say();
      expect(await left).toBeGreaterThan(2_500);
    },
  );
});

describe.each([{}, { HANDOVER: "pipe" }])("slow visitors %p", (env) => {
  // Not beside the others: what they wait for is short, and this takes the machine.
  test("answers that have left their service reach their visitors whole", async () => {
    await using server = await startServerProcess({ shards: 1, env: { ...forever, ...env } });
    await using agent = await openTunnel({ ...server, port: bodies.port, name: "slow" });
    const asked = bodies.requests.length;
    // Of these sizes the kernel takes some whole, some are still in the tunnel, and some wait in the server, their streams over.
    const sizes = Array.from({ length: 40 }, (_, i) => (i + 1) * 128 * 1024);
    const answers: Promise<{ sha1: string }>[] = [];
    const clients: RawClient[] = [];
    for (const bytes of sizes) {
      const client = await RawClient.open(server);
      clients.push(client);
      client.pause();
      await client.send(requestBytes("slow.localhost", `/size/${bytes}`));
      answers.push(client.response({ discard: true, timeoutMs: 25_000 }));
    }
    const all = Promise.all(answers);
    all.catch(() => {});
    await eventually(() => bodies.requests.length >= asked + sizes.length, "all are asked for");
    // What can move without them has moved by then; nobody tells.
    await Bun.sleep(500);
    const left = leave(server);
    await agent.until("tunnel.lost");
    // The largest first: soon the shard has nothing left, and where it is piped main still holds the end of others.
    for (const [i, client] of clients.entries().toArray().toReversed()) {
      client.resume();
      await answers[i];
      if (sizes[i]! > 4 * 1024 * 1024) await Bun.sleep(100);
    }
    expect((await all).map(({ sha1 }) => sha1)).toEqual(sizes.map((bytes) => patternSha1(bytes)));
    await left;
  });
});

async function talk(port: number): Promise<{ socket: Socket; ended: Promise<string>; received(): string }> {
  const socket = connect({ port, host: "127.0.0.1" });
  let text = "";
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  socket.on("data", (bytes) => void (text += bytes.toString()));
  socket.once("end", () => resolve("end"));
  socket.once("error", ({ message }) => resolve(message));
  socket.write("hello");
  let over = "";
  void ended.then((how) => (over = how));
  await eventually(() => text === "hello" || over !== "", "the tunnel echoes");
  expect([text, over]).toEqual(["hello", ""]);
  return { socket, ended, received: () => text };
}
