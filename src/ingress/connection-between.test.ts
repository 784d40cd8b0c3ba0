// What is left of an exchange when it is over: nothing that the next one, or the end of the connection, would trip over.

import { describe, expect, test } from "bun:test";
import type { LoanSocket } from "../lending/loan-socket.ts";
import { fakeVisitor, HeardExchange, ingressLimits, requestText } from "../../test/helpers/fake-visitor.ts";

/** A visitor whose requests all begin an exchange; `done` ends it with an answer behind which the server would go on. */
function exchanging() {
  const exchanges: HeardExchange[] = [];
  const visitor = fakeVisitor((connection) => connection.begin((exchanges[exchanges.length] = new HeardExchange())));
  const done = (text = "answer"): void => {
    visitor.connection.write(Buffer.from(text), 0, text.length);
    visitor.connection.finish(true);
  };
  return { visitor, exchanges, done };
}

describe("behind an answer", () => {
  test("a visitor that the exchange had stopped reading is read again", () => {
    const { visitor, exchanges, done } = exchanging();
    visitor.send(requestText("GET /1"));
    visitor.connection.pauseReading();
    done();
    expect(visitor.did).toEqual(["pause", "resume"]);
    visitor.send(requestText("GET /2"));
    expect(exchanges).toHaveLength(2);
  });

  test("the head that begins has the time of a head, and not what was left of the silence", () => {
    const { visitor, done } = exchanging();
    const leftMs = (): number => visitor.connection.deadline - performance.now();
    visitor.send(requestText("GET /1"));
    done();
    expect(leftMs()).toBeGreaterThan(ingressLimits.headTimeoutMs);
    visitor.send("G");
    const { deadline } = visitor.connection;
    expect(leftMs()).toBeLessThanOrEqual(ingressLimits.headTimeoutMs);
    // However long it trickles.
    visitor.send("ET /2 HTTP/1.1\r\n");
    expect(visitor.connection.deadline).toBe(deadline);
  });

  test("no request follows when the server leaves, though the exchange would go on", () => {
    const { visitor, exchanges, done } = exchanging();
    visitor.send(requestText("GET /1") + requestText("GET /2"));
    visitor.connection.closeIfIdle();
    done();
    expect([exchanges.length, visitor.did.join()]).toEqual([1, "shutdown"]);
  });

  test("when the server leaves a loan hears it with its next answer: a request may be under way", () => {
    const { visitor, exchanges, done } = exchanging();
    const { connection } = visitor;
    connection.loan = { complete() {} } as unknown as LoanSocket;
    connection.closeIfIdle();
    expect([visitor.did, connection.isBusy]).toEqual([[], false]);
    visitor.send(requestText("GET /"));
    expect([exchanges.length, connection.mayKeepAlive]).toEqual([1, false]);
    done();
    expect(visitor.did).toEqual(["shutdown"]);
  });

  test("a malformed request is told what is wrong, as nothing of its own answer has begun, with a body", () => {
    const { visitor, done } = exchanging();
    visitor.send(requestText("HEAD /", "Accept: text/html"));
    visitor.connection.isAnswering = true;
    done();
    visitor.take();
    visitor.send("GARBAGE\r\n\r\n");
    expect(visitor.take()).toMatch(/^HTTP\/1\.1 400 [^]*}}\n$/);
  });

  test("one that has half-closed meanwhile is not waited for", () => {
    const { visitor, done } = exchanging();
    visitor.send(requestText("GET /"));
    visitor.connection.ended();
    done();
    expect([visitor.take(), visitor.did.join()]).toEqual(["answer", "end"]);
  });
});

