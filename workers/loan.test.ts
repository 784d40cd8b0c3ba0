// What becomes of a request that is lent and of its answer, with the owner's end of the line in the test's hands.

import { describe, expect, test } from "bun:test";
import { connectDescriptor } from "../src/handover/adopt.ts";
import { lineHandlers, LoanLine } from "../src/lending/loan-line.ts";
import { eventually } from "../test/helpers/eventually.ts";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { answered, lendingVisitor, type OwnerEnd, owningLine, whole } from "../test/helpers/lending.ts";

test("the answer is passed on as it is, in whatever pieces it comes, and the next request is lent on the same loan", async () => {
  using one = lendingVisitor();
  const odd = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 299 Odd\r\ntransfer-encoding: chunked\r\n\r\n";
  one.visitor.send(requestText("GET /"));
  using owner = await owningLine(one.theirs.pop()!, () => {});
  let heard = "";
  for (const piece of [odd.slice(0, 7), odd.slice(7), "5\r\nwhole\r\n", "0\r\n\r\n"]) {
    const before = heard.length;
    owner.line.write(1, Buffer.from(piece), 0, piece.length);
    await eventually(() => (heard += one.visitor.take()).length === before + piece.length, "the piece");
  }
  expect(heard).toBe(`${odd}5\r\nwhole\r\n0\r\n\r\n`);
  expect(one.visitor.connection.exchange).not.toBeNull();
  owner.line.complete(1);
  await eventually(() => one.visitor.connection.exchange === null, "the exchange is over");
  one.visitor.send(requestText("GET /"));
  await eventually(() => owner.heard === requestText("GET /").repeat(2), "the next request");
  expect([one.lent, owner.open, one.theirs]).toEqual([[true, true], [1], []]);
});

test("an owner that closes behind its answer closes the visitor's connection, when the answer has left", async () => {
  using one = lendingVisitor();
  one.visitor.send(requestText("GET /"));
  using _owner = await owningLine(one.theirs.pop()!, ({ line }, id) => {
    line.write(id, Buffer.from(whole), 0, whole.length);
    line.end(id, true);
  });
  expect(await answered(one)).toBe(whole);
  expect(one.visitor.did).toEqual(["shutdown"]);
});

test("of an answer that the visitor doesn't take no more comes than its window, and what he takes is granted again", async () => {
  using one = lendingVisitor();
  one.visitor.room = 0;
  one.visitor.send(requestText("GET /"));
  let granted = 0;
  const fd = one.theirs.pop()!;
  const line = new LoanLine(() => ({
    received() {},
    granted: (bytes) => void (granted += bytes),
    ...{ answered() {}, drain() {}, closed() {}, threw() {} },
  }));
  await connectDescriptor({ fd, allowHalfOpen: true, data: line, socket: lineHandlers });
  const piece = Buffer.alloc(256 * 1024, "x");
  const { connection } = one.visitor;
  line.write(1, piece, 0, piece.length);
  await eventually(() => connection.backlogBytes === piece.length, "a window's bytes have come");
  expect(granted).toBe(0);
  // He takes a little, and then all.
  for (const [room, in_all] of [
    [100, 100],
    [Infinity, piece.length],
  ] as const) {
    one.visitor.room = room;
    connection.drain();
    await eventually(() => granted === in_all, "what he has taken is granted again");
  }
  line.close();
});

test("a visitor that takes all at once has an answer of any length granted", async () => {
  using one = lendingVisitor();
  one.visitor.send(requestText("GET /"));
  using owner = await owningLine(
    one.theirs.pop()!,
    () => {},
    (bytes) => (granted += bytes),
  );
  let granted = 0;
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let i = 1; i <= 8; i++) {
    owner.line.write(1, piece, 0, piece.length);
    await eventually(() => granted === i * piece.length, "it is granted again");
  }
});

describe("security", () => {
  test("a throw over an answer breaks the visitor's connection and ends the loan", async () => {
    using one = lendingVisitor();
    one.visitor.send(requestText("GET /"));
    const { connection } = one.visitor;
    connection.write = () => {
      throw new Error("as asked");
    };
    using owner = await owningLine(one.theirs.pop()!, ({ line }, id) => line.write(id, Buffer.from(whole), 0, 9));
    await eventually(() => owner.metas.length === 1 && owner.open.length === 0, "the loan is over");
    expect(one.visitor.did).toEqual(["terminate"]);
  });

  test("an answer that its owner breaks off is broken for the visitor, too", async () => {
    using one = lendingVisitor();
    one.visitor.send(requestText("GET /"));
    using _owner = await owningLine(one.theirs.pop()!, ({ line }, id) => {
      line.write(id, Buffer.from(whole), 0, whole.length - 1);
      line.end(id, false);
    });
    await eventually(() => one.visitor.did.length > 0, "the end");
    expect([one.visitor.take(), one.visitor.did]).toEqual([whole.slice(0, -1), ["terminate"]]);
  });

  test.each([
    // Who breaks it off has written down that.
    ["is broken off", 0, (end: OwnerEnd, id: number) => end.line.end(id, false)],
    ["was closed when it came", 1, (end: OwnerEnd, id: number) => end.line.end(id, true)],
    ["is lost with its thread", 1, (end: OwnerEnd) => void end.socket.terminate()],
  ])("a request that %s before an answer gets 503, and has one line in the access log", async (_, lines, give) => {
    using one = lendingVisitor();
    one.visitor.send(requestText("GET /"));
    using _owner = await owningLine(one.theirs.pop()!, give);
    let heard = "";
    await eventually(() => (heard += one.visitor.take()).includes("\r\n\r\n"), "an answer");
    expect(heard).toStartWith("HTTP/1.1 503 ");
    expect(one.told.filter((told) => told === "a line")).toHaveLength(lines);
  });

  test("bytes that come when nothing was asked reach nobody", async () => {
    using one = lendingVisitor();
    one.visitor.send(requestText("GET /"));
    using owner = await owningLine(one.theirs.pop()!);
    await answered(one);
    const loan = one.lender["loans"].get(one.visitor.connection)!.get(1)!;
    loan.received(Buffer.from(whole), 0, whole.length);
    loan.answered();
    expect([one.visitor.take(), one.visitor.did, owner.open]).toEqual(["", [], [1]]);
  });

  test("a visitor that leaves takes his request with him", async () => {
    using one = lendingVisitor();
    one.visitor.send(requestText("GET /"));
    using owner = await owningLine(one.theirs.pop()!, () => {});
    await eventually(() => owner.open.length === 1, "the loan is there");
    one.visitor.connection.closed();
    await eventually(() => owner.open.length === 0, "the loan is over");
  });
});
