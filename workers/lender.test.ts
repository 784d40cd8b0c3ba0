// Lending, with the owner's end of each loan in the test's hands: what is lent, to whom, and what is left of it.

import type { Socket } from "bun";
import { describe, expect, spyOn, test } from "bun:test";
import { eventually } from "../test/helpers/eventually.ts";
import { fakeVisitor, ingressLimits, requestText } from "../test/helpers/fake-visitor.ts";
import { connectDescriptor } from "../src/handover/adopt.ts";
import { createLedgerMemory, Ledger } from "../src/handover/ledger.ts";
import type { AccessLog } from "../src/ingress/access-log.ts";
import { closeDescriptor } from "../src/lib/descriptor.ts";
import { Lender } from "./lender.ts";
import { watchDescriptors } from "../test/helpers/process-facts.ts";

/** A visitor that has moved often; `lent`: whether each of its requests was lent. */
function setUp({ isFull = false, isThere = true, moves = 1 } = {}) {
  const theirs: number[] = [];
  const lent: boolean[] = [];
  /** What the ledger and the owner were told. */
  const told: unknown[] = [];
  const ledger = new Ledger(createLedgerMemory(65_536), 7);
  const lender = new Lender({
    settings: { lendAfterMoves: 1, idleTimeoutMs: 60_000 },
    ledger: Object.assign(ledger, { giving: (fd: number) => told.push(fd), gave: () => told.push("gave") }),
    isFull: () => isFull,
    post(_owner, connection) {
      told.push(connection);
      return isThere && theirs.push(connection.fd) > 0;
    },
  });
  const access = { begin: () => ({}), ended: () => void told.push("a line") } as unknown as AccessLog;
  const visitor = fakeVisitor(
    (connection, head) => {
      connection.meta.moves = moves;
      lent.push(lender.lend(connection, head, 1));
      if (!lent.at(-1)) connection.answer("unavailable");
    },
    { ...ingressLimits, maxBodyBytes: 100_000 },
    access,
  );
  const stop = (): void => {
    lender.released(visitor.connection);
    for (const fd of theirs) closeDescriptor(fd);
  };
  return { lender, visitor, lent, theirs, told, [Symbol.dispose]: stop };
}

/** Owns the other end of a loan, until `closed`: `whole` to each request. */
function answering(fd: number, closed = () => {}, heard = (_text: string) => {}): Promise<Socket<undefined>> {
  return connectDescriptor({
    ...{ fd, allowHalfOpen: true, data: undefined },
    socket: {
      data(socket, bytes) {
        heard(bytes.toString());
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
      },
      end: closed,
      error: (socket) => void socket.terminate(),
    },
  });
}

test("what is small and can only be answered is lent, anything else moves", () => {
  for (const [request, isLent] of [
    [requestText("GET /"), true],
    [requestText("POST /", "Content-Length: 65536"), true],
    [requestText("POST /", "Content-Length: 65537"), false],
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

test("who has not moved often is not lent", () => {
  using one = setUp({ moves: 0 });
  one.visitor.send(requestText("GET /"));
  expect([one.lent, one.theirs]).toEqual([[false], []]);
});

test("the owner gets the visitor's own address, the request with its body, and the line of the access log", async () => {
  using one = setUp();
  one.visitor.send(`${requestText("POST /", "Content-Length: 4")}body`);
  const [fd = -1] = one.theirs;
  const meta = { address: "192.0.2.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: true };
  expect(one.told).toEqual([fd, { fd, unread: "", ...meta }, "gave"]);
  let heard = "";
  const owner = await answering(fd, undefined, (text) => (heard += text));
  one.theirs.pop();
  let answer = "";
  await eventually(() => (answer += one.visitor.take()).endsWith("whole"), "it is answered");
  owner.terminate();
  expect([heard, one.told.length]).toEqual([`${requestText("POST /", "Content-Length: 4")}body`, 3]);
});

test("a loan whose owner has closed it is none: the next request has another one", async () => {
  using one = setUp();
  for (let i = 1; i <= 2; i++) {
    one.visitor.send(requestText("GET /"));
    expect(one.theirs).toHaveLength(1);
    const owner = await answering(one.theirs.pop()!);
    let heard = "";
    await eventually(() => (heard += one.visitor.take()).endsWith("whole"), "it is answered");
    owner.terminate();
    const loan = one.lender["loans"].get(one.visitor.connection)?.get(1);
    await eventually(() => loan?.isUsable(Infinity) === false, "the loan is over");
  }
});

test("who has asked one owner 129 times moves there", async () => {
  using one = setUp();
  let owner: Socket<undefined> | null = null;
  for (let i = 0; i < 3; i++) {
    one.visitor.send(requestText("GET /"));
    owner ??= await answering(one.theirs.pop()!);
    let heard = "";
    if (one.lent.at(-1)) await eventually(() => (heard += one.visitor.take()).endsWith("whole"), "it is answered");
    const loan = one.lender["loans"].get(one.visitor.connection)!.get(1)!;
    if (i === 0) for (let more = 0; more < 127; more++) loan.take();
  }
  owner?.terminate();
  expect([one.lent, one.theirs]).toEqual([[true, true, false], []]);
});

test("a loan ends with the visitor's connection", async () => {
  const opened = watchDescriptors();
  using one = setUp();
  one.visitor.send(requestText("GET /"));
  expect(opened()).toHaveLength(2);
  one.lender.released(one.visitor.connection);
  await eventually(() => opened().length === 1, "our end is closed");
  expect(one.lender["loans"].size).toBe(0);
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
    const opened = watchDescriptors();
    using one = setUp(options);
    one.visitor.send(requestText("GET /"));
    expect(one.lent).toEqual([false]);
    await eventually(() => opened().length === 0, "both ends are closed");
  });
});
