// How a visitor's connection ends: who is read on for a moment, for how long, and who is given up.

import { describe, expect, jest, test } from "bun:test";
import type { LoanSocket } from "../lending/loan-socket.ts";
import { fakeVisitor, HeardExchange, ingressLimits, requestText } from "../../test/helpers/fake-visitor.ts";

const close = "Connection: close";

/** A visitor whose requests begin exchanges that end when the test says so. */
function exchanging(settings = ingressLimits) {
  const exchanges: HeardExchange[] = [];
  const visitor = fakeVisitor((connection) => {
    exchanges.push(new HeardExchange());
    connection.begin(exchanges.at(-1)!);
  }, settings);
  const answer = (text: string): void => {
    visitor.connection.write(Buffer.from(text), 0, text.length);
    visitor.connection.finish(visitor.connection.mayKeepAlive);
    visitor.take();
  };
  return { visitor, exchanges, answer };
}

describe("a connection that closes", () => {
  test.each([
    ["nothing more can come", requestText("GET /", close), "end"],
    ["a body is under way", requestText("POST /", close, "Content-Length: 9"), "shutdown"],
    ["something came behind the last request", `${requestText("GET /", close)}GET`, "shutdown"],
    ["HTTP/1.0 was spoken", "GET / HTTP/1.0\r\nHost: app.tunnel.test\r\n\r\n", "end"],
    ["HTTP/1.0 says both", `GET / HTTP/1.0\r\nHost: app.tunnel.test\r\n${close}, keep-alive\r\n\r\n`, "end"],
  ])("when %s", (_, bytes, how) => {
    const { visitor, answer } = exchanging();
    visitor.send(bytes);
    answer("answer");
    expect(visitor.did).toEqual([how]);
  });

  test("is read again, so that its end is heard", () => {
    const { visitor, answer } = exchanging();
    visitor.send(requestText("POST /", "Content-Length: 9"));
    visitor.connection.pauseReading();
    answer("answer");
    expect(visitor.did).toEqual(["pause", "resume", "shutdown"]);
    visitor.connection.ended();
    expect(visitor.did.at(-1)).toBe("end");
  });

  test("is not read for ever: two seconds, or 8 MiB", () => {
    const { visitor, answer } = exchanging();
    visitor.send(requestText("POST /", "Content-Length: 9"));
    answer("answer");
    expect(visitor.connection.deadline - performance.now()).toBeLessThanOrEqual(2_000);
    visitor.send("x".repeat(8 * 1024 * 1024));
    expect(visitor.did).toEqual(["shutdown"]);
    visitor.send("x");
    expect(visitor.did).toEqual(["shutdown", "end"]);
  });
});

