// A visitor's connection without a socket: order of requests, refusals, deadlines and ends.

import { describe, expect, test } from "bun:test";
import {
  type FakeVisitor,
  fakeVisitor,
  HeardExchange,
  ingressLimits,
  requestText,
} from "../../test/helpers/fake-visitor.ts";
import type { VisitorConnection } from "./connection.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

function reply(connection: VisitorConnection, text = ok): void {
  const bytes = Buffer.from(text);
  connection.write(bytes, 0, bytes.length);
  connection.finish(connection.mayKeepAlive);
}

/** A visitor whose requests all begin an exchange; the newest is last. */
function exchanging(): FakeVisitor & { exchanges: HeardExchange[]; targets: string[] } {
  const exchanges: HeardExchange[] = [];
  const targets: string[] = [];
  const visitor = fakeVisitor((connection, head) => {
    const exchange = new HeardExchange();
    exchanges.push(exchange);
    targets.push(head.target);
    connection.begin(exchange);
  });
  return Object.assign(visitor, { exchanges, targets });
}

describe("requests", () => {
  test("pipelined ones are handled one by one, in order", () => {
    const visitor = exchanging();
    visitor.send(requestText("GET /1") + requestText("POST /2", "Content-Length: 3") + "abc" + requestText("GET /3"));
    expect(visitor.targets).toEqual(["/1"]);
    reply(visitor.connection);
    expect(visitor.targets).toEqual(["/1", "/2"]);
    expect([visitor.exchanges[1]!.body, visitor.exchanges[1]!.ended]).toEqual(["abc", true]);
    reply(visitor.connection);
    expect(visitor.targets).toEqual(["/1", "/2", "/3"]);
    expect(visitor.take()).toBe(ok + ok);
  });

  test("a head may come byte by byte", () => {
    const visitor = exchanging();
    for (const char of requestText("GET /slow")) visitor.send(char);
    expect(visitor.targets).toEqual(["/slow"]);
  });

  test("what is pipelined behind a running exchange stops being read at some point, and goes on", () => {
    const visitor = exchanging();
    visitor.send(requestText("GET /1"));
    visitor.send("G".repeat(70_000));
    expect(visitor.did).toEqual(["pause"]);
    reply(visitor.connection);
    expect(visitor.did).toContain("resume");
  });

  test("routing may answer at once, also many times in a row", () => {
    const visitor = fakeVisitor((connection) => reply(connection));
    visitor.send(requestText("GET /").repeat(1_000));
    expect(visitor.take()).toBe(ok.repeat(1_000));
  });

  test("a request that nobody can take waits, is routed again, or is refused", () => {
    let ready = false;
    const route = (connection: VisitorConnection): void => (ready ? reply(connection) : connection.postpone(500));
    const visitor = fakeVisitor(route);
    visitor.send(requestText("GET /"));
    expect(visitor.take()).toBe("");
    ready = true;
    visitor.connection.retry();
    expect(visitor.take()).toBe(ok);
    ready = false;
    visitor.send(requestText("GET /"));
    visitor.connection.expired(performance.now());
    expect(visitor.take()).toStartWith("HTTP/1.1 503 ");
  });
});

