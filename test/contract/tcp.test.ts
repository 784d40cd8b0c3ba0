// Contract: TCP tunnels are pipes: bytes both ways, half-close in either order, resets, a service that isn't there.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { patternBytes, patternSha1 } from "../helpers/pattern.ts";
import { describeContract } from "../helpers/services.ts";

const mib = 1024 * 1024;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** What one side of a connection has heard. */
class Heard {
  bytes = 0;
  end: "open" | "half-closed" | "closed" | "reset" = "open";
  private readonly hash = createHash("sha1");

  constructor(readonly socket: Socket) {
    socket.on("data", (bytes: Buffer) => {
      this.bytes += bytes.length;
      this.hash.update(bytes);
    });
    socket.on("end", () => (this.end = "half-closed"));
    socket.on("error", () => (this.end = "reset"));
    socket.on("close", () => (this.end = this.end === "reset" ? "reset" : "closed"));
  }

  get sha1(): string {
    return this.hash.copy().digest("hex");
  }
}

const port = await freePort();

describeContract("tcp tunnels", { TCP_PORTS: String(port) }, (parties) => {
  let agent: TestAgent;
  let service: Server;
  let served: Heard[] = [];
  beforeAll(async () => {
    served = [];
    service = createServer({ allowHalfOpen: true }, (socket) => served.push(new Heard(socket)));
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
    const localPort = (service.address() as AddressInfo).port;
    const { server } = parties();
    agent = await startTestAgent({ server, subdomain: "tcp", localPort, spec: { protocol: "tcp", subdomain: null } });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    service.close();
  });

  /** A visitor and the connection of the service that belongs to it. */
  async function open(): Promise<{ visitor: Heard; local: Heard }> {
    // The agent's checks are connections, too: they say nothing and close.
    const before = new Set(served);
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const visitor = new Heard(socket);
    socket.write("!");
    await eventually(() => served.some((one) => !before.has(one) && one.bytes === 1), "the service got the connection");
    return { visitor, local: served.find((one) => !before.has(one) && one.bytes === 1)! };
  }

  test("the agent says which port it got", () => {
    expect(agent.of("tunnel.ready")[0]!.port).toBe(port);
  });

  test("8 MiB each way at once, ended by the visitor first, then by the service", async () => {
    const { visitor, local } = await open();
    visitor.socket.end(patternBytes(1, 8 * mib));
    local.socket.write(patternBytes(0, 8 * mib));
    await eventually(() => local.end === "half-closed" && visitor.bytes === 8 * mib, "all of both arrived");
    expect([local.bytes, visitor.sha1, visitor.end]).toEqual([8 * mib, patternSha1(8 * mib), "open"]);
    local.socket.end("bye");
    await eventually(() => visitor.end === "closed" && local.end === "closed", "both are closed");
    expect(visitor.bytes).toBe(8 * mib + 3);
  });

  test("ended by the service first, which reads on slowly", async () => {
    const { visitor, local } = await open();
    local.socket.end("all I say");
    await eventually(() => visitor.end === "half-closed", "the visitor sees it");
    local.socket.on("data", () => {
      local.socket.pause();
      setTimeout(() => local.socket.resume(), 3);
    });
    visitor.socket.end(patternBytes(0, 8 * mib));
    await eventually(() => local.end === "closed", "the service's connection ends");
    expect([local.bytes, visitor.bytes]).toEqual([8 * mib + 1, 9]);
  });

  test("a visitor who goes on sending to a service that has closed is reset", async () => {
    const { visitor, local } = await open();
    local.socket.end("that is enough", () => local.socket.destroy());
    visitor.socket.write(patternBytes(0, 64 * mib));
    await eventually(() => visitor.end === "reset", "the visitor sees it");
  });

  test("a reset on either side is one on the other", async () => {
    const first = await open();
    first.visitor.socket.resetAndDestroy();
    await eventually(() => first.local.end !== "open", "the service sees the visitor's");
    const second = await open();
    second.local.socket.resetAndDestroy();
    await eventually(() => second.visitor.end !== "open", "the visitor sees the service's");
    expect(second.visitor.end).toBe("reset");
  });

  test("100 connections at once", async () => {
    const visitors = Array.from({ length: 100 }, (_, i) => {
      const visitor = new Heard(connect({ port, host: "127.0.0.1" }));
      visitor.socket.write(`visitor ${i}`);
      return visitor;
    });
    await eventually(
      () => served.filter((one) => one.bytes >= 9 && one.end === "open").length >= 100,
      "all are served",
    );
    for (const { socket } of visitors) socket.destroy();
    await eventually(() => served.every((one) => one.end !== "open"), "all are closed");
    for (const { socket } of served) socket.destroy();
  });
});
