// A shard's own port: how long an agent's ticket is waited for, and who else is served there.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { eventually } from "../test/helpers/eventually.ts";
import { fakeVisitor, ingressLimits, requestText } from "../test/helpers/fake-visitor.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { createCidrList } from "../src/lib/cidr.ts";
import { freePorts } from "../test/helpers/free-ports.ts";
import type { Connections } from "../src/ingress/connections.ts";
import { AgentPort, type AgentPortOptions, listenForAgents } from "./agent-port.ts";

test("each upgrade on a connection that a proxy keeps waits for its own ticket", async () => {
  let looked = 0;
  const door = {
    open: () => (looked++, false),
    refuse: (connection: VisitorConnection) => (connection.answer("bad_ticket"), true),
  };
  const options = { shard: 0, settings: ingressLimits, trusted: createCidrList([]), door };
  const port = new AgentPort(options as unknown as AgentPortOptions);
  const proxy = fakeVisitor((connection, head) => port.route(connection, head));
  for (const most of [5, 10]) {
    proxy.send(requestText("GET /_tunnel/s/0?ticket=late", "Host: tunnel.test"));
    await eventually(() => proxy.take().startsWith("HTTP/1.1 403 "), "the ticket is given up");
    expect(looked).toBe(most);
  }
});

test("what leaves such a port is counted there no more", () => {
  const port = new AgentPort({ settings: ingressLimits } as unknown as AgentPortOptions);
  const released: unknown[] = [];
  port.connections = { released: (one: unknown) => released.push(one) } as unknown as Connections;
  const { connection } = fakeVisitor(() => {});
  port.released(connection);
  expect(released).toEqual([connection]);
});

test("why such a port can't be had is told in a sentence", async () => {
  const [port = 0] = await freePorts(1);
  using _ = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  const listen = (hostname: string) => () => listenForAgents(hostname, port, {} as Connections, () => false);
  expect(listen("127.0.0.1")).toThrow(`port ${port} of SHARD_PORTS on 127.0.0.1 is taken by another program`);
  expect(listen("192.0.2.1")).toThrow(`port ${port} of SHARD_PORTS on 192.0.2.1 can't be had (EADDRNOTAVAIL)`);
});

describe("security", () => {
  test.each([
    ["/", "404 by the port", []],
    ["/_tunnel/register", "404 by the port", []],
    ["/_tunnel/s/1?ticket=a", "a refusal at the door", ["refuse not_found"]],
    ["/_tunnel/s/0?ticket=a", "a session", ["open"]],
  ])("%s gets %s", (target, what, asked) => {
    const heard: string[] = [];
    const door = {
      open: () => heard.push("open"),
      refuse: (_connection: VisitorConnection, _address: string, code: string) => heard.push(`refuse ${code}`),
    };
    const options = { shard: 0, settings: ingressLimits, trusted: createCidrList([]), door };
    const port = new AgentPort(options as unknown as AgentPortOptions);
    const visitor = fakeVisitor((connection, head) => port.route(connection, head));
    visitor.send(requestText(`GET ${target}`, "Host: tunnel.test"));
    expect([visitor.take().slice(9, 12), heard]).toEqual([what.startsWith("404") ? "404" : "", asked]);
  });

  test("an address that has all of its connections gets no other", async () => {
    const [port = 0] = await freePorts(1);
    const addresses: string[] = [];
    const accept = (socket: { data: unknown; end(): void }, meta: { address: string }): void => {
      addresses.push(meta.address);
      socket.data = { closed() {}, ended() {} };
      socket.end();
    };
    let isFull = true;
    using _ = listenForAgents("127.0.0.1", port, { accept } as unknown as Connections, (address) => {
      expect(address).toBe("127.0.0.1");
      return isFull;
    });
    for (isFull of [true, false]) {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      connect(port, "127.0.0.1")
        .on("error", () => {})
        .on("close", () => resolve());
      await closed;
      expect(addresses).toEqual(isFull ? [] : ["127.0.0.1"]);
    }
  });
});
