// Contract: WebSockets pass as they are: messages, pings, close codes, subprotocols, compression, sizes, numbers, half-close.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DATA, FIN, HEAD, OPEN } from "../../src/protocol/frames.ts";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { frame, headPayload, startHostileAgent } from "../helpers/hostile-agent.ts";
import { patternBytes } from "../helpers/pattern.ts";
import { describeContract, requestBytes, upgradeLines } from "../helpers/services.ts";
import { openWebSocket, startWebSocketService, type WebSocketService } from "../helpers/services-websocket.ts";
import { valuesOf } from "../helpers/strict-http.ts";

const mib = 1024 * 1024;
const sockets = 1_000;
const host = "ws.localhost";

describeContract("websockets", {}, (parties) => {
  let service: WebSocketService;
  let agent: TestAgent;
  beforeAll(async () => {
    service = await startWebSocketService();
    agent = await startTestAgent({ server: parties().server, subdomain: "ws", localPort: service.port });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    service[Symbol.dispose]();
  });
  const at = (target: string) => ({ port: parties().server.port, host, target });

  test("text and binary messages of all lengths, both ways", async () => {
    using visitor = await openWebSocket(at("/echo"), { perMessageDeflate: false });
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
      visitor.ws.send("ü".repeat(bytes / 2));
      expect(await visitor.message()).toEqual({ data: Buffer.from("ü".repeat(bytes / 2)), isBinary: false });
      visitor.ws.send(patternBytes(0, bytes));
      const back = await visitor.message();
      expect([back.isBinary, back.data.equals(patternBytes(0, bytes))]).toEqual([true, true]);
    }
  });

  test("1,000 messages in a burst stay whole and in order", async () => {
    using visitor = await openWebSocket(at("/echo"));
    for (let i = 0; i < 1_000; i++) visitor.ws.send(`message ${i}`);
    for (let i = 0; i < 1_000; i++) expect((await visitor.message()).data.toString()).toBe(`message ${i}`);
  });

  test("a message of 64 MiB", async () => {
    using visitor = await openWebSocket(at("/echo"), { perMessageDeflate: false });
    const large = patternBytes(0, 64 * mib);
    visitor.ws.send(large);
    const { data } = await visitor.message();
    expect([data.length, data.equals(large)]).toEqual([large.length, true]);
  });

  test("the service may speak first, in the packet of its 101", async () => {
    using visitor = await openWebSocket(at("/hello"));
    expect((await visitor.message()).data.toString()).toBe("hello");
  });

  test("pings and pongs", async () => {
    using visitor = await openWebSocket(at("/echo"));
    const pong = new Promise<Buffer>((resolve) => visitor.ws.once("pong", resolve));
    visitor.ws.ping("are you there");
    expect((await pong).toString()).toBe("are you there");
  });

  test("close codes and reasons, from either side", async () => {
    for (const [code, reason] of [
      [1000, ""],
      [1001, "away"],
      [3000, "a"],
      [4321, "bye now"],
    ] as const) {
      using visitor = await openWebSocket(at(`/by-visitor-${code}`));
      visitor.ws.close(code, reason);
      expect(await visitor.closed).toEqual({ code, reason });
      const wanted = { target: `/by-visitor-${code}`, code, reason };
      await eventually(() => service.closes.some((seen) => Bun.deepEquals(seen, wanted)), `the service saw ${code}`);
      using other = await openWebSocket(at(`/close/${code}/${reason.split(" ")[0]}`));
      expect(await other.closed).toEqual({ code, reason: reason.split(" ")[0]! });
    }
  });

  test("a connection that breaks without a close frame is 1006 for the other side", async () => {
    using visitor = await openWebSocket(at("/cut"));
    expect((await visitor.closed).code).toBe(1006);
    const left = await openWebSocket(at("/left"));
    left.ws.terminate();
    await eventually(
      () => service.closes.some(({ target, code }) => target === "/left" && code === 1006),
      "the service saw it",
    );
  });

  test("subprotocols and compression are theirs to agree on", async () => {
    using visitor = await openWebSocket(at("/echo"), { protocols: ["chat.v2", "chat.v1"], perMessageDeflate: true });
    expect([visitor.ws.protocol, visitor.ws.extensions]).toEqual(["chat.v2", "permessage-deflate"]);
    visitor.ws.send("compressed ".repeat(10_000));
    expect((await visitor.message()).data.toString()).toBe("compressed ".repeat(10_000));
    using plain = await openWebSocket(at("/echo"), { perMessageDeflate: false });
    expect([plain.ws.protocol, plain.ws.extensions]).toEqual(["", ""]);
  });

  test("a refused upgrade is an ordinary answer, and its connection goes on where it may", async () => {
    await expect(openWebSocket(at("/refuse"))).rejects.toThrow("401");
    const { open, host: demo } = parties();
    using client = await open();
    // The scripted service doesn't know upgrades under this path.
    await client.send(requestBytes(demo, "/ok", { lines: upgradeLines }));
    expect((await client.response()).body.toString()).toBe("ok\n");
    await client.send(requestBytes(demo, "/head/x"));
    expect((await client.response()).status).toBe(200);
  });

  test(`${sockets} sockets at once`, async () => {
    const visitors = await Promise.all(
      Array.from({ length: sockets }, (_, i) => openWebSocket(at(`/many/${i}`), { perMessageDeflate: false })),
    );
    expect(service.open).toBeGreaterThanOrEqual(sockets);
    for (let round = 0; round < 3; round++) {
      for (const [i, { ws }] of visitors.entries()) ws.send(`${i} ${round}`);
      const answers = await Promise.all(visitors.map(async (visitor) => (await visitor.message()).data.toString()));
      expect(answers).toEqual(visitors.map((_, i) => `${i} ${round}`));
    }
    for (const { ws } of visitors) ws.close();
    await Promise.all(visitors.map(({ closed }) => closed));
    await eventually(() => service.open === 0, "all are closed at the service");
  });

  test("the head of the upgrade arrives with what WebSockets need, and nothing that isn't the visitor's", async () => {
    const { open, host: demo, service: raw } = parties();
    using client = await open();
    const lines = [...upgradeLines, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: x-odd; a=1"];
    await client.send(requestBytes(demo, "/raw/head", { lines }));
    const response = await client.response();
    expect([response.status, valuesOf(response.fields, "sec-websocket-protocol")]).toEqual([101, ["chat"]]);
    expect(valuesOf(response.fields, "connection")).toEqual(["Upgrade"]);
    expect(valuesOf(response.fields, "upgrade")).toEqual(["websocket"]);
    const { fields } = await raw.next("/raw/head");
    for (const line of [...lines.slice(2), "Upgrade: websocket", "Connection: Upgrade"]) {
      const [name, value] = line.split(": ") as [string, string];
      expect(valuesOf(fields, name)).toEqual([value]);
    }
  });

  test("after a 101 any bytes pass, and half-close passes in both directions", async () => {
    const { open, host: demo } = parties();
    using client = await open();
    // Bytes behind the upgrade's head, in the same packet, are the visitor's first.
    await client.send(`${requestBytes(demo, "/raw/half", { lines: upgradeLines })}\0\xff\r\nGET / HTTP/1.1\r\n\r\n`);
    expect((await client.response()).status).toBe(101);
    expect((await client.rawBytes(22)).toString("latin1")).toBe("\0\xff\r\nGET / HTTP/1.1\r\n\r\n");
    const large = patternBytes(0, 3 * mib);
    void client.send(large).then(() => client.finishSending());
    expect((await client.rawBytes(large.length)).equals(large)).toBe(true);
    expect(await client.ended).toBe("clean");
  });

  test("a 101 with which the agent ends its direction is a half-close", async () => {
    const { server, open } = parties();
    using agent = await startHostileAgent(server, "brief");
    using client = await open();
    await client.send(requestBytes("brief.localhost", "/", { lines: upgradeLines }));
    const { stream } = await agent.next(OPEN);
    const switched = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    agent.send(frame(HEAD, stream, headPayload(switched), { flags: FIN }));
    await client.ended;
    await client.send("still here");
    expect((await agent.next(DATA)).payload.toString()).toBe("still here");
  });

  test("a service that half-closes first still gets everything that the visitor sends", async () => {
    const { server, open } = parties();
    const got = { bytes: 0, isClosed: false };
    // The agent's checks of the service are connections, too.
    using speaker = Bun.listen<{ hasSpoken: boolean }>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => void (socket.data = { hasSpoken: false }),
        data(socket, bytes) {
          if (socket.data.hasSpoken) {
            got.bytes += bytes.length;
            // A slow reader, so that the end comes while much is on its way.
            socket.pause();
            setTimeout(() => socket.resume(), 3);
            return;
          }
          socket.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nall I say");
          socket.shutdown();
          socket.data.hasSpoken = true;
        },
        close: (socket) => void (got.isClosed ||= socket.data.hasSpoken),
        error: (socket) => void socket.terminate(),
      },
    });
    await using _agent = await startTestAgent({ server, subdomain: "speaker", localPort: speaker.port });
    using client = await open();
    await client.send(requestBytes("speaker.localhost", "/", { lines: upgradeLines }));
    expect((await client.response()).status).toBe(101);
    expect((await client.rawBytes(9)).toString()).toBe("all I say");
    expect(await client.ended).toBe("clean");
    client.socket.write(patternBytes(0, 12 * mib), () => client.finishSending());
    await eventually(() => got.isClosed, "the service's connection ends");
    expect(got.bytes).toBe(12 * mib);
  });

  describe("security", () => {
    test.each([
      ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
      ["several", ["Connection: Upgrade", "Upgrade: websocket, h2c"]],
      ["no key", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]],
      ["another version", [...upgradeLines.slice(0, 3), "Sec-WebSocket-Version: 12"]],
      ["no Connection", upgradeLines.slice(1)],
    ])("an upgrade to %s is not forwarded as one", async (_, lines) => {
      const { ask } = parties();
      const head = (await ask("/head/x", { lines })).body.toString().toLowerCase();
      expect(head).not.toContain("\r\nupgrade:");
      expect(head).not.toContain("\r\nconnection:");
    });

    test("a POST with a body can't become a raw connection", async () => {
      const { ask } = parties();
      const lines = [...upgradeLines, "Content-Length: 5"];
      expect((await ask("/raw/post", { method: "POST", lines, body: "hello" })).status).toBe(426);
    });
  });
});
