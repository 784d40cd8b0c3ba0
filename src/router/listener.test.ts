// The public port's limits: who is counted, and who is turned away before anything of it is read.

import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { eventually } from "../../test/helpers/eventually.ts";
import { freePorts } from "../../test/helpers/free-ports.ts";
import { watchDescriptors } from "../../test/helpers/process-facts.ts";
import { testTls } from "../../test/helpers/test-tls.ts";
import { ConnectionCounts, createCountsMemory } from "../handover/counts.ts";
import { createCidrList } from "../lib/cidr.ts";
import { nobody } from "../ingress/handlers.ts";
import type { SocketOwner } from "../ingress/visitor-socket.ts";
import { createLogger } from "../lib/log.ts";
import { listenPublic, type ListenerOptions } from "./listener.ts";
import { RefusedConnections } from "./refused-connections.ts";

const ends: (() => unknown)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

async function listening(limits: Partial<ListenerOptions> & { underWay?: number }) {
  const counts = new ConnectionCounts(createCountsMemory(0), 0);
  const [port = 0] = await freePorts(1);
  let accepted = 0;
  const said: string[] = [];
  const accept = (socket: { data: SocketOwner }): void => {
    socket.data = nobody;
    accepted++;
  };
  const listener = listenPublic({
    ...{ hostname: "127.0.0.1", port, fd: null, tls: null, pump: false, trusted: createCidrList([]), counts },
    ...{ maxConnections: 100, maxConnectionsPerAddress: 100, handshakeTimeoutMs: 60_000 },
    ledger: { inFlight: () => limits.underWay ?? 0 } as ListenerOptions["ledger"],
    connections: { accept } as unknown as ListenerOptions["connections"],
    refused: new RefusedConnections(createLogger({ level: "info", format: "json", write: (line) => said.push(line) })),
    ...limits,
  });
  ends.push(listener.stop);
  /** What becomes of a connection that says nothing. */
  const visit = (): { socket: Socket; heard: () => string; isClosed: () => boolean } => {
    const socket = connect(port, "127.0.0.1");
    ends.push(() => socket.destroy());
    let heard = "";
    let isClosed = false;
    socket.on("data", (data) => (heard += data.toString()));
    socket.on("error", () => {});
    socket.on("close", () => (isClosed = true));
    return { socket, heard: () => heard, isClosed: () => isClosed };
  };
  return { listener, counts, visit, said, accepted: () => accepted };
}

test("certificates that are taken up or refused leave no descriptor behind, nor a listener that still has the port", async () => {
  const { listener, visit } = await listening({ tls: testTls });
  // The first ones open what the process keeps.
  const take = (): void => {
    listener.reloadTls(testTls);
    expect(() => listener.reloadTls({ cert: "none", key: "none" })).toThrow();
  };
  take();
  const left = watchDescriptors();
  for (let i = 0; i < 10; i++) take();
  await eventually(() => left().length <= 1, "all but the last are closed");
  listener.stop();
  const late = visit();
  await eventually(late.isClosed, "nobody listens any more");
  expect(late.heard()).toBe("");
});

describe("security", () => {
  test.each<[string, Parameters<typeof listening>[0], boolean]>([
    ["as many as may be stand", { maxConnections: 1 }, false],
    ["with those that are between two threads there are", { maxConnections: 2, underWay: 1 }, false],
    ["there is one place more", { maxConnections: 3, underWay: 1 }, true],
    ["its address has all of its places", { maxConnectionsPerAddress: 1 }, false],
    ["its address is a trusted proxy's", { maxConnectionsPerAddress: 1, trusted: createCidrList(["127.0.0.1"]) }, true],
  ])("a connection when %s", async (_, limits, isTaken) => {
    const { counts, visit, accepted } = await listening(limits);
    counts.opened("127.0.0.1");
    const visitor = visit();
    if (isTaken) return eventually(() => accepted() === 1, "it is taken");
    await eventually(visitor.isClosed, "it is turned away");
    expect([visitor.heard().slice(0, 13), accepted()]).toEqual(["HTTP/1.1 503 ", 0]);
  });

  test("a connection whose handshake is still to come has a place, until it goes", async () => {
    const { counts, visit, accepted } = await listening({ tls: testTls, maxConnections: 1 });
    const silent = visit();
    await eventually(() => counts.total() === 1, "it is counted");
    const second = visit();
    await eventually(second.isClosed, "another finds no place");
    silent.socket.destroy();
    await eventually(() => counts.total() === 0, "its place is free");
    expect([accepted(), second.heard()]).toEqual([0, ""]);
  });

  test("a connection that never comes to the end of its handshake is cut, and no other", async () => {
    const { counts, visit, accepted } = await listening({ tls: testTls, handshakeTimeoutMs: 500 });
    const visitor = visit();
    const secured = connectTls({ socket: visitor.socket, ca: testTls.cert, servername: "localhost" });
    secured.on("error", () => {});
    await eventually(() => accepted() === 1, "one has done it");
    const silent = visit();
    // The beginning of a record, which is not the end of a handshake.
    silent.socket.write(Buffer.from([22, 3, 1]));
    await eventually(silent.isClosed, "the other is cut");
    expect([visitor.isClosed(), accepted(), counts.total()]).toEqual([false, 1, 0]);
  });
});

test("the operator hears of refused connections once a minute, by whose limit and from where", async () => {
  const { visit, said } = await listening({ maxConnections: 1, underWay: 1 });
  const visits = [visit(), visit(), visit()];
  await eventually(() => visits.every(({ isClosed }) => isClosed()), "all are turned away");
  expect(said.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", limit: "MAX_CONNECTIONS", most: 1, from: "127.0.0.1", times: 1 },
  ]);
  const other = await listening({ maxConnectionsPerAddress: 0 });
  const { isClosed } = other.visit();
  await eventually(isClosed, "it is turned away");
  expect(other.said.join("")).toContain("TRUSTED_PROXIES");
});
