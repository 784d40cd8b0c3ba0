// Lending, with the owner's end of each line in the test's hands: what is lent, and to whom.

import { describe, expect, spyOn, test } from "bun:test";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { eventually } from "../test/helpers/eventually.ts";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { answered, lendingVisitor, type OwnerEnd, owningLine, respond, whole } from "../test/helpers/lending.ts";
import { watchDescriptors } from "../test/helpers/process-facts.ts";

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
    using one = lendingVisitor();
    one.visitor.send(request);
    expect([request, one.lent, one.theirs.length]).toEqual([request, [isLent], isLent ? 1 : 0]);
  }
});

test("who has not moved often is not lent, nor whose connection ends with this answer", () => {
  using fresh = lendingVisitor({ moves: 0 });
  fresh.visitor.send(requestText("GET /"));
  using last = lendingVisitor({ last: true });
  last.visitor.send(requestText("GET /"));
  using leaving = lendingVisitor();
  leaving.visitor.connection.leaving = true;
  leaving.visitor.send(requestText("GET /"));
  expect([fresh, last, leaving].map(({ lent, theirs }) => [lent, theirs])).toEqual([
    [[false], []],
    [[false], []],
    [[false], []],
  ]);
});

test("the owner gets the visitor's own address, the request with its body, and the line of the access log", async () => {
  using one = lendingVisitor();
  one.visitor.send(`${requestText("POST /", "Content-Length: 4")}body`);
  const fd = one.theirs.pop()!;
  const none = { address: "", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: true };
  expect(one.told).toEqual([fd, { fd, unread: "", ...none }, "gave"]);
  const request = `${requestText("POST /", "Content-Length: 4")}body`;
  using owner = await owningLine(fd, (end, id) => end.heard === request && respond(end, id));
  expect(await answered(one)).toBe(whole);
  expect(owner.metas).toEqual([{ address: "192.0.2.1", secure: false, acceptedAtMs: 0 }]);
  expect([owner.heard, one.told.length]).toEqual([request, 3]);
});

test("a loan whose owner has closed it is none: the next request has another one", async () => {
  using one = lendingVisitor();
  for (let i = 1; i <= 2; i++) {
    one.visitor.send(requestText("GET /"));
    expect(one.theirs).toHaveLength(1);
    using owner = await owningLine(one.theirs.pop()!);
    await answered(one);
    owner.line.end(1, true);
    const loan = one.lender["loans"].get(one.visitor.connection)?.get(1);
    await eventually(() => loan?.isUsable(Infinity) === false, "the loan is over");
    // Its visitor asked for nothing.
    expect(one.visitor.take()).toBe("");
  }
  expect([one.lent, one.visitor.did]).toEqual([[true, true], []]);
});

test("when a line has ended, the next request has another one", async () => {
  using one = lendingVisitor();
  for (let i = 1; i <= 2; i++) {
    one.visitor.send(requestText("GET /"));
    expect(one.theirs).toHaveLength(1);
    const owner = await owningLine(one.theirs.pop()!);
    await answered(one);
    owner.socket.terminate();
    await eventually(() => one.lender["lines"].get(1)?.isClosed === true, "the line is over");
  }
});

test("who has asked one owner 129 times moves there", async () => {
  using one = lendingVisitor();
  let owner: OwnerEnd | null = null;
  for (let i = 0; i < 3; i++) {
    one.visitor.send(requestText("GET /"));
    owner ??= await owningLine(one.theirs.pop()!);
    if (one.lent.at(-1)) await answered(one);
    const loan = one.lender["loans"].get(one.visitor.connection)!.get(1)!;
    if (i === 0) for (let more = 0; more < 127; more++) loan.take();
  }
  owner?.line.close();
  expect([one.lent, one.theirs]).toEqual([[true, true, false], []]);
});

test("a loan ends with the visitor's connection, and the line with its last loan", async () => {
  const opened = watchDescriptors();
  using one = lendingVisitor();
  one.visitor.send(requestText("GET /"));
  using owner = await owningLine(one.theirs.pop()!, () => {});
  await eventually(() => owner.open.length === 1, "the loan is there");
  const other = { ...one.visitor.connection } as unknown as VisitorConnection;
  one.lender["loanOf"](other, 1);
  await eventually(() => owner.open.length === 2, "another one's loan is there");
  expect(opened()).toHaveLength(2);
  one.lender.released(one.visitor.connection);
  await eventually(() => owner.open.length === 1, "the loan is over");
  expect([one.lender["loans"].size, opened().length]).toEqual([1, 2]);
  one.lender.released(other);
  await eventually(() => opened().length === 0, "both ends are closed");
  expect([one.lender["loans"].size, owner.open]).toEqual([0, []]);
});

test("a loan serves again while its owner surely still listens: for half of the time after which that closes what is idle", async () => {
  const clock = spyOn(performance, "now");
  let now = Math.ceil(performance.now());
  clock.mockImplementation(() => now);
  try {
    using one = lendingVisitor();
    const owners: OwnerEnd[] = [];
    const used: number[] = [];
    for (const idleMs of [0, 29_999, 29_999, 30_000, 0]) {
      now += idleMs;
      one.visitor.send(requestText("GET /"));
      for (const fd of one.theirs.splice(0)) owners.push(await owningLine(fd));
      await answered(one);
      used.push(owners.length);
    }
    expect(used).toEqual([1, 1, 1, 2, 2]);
    await eventually(() => owners[0]!.open.length === 0, "the one that is too old is closed");
    owners[1]!.line.close();
  } finally {
    clock.mockRestore();
  }
});

describe("security", () => {
  test("nothing is lent to an owner that isn't there, and no descriptor is left", async () => {
    const opened = watchDescriptors();
    using one = lendingVisitor({ isThere: false });
    one.visitor.send(requestText("GET /"));
    expect(one.lent).toEqual([false]);
    await eventually(() => opened().length === 0, "both ends are closed");
  });
});
