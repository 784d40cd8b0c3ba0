// All connections of one thread: each has its place and its deadline until it is over, once.

import { expect, test } from "bun:test";
import type { Socket } from "bun";
import { ingressLimits } from "../../test/helpers/fake-visitor.ts";
import { ConnectionCounts, createCountsMemory } from "../handover/counts.ts";
import { createLedgerMemory, Ledger } from "../handover/ledger.ts";
import { Connections } from "./connections.ts";
import type { IngressHost } from "./exchange.ts";
import type { SocketOwner } from "./visitor-socket.ts";

const meta = { address: "192.0.2.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false };

function setUp() {
  const counts = new ConnectionCounts(createCountsMemory(1), 1);
  const host = {
    settings: ingressLimits,
    released: (connection) => connections.released(connection),
  } as Partial<IngressHost> as IngressHost;
  const ledger = new Ledger(createLedgerMemory(1024), 7, 0);
  const connections: Connections = new Connections({ ledger, counts, host, tickMs: 1e9 });
  const held = () => [counts.total(), counts.ofAddress(meta.address), connections.deadlines.size];
  return { connections, held, [Symbol.dispose]: () => connections.close() };
}

test("one that closes leaves nothing behind", () => {
  using one = setUp();
  const socket = { setKeepAlive() {}, setNoDelay() {} } as unknown as Socket<SocketOwner>;
  one.connections.accept(socket, { ...meta }, false);
  expect(one.held()).toEqual([1, 1, 1]);
  socket.data.closed();
  expect(one.held()).toEqual([0, 0, 0]);
});

test("nor does one that was swept before it arrived", () => {
  using one = setUp();
  one.connections.adopt({ ...meta, fd: 5, unread: "GET / HTTP/1.1\r\n\r\n" });
  expect(one.held()).toEqual([0, 0, 0]);
});
