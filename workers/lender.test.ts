// Lending, with the owner's end of each loan in the test's hands: what is lent, to whom, and what is left of it.

import type { Socket } from "bun";
import { describe, expect, spyOn, test } from "bun:test";
import { eventually } from "../test/helpers/eventually.ts";
import { fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import { connectDescriptor } from "../src/handover/adopt.ts";
import { createLedgerMemory, Ledger } from "../src/handover/ledger.ts";
import { closeDescriptor, openDescriptors } from "../src/lib/descriptor.ts";
import { Lender } from "./lender.ts";

/** A visitor that has moved often; `lent`: whether each of its requests was lent. */
function setUp({ isFull = false, isThere = true } = {}) {
  const theirs: number[] = [];
  const lent: boolean[] = [];
  const lender = new Lender({
    settings: { lendAfterMoves: 1, idleTimeoutMs: 60_000 },
    ledger: new Ledger(createLedgerMemory(65_536), 7, 0),
    isFull: () => isFull,
    post: (_owner, { fd }) => isThere && theirs.push(fd) > 0,
  });
  const visitor = fakeVisitor((connection, head) => {
    connection.meta.moves = 1;
    lent.push(lender.lend(connection, head, 1));
    if (!lent.at(-1)) connection.answer("unavailable");
  });
  const stop = (): void => {
    lender.released(visitor.connection);
    for (const fd of theirs) closeDescriptor(fd);
  };
  return { lender, visitor, lent, theirs, [Symbol.dispose]: stop };
}

/** Owns the other end of a loan, until `closed`: `whole` to each request. */
function answering(fd: number, closed: () => void): Promise<Socket<undefined>> {
  return connectDescriptor({
    ...{ fd, allowHalfOpen: true, data: undefined },
    socket: {
      data: (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"),
      end: closed,
      error: (socket) => void socket.terminate(),
    },
  });
}

test("what is small and can only be answered is lent, anything else moves", () => {
  for (const [request, isLent] of [
    [requestText("GET /"), true],
    [requestText("POST /", "Content-Length: 5"), true],
    [requestText("POST /", "Transfer-Encoding: chunked"), false],
    [requestText("POST /", "Content-Length: 5", "Expect: 100-continue"), false],
    [requestText("GET /", "Connection: Upgrade", "Upgrade: websocket"), false],
    ["GET / HTTP/1.0\r\nHost: app.tunnel.test\r\n\r\n", false],
  ] as const) {
    using one = setUp();
    one.visitor.send(request);
    expect([request, one.lent, one.theirs.length]).toEqual([request, [isLent], isLent ? 1 : 0]);
  }
});

test("a loan ends with the visitor's connection", async () => {
  const before = openDescriptors().length;
  using one = setUp();
  one.visitor.send(requestText("GET /"));
  expect(openDescriptors()).toHaveLength(before + 2);
  one.lender.released(one.visitor.connection);
  await eventually(() => openDescriptors().length === before + 1, "our end is closed");
});

test("a loan serves again while its owner surely still listens: for half of the time after which that closes what is idle", async () => {
  const clock = spyOn(performance, "now");
  let now = Math.ceil(performance.now());
  clock.mockImplementation(() => now);
  const owners: Socket<undefined>[] = [];
  let closed = 0;
  try {
    using one = setUp();
    const ask = async (): Promise<void> => {
      one.visitor.send(requestText("GET /"));
      for (const fd of one.theirs.splice(0)) owners.push(await answering(fd, () => void closed++));
      let heard = "";
      await eventually(() => (heard += one.visitor.take()).endsWith("whole"), "it is answered");
    };
    const used: number[] = [];
    for (const idleMs of [0, 29_999, 29_999, 30_000, 0]) {
      now += idleMs;
      await ask();
      used.push(owners.length);
    }
    expect(used).toEqual([1, 1, 1, 2, 2]);
    await eventually(() => closed === 1, "the one that is too old is closed");
  } finally {
    clock.mockRestore();
    for (const owner of owners) owner.terminate();
  }
});

describe("security", () => {
  test.each([
    ["where there are as many connections as may be", { isFull: true }],
    ["to an owner that isn't there", { isThere: false }],
  ])("nothing is lent %s, and no descriptor is left", async (_, options) => {
    const before = openDescriptors().length;
    using one = setUp(options);
    one.visitor.send(requestText("GET /"));
    expect(one.lent).toEqual([false]);
    await eventually(() => openDescriptors().length === before, "both ends are closed");
  });
});