describe("while an answer waits for its visitor", () => {
  const slow = () => {
    const one = exchanging();
    one.visitor.send(requestText("GET /1"));
    one.visitor.room = 0;
    one.done("x".repeat(1_000));
    one.visitor.take();
    return one;
  };

  test("what is sent ahead stays at the visitor beyond 64 KiB, and has its turn", () => {
    const { visitor, exchanges } = slow();
    visitor.send(requestText("GET /2", `X: ${"x".repeat(60_000)}`));
    expect(visitor.did).toEqual([]);
    visitor.send("x".repeat(10_000));
    expect(visitor.did).toEqual(["pause"]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([visitor.did.at(-1), exchanges.length]).toEqual(["resume", 2]);
  });

  test("and what is behind it, a server that leaves doesn't drop it", () => {
    const { visitor, exchanges } = slow();
    visitor.send(requestText("GET /2"));
    visitor.connection.closeIfIdle();
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([visitor.take().length, exchanges.length, visitor.did.length]).toEqual([1_000, 2, 0]);
  });

  test("one that takes all of it at last is an idle one, not one whose time is over", () => {
    const { visitor } = slow();
    visitor.room = Infinity;
    visitor.connection.expired(performance.now());
    expect([visitor.take().length, visitor.did.length]).toEqual([1_000, 0]);
  });

  test("who takes it slowly loses neither it nor what is behind it", () => {
    const { visitor, exchanges } = slow();
    visitor.send(requestText("GET /2"));
    visitor.room = 300;
    visitor.connection.expired(performance.now() + 60_000);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([visitor.take().length, exchanges.length, visitor.did.length]).toEqual([1_000, 2, 0]);
  });

  test("its time as an idle one has not begun", () => {
    const { visitor } = slow();
    visitor.room = 300;
    visitor.connection.deadline = 0;
    visitor.connection.drain();
    expect(visitor.connection.deadline).toBe(0);
    visitor.room = Infinity;
    visitor.connection.drain();
    const leftMs = visitor.connection.deadline - performance.now();
    expect(Math.round(leftMs / 100)).toBe(ingressLimits.idleTimeoutMs / 100);
  });
});

test("a long pipeline is not copied for each of its requests", () => {
  const { visitor, exchanges, done } = exchanging();
  const requests = 2_000;
  visitor.send(requestText("GET /").repeat(requests));
  const buffers = new Set<unknown>();
  while (exchanges.length < requests) {
    buffers.add(visitor.connection["pending"]?.buffer);
    done();
  }
  expect(buffers.size).toBeLessThan(20);
});

test("a connection that rests behind a large read moves as one that is read", () => {
  const visitor = fakeVisitor(
    (connection, head) => {
      if (head.target === "/here") connection.begin(new HeardExchange());
      else expect(connection.move(() => visitor.did.push("move") > 0)).toBe(true);
    },
    { ...ingressLimits, maxBodyBytes: Infinity },
  );
  const bytes = 300_000;
  visitor.send(
    `${requestText("POST /here", `Content-Length: ${bytes}`)}${"x".repeat(bytes)}${requestText("GET /there")}`,
  );
  visitor.connection.finish(true);
  expect(visitor.did).toEqual(["pause", "resume", "move"]);
});

test("a request that waited for its shard is read on", () => {
  let isThere = false;
  const exchange = new HeardExchange();
  const visitor = fakeVisitor((connection) => (isThere ? connection.begin(exchange) : connection.postpone(500)));
  visitor.send(requestText("POST /", "Content-Length: 4"));
  isThere = true;
  // One more read may have been under way when it was paused.
  visitor.send("bo");
  visitor.connection.retry();
  expect(visitor.did).toEqual(["pause", "resume"]);
  visitor.send("dy");
  expect(exchange.body).toBe("body");
});

test("a request whose shard didn't come in time is not routed after its refusal", () => {
  let routed = 0;
  const visitor = fakeVisitor((connection) => {
    routed++;
    const before = performance.now();
    connection.postpone(500);
    expect(connection.deadline).toBeWithin(before + 499, performance.now() + 501);
  });
  visitor.send(requestText("GET /"));
  visitor.send(requestText("GET /2"));
  expect(routed).toBe(1);
  visitor.connection.expired(performance.now());
  visitor.connection.retry();
  visitor.send(requestText("GET /3"));
  expect([routed, visitor.take().slice(0, 12)]).toEqual([1, "HTTP/1.1 503"]);
});

describe("a request that waits for its shard when the server leaves, which replaces none any more", () => {
  const late = () => fakeVisitor((connection) => connection.postpone(500));
  const answer = /^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n/;

  test("is answered at once", () => {
    const visitor = late();
    visitor.send(requestText("GET /"));
    visitor.connection.closeIfIdle();
    expect(visitor.take()).toMatch(answer);
    expect(visitor.did.at(-1)).toBe("shutdown");
  });

  test("is answered at once when its head comes later", () => {
    const visitor = late();
    visitor.send("GET / HT");
    visitor.connection.closeIfIdle();
    visitor.send(requestText("GET /").slice(8));
    expect(visitor.take()).toMatch(answer);
  });
});

test("a half-close from before a 101 is told once the connection is raw", () => {
  const { visitor, exchanges } = exchanging();
  visitor.send(requestText("GET /ws"));
  visitor.connection.ended();
  expect(exchanges[0]!.ended).toBe(false);
  visitor.connection.goRaw();
  expect(exchanges[0]!.ended).toBe(true);
});

test("who sent much behind an upgrade is read again once it is raw", () => {
  const { visitor, exchanges } = exchanging();
  visitor.send(requestText("GET /ws"));
  for (let i = 0; i < 2; i++) visitor.send("x".repeat(40_000));
  visitor.connection.goRaw();
  expect([visitor.did.join(), exchanges[0]!.body.length]).toEqual(["pause,resume", 80_000]);
});

describe("security", () => {
  test("a visitor has the time for a head once, however many lines it sends it in", () => {
    const { visitor } = exchanging();
    const leftMs = (): number => Math.round((visitor.connection.deadline - performance.now()) / 100) * 100;
    expect(leftMs()).toBe(ingressLimits.headTimeoutMs);
    visitor.send("GET / HTTP/1.1\r\n");
    expect(leftMs()).toBe(ingressLimits.headTimeoutMs);
    visitor.connection.deadline = 5;
    visitor.send("A: b\r\n");
    visitor.connection.drain();
    expect(visitor.connection.deadline).toBe(5);
  });

  test("a body beyond the limit is refused once, whatever comes with it", () => {
    const { visitor, exchanges } = exchanging();
    const chunk = `1f4\r\n${"x".repeat(500)}\r\n`;
    visitor.send(`${requestText("POST /", "Transfer-Encoding: chunked")}${chunk.repeat(4)}zz\r\n`);
    expect(visitor.take().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 413"]);
    expect([visitor.refused.length, exchanges[0]!.body.length]).toEqual([1, 1_000]);
  });

  test("what is left of a body is no request, whatever the exchange said about the connection", () => {
    const { visitor, exchanges, done } = exchanging();
    visitor.send(requestText("POST /", "Content-Length: 100"));
    done();
    visitor.send(requestText("GET /smuggled"));
    expect([exchanges.length, visitor.did.join()]).toEqual([1, "shutdown"]);
  });

  test("a head without a line end is not kept beyond 64 KiB", () => {
    const { visitor } = exchanging();
    visitor.send("GET /");
    for (let i = 0; i < 8; i++) visitor.send("x".repeat(10_000));
    expect(visitor.take()).toStartWith("HTTP/1.1 431 ");
  });

  test("a body of exactly MAX_BODY_BYTES passes", () => {
    const { maxBodyBytes } = ingressLimits;
    const body = "x".repeat(maxBodyBytes);
    for (const [line, framed] of [
      [`Content-Length: ${maxBodyBytes}`, body],
      ["Transfer-Encoding: chunked", `${maxBodyBytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
    ] as const) {
      const { visitor, exchanges } = exchanging();
      visitor.send(requestText("POST /", line) + framed);
      expect([exchanges[0]?.body.length, exchanges[0]?.ended]).toEqual([maxBodyBytes, true]);
    }
  });
});
