// All connections of one thread: each has its place and its deadline until it is over, once.

import { expect, test } from "bun:test";
import { openSync, writeSync } from "node:fs";
import type { Socket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import { ingressLimits } from "../../test/helpers/fake-visitor.ts";
import { ConnectionCounts, createCountsMemory } from "../handover/counts.ts";
import { createLedgerMemory, Ledger } from "../handover/ledger.ts";
import { connectDescriptor } from "../handover/adopt.ts";
import { lineHandlers, LoanLine } from "../lending/loan-line.ts";
import { closeDescriptor, createPair } from "../lib/descriptor.ts";
import { Connections } from "./connections.ts";
import type { VisitorConnection } from "./connection.ts";
import type { IngressHost } from "./exchange.ts";
import type { SocketOwner } from "./visitor-socket.ts";

const meta = { address: "192.0.2.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false };

function setUp(more: Partial<IngressHost> = {}) {
  const counts = new ConnectionCounts(createCountsMemory(1), 1);
  const host = {
    settings: ingressLimits,
    accessLog: null,
    released: (connection) => connections.released(connection),
    ...more,
  } as Partial<IngressHost> as IngressHost;
  const ledger = new Ledger(createLedgerMemory(1024), 7);
  const connections: Connections = new Connections({ ledger, counts, host, tickMs: 1e9 });
  const held = () => [counts.total(), counts.ofAddress(meta.address), connections.deadlines.size];
  return { connections, held, ledger, [Symbol.dispose]: () => connections.close() };
}

test("one that closes leaves nothing behind", () => {
  using one = setUp();
  const socket = { setKeepAlive() {}, setNoDelay() {} } as unknown as Socket<SocketOwner>;
  one.connections.accept(socket, { ...meta }, false);
  expect(one.held()).toEqual([1, 1, 1]);
  socket.data.closed();
  expect(one.held()).toEqual([0, 0, 0]);
});

test("one that comes while the server leaves has one request", () => {
  using one = setUp();
  one.connections.closeIdle();
  const kept: unknown[] = [];
  const socket = { setKeepAlive: (...args: unknown[]) => kept.push(...args), setNoDelay() {}, terminate() {} };
  one.connections.accept(socket as unknown as Socket<SocketOwner>, { ...meta }, false);
  expect((one.connections.deadlines.all()[0] as VisitorConnection).leaving).toBe(true);
  // Whoever vanishes without a word is found by the kernel.
  expect(kept).toEqual([true, 300_000]);
});

test("the requests of one that can't be adopted are not served", async () => {
  using one = setUp({ judgeHost: () => expect.unreachable(), route: () => expect.unreachable() });
  const fd = openSync(import.meta.path, "r");
  one.ledger.live(0, 7);
  one.ledger.send(fd, 0, 7, () => {});
  one.connections.adopt({ ...meta, fd, unread: "GET / HTTP/1.1\r\nHost: x\r\n\r\n" });
  await eventually(() => one.held().join() === "0,0,0", "it is given up");
});

test("nor does one that was swept before it arrived", () => {
  using one = setUp();
  one.connections.adopt({ ...meta, fd: 5, unread: "GET / HTTP/1.1\r\n\r\n" });
  expect(one.held()).toEqual([0, 0, 0]);
});

test.each([true, false])(
  "requests that are lent take no place, as the visitor has one where he is, and end with their line (%p)",
  async (isOurs) => {
    using one = setUp();
    const [ours, theirs] = createPair()!;
    const line = new LoanLine(null);
    await connectDescriptor({ fd: ours, allowHalfOpen: true, data: line, socket: lineHandlers });
    one.ledger.live(0, 7);
    one.ledger.send(theirs, 0, 7, () => {});
    one.connections.adopt({ ...meta, fd: theirs, unread: "", lent: true });
    const unheard = { received() {}, answered() {}, granted() {}, drain() {}, closed() {}, threw() {} };
    for (const address of ["192.0.2.1", "192.0.2.2"]) line.lend({ address, secure: true, acceptedAtMs: 3 }, unheard);
    await eventually(() => one.held().join() === "0,0,2", "both loans are there");
    const [first] = one.connections.deadlines.all() as VisitorConnection[];
    expect([first!.meta, one.connections.isBusy]).toEqual([
      { address: "192.0.2.1", secure: true, acceptedAtMs: 3, last: false, moves: 0, lent: true },
      false,
    ]);
    expect(one.connections["lines"].size).toBe(1);
    expect(first!.loan).not.toBeNull();
    if (isOurs) line.close();
    else one.connections.close();
    await eventually(() => line.isClosed && one.held().join() === "0,0,0", "they are over");
    await eventually(() => one.connections["lines"].size === 0, "the line is forgotten");
  },
);

test("of a line that was swept before it arrived nothing is kept", () => {
  using one = setUp();
  one.connections.adopt({ ...meta, fd: 5, unread: "", lent: true });
  expect(one.connections["lines"].size).toBe(0);
});

test("security: a crowd that comes with much unread is taken over several turns, and others have theirs in between", async () => {
  const taken: string[] = [];
  using one = setUp({
    judgeHost: () => ({ kind: "tunnel", name: "x", host: "x" }),
    route: (connection, head) => {
      taken.push(head.target);
      for (const startedAt = performance.now(); performance.now() - startedAt < 25;);
      connection.answer("not_found");
    },
  });
  one.ledger.live(0, 7);
  const far: number[] = [];
  const adopt = (target: string, restBytes: number): void => {
    const [near, fd] = one.ledger.createPair()!;
    far.push(near);
    one.ledger.send(fd, 0, 7, () => {});
    const unread = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nX: ${"x".repeat(restBytes)}`;
    one.connections.adopt({ ...meta, fd, unread });
  };
  for (const target of ["/large1", "/large2", "/large3"]) adopt(target, 20_000);
  adopt("/small", 100);
  expect([taken, one.connections.isBusy]).toEqual([["/small"], true]);
  // They have their places meanwhile.
  expect(one.held()).toEqual([4, 4, 1]);
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve)).then(() => taken.push("turn"));
  const between = ["/large1", "turn", "/large2", "turn", "/large3", "turn"];
  expect(taken.join(" ")).toContain(between.join(" "));
  for (const fd of far) closeDescriptor(fd);
});

test.each([
  ["has a place here while it has yet to take what is left of it, and whoever had it has gone", true],
  ["has none when it has gone first", false],
])("a piped visitor %s", async (_, isLeft) => {
  let theirs = -1;
  using one = setUp({
    judgeHost: () => ({ kind: "tunnel", name: "x", host: "x" }),
    route: (connection) =>
      connection.move((moved, more) => one.connections.give(moved, more, ({ fd }) => (theirs = fd) >= 0)),
  });
  let isHeld = false;
  const write = (): number => {
    isHeld = true;
    return 0;
  };
  const socket = {
    ...{ setKeepAlive() {}, setNoDelay() {}, pause() {}, resume() {}, terminate() {} },
    write,
  } as unknown as Socket<SocketOwner>;
  one.connections.accept(socket, { ...meta }, true);
  socket.data.received(Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  if (!isLeft) {
    socket.data.closed();
    closeDescriptor(theirs);
    return expect(one.held()).toEqual([0, 0, 0]);
  }
  writeSync(theirs, "left");
  await eventually(() => isHeld, "it has not taken it");
  expect(one.held()).toEqual([0, 0, 0]);
  closeDescriptor(theirs);
  await eventually(() => one.held().join() === "1,1,0", "it has a place");
  socket.data.closed();
  expect(one.held()).toEqual([0, 0, 0]);
});
