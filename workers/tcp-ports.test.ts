// The ports of TCP tunnels: closed with their lease, and open again with the next.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { freePorts } from "../test/helpers/free-ports.ts";
import type { NameEntry } from "../src/link/messages.ts";
import { tcpName } from "../src/link/shard-of.ts";
import { TcpPorts } from "./tcp-ports.ts";

test("a port that was given up is closed, and opens for whoever leases it next", async () => {
  const [port = 0] = await freePorts(1);
  const name = tcpName(port);
  const isOpen = (): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false)).on("close", () => socket.destroy());
    return promise;
  };
  const entry: NameEntry = { name, appId: null, orgId: null, policy: { kind: "deny" }, heldUntilMs: 0 };
  let isLeased = true;
  const host = { entry: () => (isLeased ? entry : undefined), tunnel: () => undefined, admit: () => null };
  const ports = new TcpPorts({ tcpHost: "127.0.0.1", domain: "localhost", accessLog: null, ...host });
  for (let lease = 0; lease < 2; lease++) {
    isLeased = true;
    expect(ports.open(name)).toBeNull();
    expect(await isOpen()).toBe(true);
    isLeased = false;
    ports.follow([], [name]);
    expect(await isOpen()).toBe(false);
    // Whoever asked for it may have given it up before this is heard.
    expect(ports.open(name)).toBeNull();
    expect(await isOpen()).toBe(false);
  }
});
