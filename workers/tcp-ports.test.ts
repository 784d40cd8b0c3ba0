// The ports of TCP tunnels: open as long as their lease, and whom they let in.

import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { eventually } from "../test/helpers/eventually.ts";
import { freePorts } from "../test/helpers/free-ports.ts";
import type { NameEntry } from "../src/link/messages.ts";
import { tcpName } from "../src/link/shard-of.ts";
import { TcpPorts, type TcpPortsHost } from "./tcp-ports.ts";
import type { Tunnel } from "./tunnel.ts";

const ends: (() => unknown)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

const entryOf = (port: number, heldUntilMs = 0): NameEntry => ({
  ...{ name: tcpName(port), appId: null, orgId: null, policy: { kind: "deny" }, heldUntilMs },
});

function portsOf(host: Partial<TcpPortsHost>): TcpPorts {
  const nobodys = { tcpHost: "127.0.0.1", domain: "localhost", accessLog: null, tunnel: () => undefined };
  const ports = new TcpPorts({ ...nobodys, entry: () => undefined, admit: () => null, ...host });
  ends.push(() => ports.close());
  return ports;
}

function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1", () => resolve(true));
  socket.on("error", () => resolve(false)).on("close", () => socket.destroy());
  return promise;
}

test("a port that was given up is closed, and opens for whoever leases it next", async () => {
  const [port = 0] = await freePorts(1);
  const name = tcpName(port);
  let isLeased = true;
  const ports = portsOf({ entry: () => (isLeased ? entryOf(port) : undefined) });
  for (let lease = 0; lease < 2; lease++) {
    isLeased = true;
    // Its agent may register again.
    expect([ports.open(name), ports.open(name)]).toEqual([null, null]);
    expect(await isOpen(port)).toBe(true);
    isLeased = false;
    ports.follow([], [name]);
    expect(await isOpen(port)).toBe(false);
    // Whoever asked for it may have given it up before this is heard.
    expect(ports.open(name)).toBeNull();
    expect(await isOpen(port)).toBe(false);
  }
});

test("after a restart the ports whose leases last are open, until the server leaves; then none is opened", async () => {
  const [held = 0, over = 0] = await freePorts(2);
  const entries = [entryOf(held, Date.now() + 60_000), entryOf(over, Date.now() - 1)];
  const ports = portsOf({ entry: (name) => entries.find((entry) => entry.name === name) });
  ports.follow(entries, []);
  expect([await isOpen(held), await isOpen(over)]).toEqual([true, false]);
  ports.close();
  ports.follow(entries, []);
  expect(ports.open(tcpName(held))).toBeNull();
  expect(await isOpen(held)).toBe(false);
});

test("why a port can't be had is told in a sentence", async () => {
  const [port = 0] = await freePorts(1);
  const entry = () => entryOf(port);
  using _ = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  expect(portsOf({ entry }).open(tcpName(port))).toBe(
    `Port ${port} can't be opened on the server: it is in use there by another program.`,
  );
  expect(portsOf({ entry, tcpHost: "192.0.2.1" }).open(tcpName(port))).toBe(
    `Port ${port} can't be opened on the server: TCP_HOST is no address of that machine.`,
  );
});

describe("security", () => {
  const tunnelOf = (isFull: boolean, opened: () => void): Tunnel =>
    ({ isFull, connectionOpened: opened, connectionClosed() {} }) as unknown as Tunnel;

  test.each<[string, { isLeased?: boolean; isThere?: boolean; isFull?: boolean; isAdmitted?: boolean }]>([
    ["whose lease is over", { isLeased: false }],
    ["that has no tunnel", { isThere: false }],
    ["whose tunnel is full", { isFull: true }],
    ["that admits nobody else from there", { isAdmitted: false }],
    ["that has a place", {}],
  ])("a port %s", async (_, { isLeased = true, isThere = true, isFull = false, isAdmitted = true }) => {
    const [port = 0] = await freePorts(1);
    let [opened, admitted] = [0, 0];
    const lines: object[] = [];
    let isRegistered = true;
    const ports = portsOf({
      entry: () => (isRegistered ? entryOf(port) : undefined),
      tunnel: () => (isThere ? tunnelOf(isFull, () => opened++) : undefined),
      admit: () => (isAdmitted ? (admitted++, () => admitted--) : null),
      accessLog: { tcp: (line: object) => lines.push(line) } as unknown as TcpPortsHost["accessLog"],
    });
    ports.open(tcpName(port));
    isRegistered = isLeased;
    const visitor = connect(port, "127.0.0.1").on("error", () => {});
    ends.push(() => visitor.destroy());
    const isLetIn = isLeased && isThere && !isFull && isAdmitted;
    await eventually(() => (isLetIn ? opened === 1 : visitor.destroyed), "it is let in or turned away");
    expect([opened, admitted, lines.length]).toEqual(isLetIn ? [1, 1, 0] : [0, 0, 0]);
    if (!isLetIn) return;
    visitor.resetAndDestroy();
    await eventually(() => admitted === 0, "its place is free");
    expect(lines).toMatchObject([{ address: "127.0.0.1", host: `localhost:${port}`, bytesIn: 0, bytesOut: 0 }]);
  });
});