test("a half-close, or much that nobody wants, doesn't cut an answer that is still to be taken", () => {
  const [ending, sending] = [exchanging(), exchanging()];
  for (const { visitor, answer } of [ending, sending]) {
    visitor.send(requestText("POST /", "Content-Length: 9"));
    visitor.room = 0;
    answer("answer");
  }
  ending.visitor.connection.ended();
  sending.visitor.send("x".repeat(9 * 1024 * 1024));
  for (const { visitor } of [ending, sending]) {
    expect(visitor.did).toEqual([]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect(visitor.take()).toBe("answer");
  }
});

test("when the server ends, what has left is whole, and what has not is broken off", () => {
  const [taken, waiting] = [exchanging(), exchanging()];
  waiting.visitor.room = 0;
  for (const { visitor, answer } of [taken, waiting]) {
    visitor.send(requestText("POST /", "Content-Length: 9"));
    answer("answer");
    visitor.connection.cease();
  }
  expect([taken.visitor.did.at(-1), waiting.visitor.did.at(-1)]).toEqual(["end", "terminate"]);
});

test("a visitor that waits for a long answer is not given up for sending nothing more", () => {
  const { visitor, exchanges } = exchanging();
  visitor.connection.deadline = 0;
  visitor.send(requestText("GET /"));
  for (let i = 1; i < 4; i++) visitor.connection.expired(performance.now() + i * 60_000);
  expect(exchanges[0]!.aborted).toBeNull();
});

test("the time in which a body has to move begins with its request", () => {
  const exchange = new HeardExchange();
  const visitor = fakeVisitor((connection) => connection.begin(exchange, 100_000));
  visitor.send(requestText("POST /", "Content-Length: 9"));
  expect(visitor.connection.deadline).toBe(100_000 + ingressLimits.bodyProgressTimeoutMs);
  visitor.connection.expired(100_000 + ingressLimits.bodyProgressTimeoutMs - 1);
  expect(exchange.aborted).toBeNull();
});

test("who still reads its answer may take its time, who takes next to nothing may not", () => {
  const { visitor, answer } = exchanging();
  visitor.room = 0;
  visitor.send(requestText("GET /", close));
  answer("x".repeat(10_000));
  let now = performance.now();
  visitor.room = 256;
  visitor.connection.expired((now += 10_000));
  expect(visitor.did).toEqual([]);
  expect(visitor.connection.deadline).toBe(now + ingressLimits.writeProgressTimeoutMs);
  visitor.room = 255;
  visitor.connection.expired((now += 10_000));
  expect(visitor.did).toEqual(["terminate"]);
});

test("of lent requests only whoever has the visitor's connection sees whether he moves", () => {
  const { visitor, exchanges, answer } = exchanging();
  const { connection } = visitor;
  connection.loan = { complete() {} } as unknown as LoanSocket;
  visitor.room = 0;
  let now = performance.now();
  // In the middle of an answer, and behind the last one.
  visitor.send(requestText("GET /", close));
  connection.write(Buffer.from("x"), 0, 1);
  visitor.take();
  for (let i = 0; i < 3; i++) connection.expired((now += 60_000));
  answer("y");
  for (let i = 0; i < 3; i++) connection.expired((now += 60_000));
  expect([exchanges[0]!.aborted, visitor.did, connection.deadline]).toEqual([null, [], Infinity]);
  visitor.room = Infinity;
  connection.drain();
  expect(visitor.did).toEqual(["end"]);
});

test("whoever lent the request hears that its answer is complete when all of it has left", () => {
  const { visitor, answer } = exchanging();
  const completed: string[] = [];
  visitor.connection.loan = { complete: () => completed.push(visitor.take()) } as unknown as LoanSocket;
  visitor.room = 3;
  visitor.send(requestText("GET /"));
  answer("answer");
  expect(completed).toEqual([]);
  visitor.room = Infinity;
  visitor.connection.drain();
  visitor.send(requestText("GET /"));
  answer("another");
  expect(completed).toEqual(["wer", "another"]);
});

test("a loan that is idle for too long closes as any connection", () => {
  const { visitor } = exchanging();
  visitor.connection.loan = { complete() {} } as unknown as LoanSocket;
  visitor.connection.expired(performance.now() + 60_000);
  expect(visitor.did).toEqual(["shutdown"]);
});

test("a visitor that half-closes has left when it is sent nothing for half a second; what is sent shows whether it is there", () => {
  jest.useFakeTimers();
  try {
    const [gone, slow] = [exchanging(), exchanging()];
    for (const { visitor } of [gone, slow]) visitor.send(requestText("GET /"));
    slow.visitor.room = 0;
    slow.visitor.connection.write(Buffer.from("answer"), 0, 6);
    slow.visitor.take();
    for (const { visitor } of [gone, slow]) visitor.connection.ended();
    const streamed = exchanging();
    streamed.visitor.send(requestText("GET /"));
    streamed.visitor.connection.ended();
    for (let i = 0; i < 10; i++) {
      jest.advanceTimersByTime(400);
      streamed.visitor.connection.write(Buffer.from("more"), 0, 4);
      streamed.visitor.take();
    }
    // One that had left would have answered with a reset: a pause of its service is none of its own.
    jest.advanceTimersByTime(60_000);
    expect(streamed.exchanges[0]!.aborted).toBeNull();
    streamed.visitor.connection.closed(new Error("reset"));
    expect(streamed.exchanges[0]!.aborted).not.toBeNull();
    expect([gone, slow].map(({ exchanges }) => exchanges[0]!.aborted !== null)).toEqual([true, false]);
    slow.visitor.connection.closed();
  } finally {
    jest.useRealTimers();
  }
});

test("what was written before a break is sent", () => {
  const { visitor } = exchanging();
  visitor.send(requestText("GET /"));
  visitor.connection.write(Buffer.from("half"), 0, 4);
  visitor.connection.destroy();
  visitor.connection.closed();
  expect([visitor.take(), visitor.did.join()]).toEqual(["half", "terminate"]);
});

test("a visitor whose body isn't wanted yet is not given up for it", () => {
  const { visitor, exchanges } = exchanging();
  visitor.send(requestText("POST /", "Content-Length: 9"));
  visitor.connection.pauseReading();
  let now = performance.now();
  for (let i = 0; i < 3; i++) visitor.connection.expired((now += 60_000));
  expect(exchanges[0]!.aborted).toBeNull();
  visitor.connection.resumeReading();
  for (let i = 0; i < 3; i++) visitor.connection.expired((now += 60_000));
  expect(exchanges[0]!.aborted).toBe("the request body stopped arriving");
});

test("no request follows on a connection that was told to serve one, or whose server leaves", () => {
  const last = exchanging();
  last.visitor.connection.meta.last = true;
  const leaving = exchanging();
  for (const { visitor } of [last, leaving]) visitor.send(requestText("GET /"));
  leaving.visitor.connection.closeIfIdle();
  for (const { visitor, answer } of [last, leaving]) {
    expect(visitor.connection.mayKeepAlive).toBe(false);
    answer("answer");
    expect(visitor.did).toEqual(["shutdown"]);
  }
});

test("a redirect behind a body that isn't read is the connection's last answer, and says so", () => {
  const visitor = fakeVisitor((connection) => connection.redirect("/login"));
  visitor.send(requestText("POST /", "Content-Length: 9"));
  expect(visitor.take()).toMatch(/^HTTP\/1\.1 302 [^]*\r\nConnection: close\r\n/);
  const closing = fakeVisitor((connection) => connection.redirect("/login"));
  closing.send(requestText("GET /", close));
  expect(closing.take()).toContain("\r\nConnection: close\r\n");
});

describe("security", () => {
  test("behind the beginning of an answer no refusal stands: the connection breaks", () => {
    const { visitor, exchanges } = exchanging();
    visitor.send(requestText("POST /", "Transfer-Encoding: chunked"));
    visitor.connection.isAnswering = true;
    visitor.connection.write(Buffer.from("half"), 0, 4);
    visitor.send("zz\r\n");
    expect([visitor.take(), visitor.did.join()]).toEqual(["half", "terminate"]);
    expect(exchanges[0]!.aborted).not.toBeNull();
  });
});