describe("ends", () => {
  test("after `Connection: close` the socket ends; without it the visitor may still send", () => {
    const closing = fakeVisitor((connection) => reply(connection));
    closing.send(requestText("GET /", "Connection: close"));
    expect(closing.did).toEqual(["end"]);
    const refused = fakeVisitor((connection) => connection.answer("not_found"));
    refused.send(requestText("POST /", "Content-Length: 100"));
    expect(refused.take()).toContain("\r\nConnection: close\r\n");
    expect(refused.did).toEqual(["shutdown"]);
    refused.send("x".repeat(100));
    refused.connection.expired(performance.now());
    expect(refused.did).toEqual(["shutdown", "end"]);
  });

  test("an answer that the kernel doesn't take yet leaves before the end", () => {
    const visitor = fakeVisitor((connection) => reply(connection));
    visitor.room = 10;
    visitor.send(requestText("GET /", "Connection: close"));
    expect(visitor.did).toEqual([]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect(visitor.take()).toBe(ok);
    expect(visitor.did).toEqual(["end"]);
  });

  test("a visitor that is gone ends its exchange once", () => {
    const visitor = exchanging();
    visitor.send(requestText("GET /"));
    visitor.connection.closed();
    expect(visitor.exchanges[0]!.aborted).toBe("the visitor closed the connection");
    expect(visitor.released).toBe(1);
  });

  test("one that half-closes in the middle of a body breaks off", () => {
    const visitor = exchanging();
    visitor.send(`${requestText("POST /", "Content-Length: 10")}abc`);
    visitor.connection.ended();
    expect([visitor.exchanges[0]!.aborted === null, visitor.did]).toEqual([false, ["terminate"]]);
  });

  test("one that half-closes between its requests has left", () => {
    const visitor = fakeVisitor((connection) => reply(connection));
    visitor.send(requestText("GET /"));
    visitor.take();
    visitor.connection.ended();
    expect([visitor.take(), visitor.did]).toEqual(["", ["end"]]);
  });

  test("an idle connection closes after its time, a late head gets 408", () => {
    const idle = fakeVisitor((connection) => reply(connection));
    idle.send(requestText("GET /"));
    idle.take();
    expect(idle.connection.deadline - performance.now()).toBeGreaterThan(ingressLimits.idleTimeoutMs / 2);
    idle.connection.expired(performance.now());
    expect([idle.take(), idle.did]).toEqual(["", ["shutdown"]]);
    const late = fakeVisitor((connection) => reply(connection));
    late.send("GET / HT");
    late.connection.expired(performance.now());
    expect(late.take()).toStartWith("HTTP/1.1 408 ");
  });

  test("a late head's 408 has a body, whatever the request before it was", () => {
    const visitor = fakeVisitor((connection) => reply(connection));
    visitor.send(requestText("HEAD /", "Accept: text/html"));
    visitor.take();
    visitor.send("GET / HT");
    visitor.connection.expired(performance.now());
    expect(visitor.take()).toEndWith("}}\n");
  });

  test("a server that leaves closes what is idle, and the rest after its answer", () => {
    const idle = exchanging();
    idle.connection.closeIfIdle();
    expect(idle.did).toEqual(["shutdown"]);
    const busy = exchanging();
    busy.send(requestText("GET /"));
    busy.connection.closeIfIdle();
    expect(busy.did).toEqual([]);
    reply(busy.connection);
    expect(busy.did).toEqual(["shutdown"]);
  });
});

describe("security", () => {
  test.each([
    ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n", 421],
    [requestText("POST /", "Content-Length: 1001"), 413],
    [`${requestText("POST /", "Transfer-Encoding: chunked")}zz\r\n`, 400],
  ])("%j is refused, closes, and nothing behind it is served", (bytes, status) => {
    const visitor = exchanging();
    visitor.send(bytes + requestText("GET /smuggled"));
    expect(visitor.take()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n`));
    expect(visitor.targets).not.toContain("/smuggled");
    expect(visitor.did).toEqual(["shutdown"]);
    expect(visitor.refused).toHaveLength(1);
  });

  test("a chunked body that grows beyond the limit ends its exchange", () => {
    const visitor = exchanging();
    visitor.send(requestText("POST /", "Transfer-Encoding: chunked"));
    for (let i = 0; i < 3; i++) visitor.send(`1f4\r\n${"x".repeat(500)}\r\n`);
    expect(visitor.exchanges[0]!.aborted).toContain("MAX_BODY_BYTES");
    expect(visitor.take()).toStartWith("HTTP/1.1 413 ");
  });
});

describe("security", () => {
  const https = { ...ingressLimits, scheme: "https" as const };
  const hosted = (host: string, start = "GET /"): string => requestText(start, `Host: ${host}`);
  const tooLarge = `X: ${"a".repeat(70_000)}\r\n`;

  test.each([
    ["400 of no host", "GET / HTTP/1.1\r\n\r\n", true],
    ["400 of a malformed host", hosted("a b"), true],
    ["405", hosted("tunnel.test", "TRACE /"), true],
    ["413", requestText("POST /", "Host: tunnel.test", "Content-Length: 5000"), true],
    ["404 of the router", hosted("tunnel.test"), true],
    ["431", `GET / HTTP/1.1\r\nHost: tunnel.test\r\n${tooLarge}\r\n`, true],
    ["404 of a tunnel", hosted("app.tunnel.test"), false],
    ["431 of a tunnel", `GET / HTTP/1.1\r\nHost: app.tunnel.test\r\n${tooLarge}\r\n`, false],
    ["413 of a tunnel", requestText("POST /", "Host: app.tunnel.test", "Content-Length: 5000"), false],
    ["421", hosted("elsewhere.test"), false],
  ])("%s: devices are refused, and TLS is kept to where the host is or may be ours", (status, bytes, isOurs) => {
    for (const settings of [https, ingressLimits]) {
      const visitor = fakeVisitor((connection) => connection.answer("not_found"), settings);
      visitor.send(bytes);
      const answer = visitor.take();
      expect(answer).toStartWith(`HTTP/1.1 ${status.slice(0, 3)} `);
      expect(answer).toContain("\r\nPermissions-Policy: camera=()");
      expect(answer.includes("\r\nStrict-Transport-Security: max-age=")).toBe(isOurs && settings === https);
    }
  });
});
