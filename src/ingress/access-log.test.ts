// Lines of the access log: one for each request that this thread answers or breaks off, none for what it hands on.

import { afterEach, describe, expect, jest, test } from "bun:test";
import { fakeVisitor, HeardExchange, ingressLimits, requestText } from "../../test/helpers/fake-visitor.ts";
import { createCidrList } from "../lib/cidr.ts";
import { AccessLog } from "./access-log.ts";
import type { VisitorConnection } from "./connection.ts";

type Line = Record<string, unknown>;
const nothingSaid = { status: 0, bytesIn: 0, bytesOut: 0, requestId: "", whole: true };

afterEach(() => void jest.useRealTimers());

/** A visitor whose requests all begin an exchange, unless `route` does something else. */
function setUp(
  route?: (connection: VisitorConnection) => void,
  options: { trusted?: string[]; logQuery?: boolean } = {},
) {
  const { trusted = [], logQuery = false } = options;
  const texts: string[] = [];
  const send = (lines: string, count: number): void => {
    expect(lines.split("\n")).toHaveLength(count + 1);
    texts.push(...lines.trimEnd().split("\n"));
  };
  const log = new AccessLog({ trusted: createCidrList(trusted), logQuery, send });
  const begin = (connection: VisitorConnection): void => connection.begin(new HeardExchange());
  const visitor = fakeVisitor(route ?? begin, ingressLimits, log);
  const raw = (): string[] => (log.flush(), texts.splice(0));
  const lines = (): Line[] => raw().map((line) => JSON.parse(line) as Line);
  return { visitor, connection: visitor.connection, log, raw, lines, texts };
}

function reply(connection: VisitorConnection, text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"): void {
  connection.status = Number(text.slice(9, 12));
  connection.write(Buffer.from(text), 0, text.length);
  connection.finish(connection.mayKeepAlive);
}

test("a request has one line, when it is over, with all that is known of it", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send(`${requestText("POST /a/b?secret=1", "Content-Length: 3", "X-Ten-Char: 1", "User-Agent: curl/8")}abc`);
  expect(lines()).toEqual([]);
  connection.access!.user = "ada";
  reply(connection);
  expect(lines()).toEqual([
    {
      ...{ time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), address: "192.0.2.1", user: "ada" },
      ...{ host: "app.tunnel.test", method: "POST", path: "/a/b", status: 200, whole: true },
      ...{ bytesIn: 3, bytesOut: 40, durationMs: expect.any(Number) },
      ...{ requestId: connection.requestId, userAgent: "curl/8" },
    },
  ]);
  visitor.send(requestText("GET /again"));
  reply(connection, "HTTP/1.1 304 Not Modified\r\n\r\n");
  connection.closed();
  expect(lines()).toMatchObject([{ path: "/again", user: null, status: 304, bytesIn: 0, bytesOut: 29, userAgent: "" }]);
});

test("pipelined requests have a line each, with what each of them cost", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send(requestText("GET /1") + requestText("GET /2"));
  for (let i = 0; i < 2; i++) reply(connection);
  expect(lines()).toMatchObject([
    { path: "/1", bytesOut: 40 },
    { path: "/2", bytesOut: 40 },
  ]);
});

test("lines leave together, after a quarter of a second or when they are 64 KiB", () => {
  jest.useFakeTimers();
  const { log, texts } = setUp();
  const told = (afterMs: number): number => {
    jest.advanceTimersByTime(afterMs);
    return texts.splice(0).length;
  };
  const end = (userAgent = ""): void => log.ended({ ...log.unread("192.0.2.1"), ...nothingSaid, userAgent });
  for (let i = 0; i < 2; i++) {
    end();
    expect(told(200)).toBe(0);
    end();
    expect([told(49), told(1), told(1_000)]).toEqual([0, 2, 0]);
  }
  end();
  expect(told(200)).toBe(0);
  let large = 0;
  for (; texts.length === 0; large++) end("x".repeat(1_024));
  expect([large > 40, large < 64, told(0)]).toEqual([true, true, large + 1]);
  // What comes next has a quarter of a second of its own.
  end();
  expect([told(249), told(1)]).toEqual([0, 1]);
});

test("what we answer ourselves counts", () => {
  const answers: ((connection: VisitorConnection) => void)[] = [
    (connection) => connection.answer("tunnel_not_found"),
    (connection) => connection.redirect("/elsewhere"),
  ];
  const { visitor, lines } = setUp((connection) => answers.shift()!(connection));
  visitor.send(requestText("GET /1") + requestText("GET /2"));
  expect(lines()).toMatchObject([
    { path: "/1", status: 404, whole: true },
    { path: "/2", status: 302, whole: true },
  ]);
});

test.each([
  ["a malformed head", "GET /a b c\r\n\r\n", { address: "192.0.2.1", method: "", path: "", status: 400 }],
  ["a body that is too large", requestText("POST /up", "Content-Length: 5000"), { path: "/up", status: 413 }],
  [
    "a body that is malformed",
    `${requestText("POST /up", "Transfer-Encoding: chunked")}x\r\n`,
    { path: "/up", status: 400 },
  ],
  ["a host that is not served", requestText("GET /", "Host: elsewhere.test"), { host: "elsewhere.test", status: 421 }],
])("%s has one line", (_, text, expected) => {
  const { visitor, connection, lines } = setUp();
  visitor.send(text);
  connection.closed();
  expect(lines()).toMatchObject([{ ...expected, whole: true }]);
});

test("what is malformed behind a request has none of its bytes", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send(`${requestText("POST /", "Content-Length: 3")}abc`);
  reply(connection);
  visitor.send("GET / b c\r\n\r\n");
  expect(lines()).toMatchObject([
    { path: "/", bytesIn: 3, status: 200 },
    { path: "", bytesIn: 0, status: 400 },
  ]);
});

test("a head that never comes has one line, a connection that says nothing none", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send("GET / HT");
  connection.expired(performance.now() + 60_000);
  connection.closed();
  expect(lines()).toMatchObject([{ address: "192.0.2.1", status: 408, whole: true }]);
  const silent = setUp();
  silent.connection.closed();
  expect(silent.lines()).toEqual([]);
});

test.each([
  ["the visitor leaves before its answer", (connection: VisitorConnection) => connection.closed(), 0],
  [
    "it is broken off",
    (connection: VisitorConnection) => {
      connection.status = 200;
      connection.destroy();
      connection.closed();
    },
    200,
  ],
])("where %s the line says that it is not whole, once", (_, end, status) => {
  const { visitor, connection, lines } = setUp();
  visitor.send(requestText("GET /"));
  end(connection);
  expect(lines()).toMatchObject([{ status, whole: false }]);
});

test("bytes that the visitor never took are not told as sent to it", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send(requestText("GET /"));
  visitor.room = 10;
  connection.write(Buffer.from("x".repeat(100)), 0, 100);
  visitor.take();
  connection.closed();
  expect(lines()).toMatchObject([{ bytesOut: 10, whole: false }]);
});

test("a WebSocket has its line at the end, with the bytes of both directions", () => {
  const { visitor, connection, lines } = setUp();
  visitor.send(requestText("GET /ws"));
  connection.status = 101;
  connection.goRaw();
  visitor.send("hello");
  visitor.send("you");
  connection.write(Buffer.from("world!"), 0, 6);
  expect(lines()).toEqual([]);
  connection.close();
  connection.closed();
  expect(lines()).toMatchObject([{ path: "/ws", status: 101, bytesIn: 8, bytesOut: 6, whole: true }]);
});

test("what moves on is told by whoever takes it; where nobody does, by us", () => {
  for (const taken of [true, false]) {
    const { visitor, lines } = setUp((connection) => {
      const isMoved = connection.move(() => {
        if (taken) connection.closed();
        return taken;
      });
      if (!isMoved) connection.answer("unavailable");
    });
    visitor.send(requestText("GET /"));
    expect(lines()).toMatchObject(taken ? [] : [{ path: "/", status: 503 }]);
  }
});

test("what becomes a pipe is no request", () => {
  const { visitor, lines } = setUp((connection) => connection.pipe(() => ({ closed() {} }) as never));
  visitor.send(requestText("GET /_tunnel/s/0"));
  expect(lines()).toEqual([]);
});

test("a TCP connection has a line of the same fields", () => {
  const { log, lines, visitor, connection } = setUp();
  visitor.send(requestText("GET /"));
  reply(connection);
  const at = { startedAt: performance.now(), address: "192.0.2.7", host: "tunnel.test:20007" };
  log.tcp({ ...at, bytesIn: 5, bytesOut: 7 });
  const [http, tcp] = lines();
  expect(Object.keys(tcp!).toSorted()).toEqual(Object.keys(http!).toSorted());
  const said = { address: "192.0.2.7", host: "tunnel.test:20007", method: "TCP", path: "", status: 0 };
  expect(tcp).toMatchObject({ ...said, bytesIn: 5, bytesOut: 7, whole: true });
});

describe("security", () => {
  test("nothing that a visitor says begins another line, moves a terminal, or makes one longer than a few KB", () => {
    const { visitor, connection, raw } = setUp();
    visitor.send(requestText(`GET /${"a".repeat(9_000)}`, `User-Agent: "\x9b31m\x85\xff${"b".repeat(9_000)}`));
    reply(connection);
    const [line = "", ...more] = raw();
    expect(more).toEqual([]);
    // oxlint-disable-next-line no-control-regex -- that there are none is the point
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/);
    expect(line.length).toBeLessThan(6_000);
    expect((JSON.parse(line) as { userAgent: string }).userAgent).toStartWith('"\x9b31m\x85ÿbbb');
  });

  test.each([
    ["method", `${"A".repeat(30_000)} / HTTP/1.1\r\nHost: app.tunnel.test\r\n\r\n`],
    ["host", `GET / HTTP/1.1\r\nHost: ${"\\\xff".repeat(10_000)}\r\n\r\n`],
  ])("a %s of any length makes no long line", (_, text) => {
    const { visitor, connection, raw } = setUp((routed) => routed.answer("not_found"));
    visitor.send(text);
    connection.closed();
    const [line = ""] = raw();
    expect([line.length > 100, line.length < 9_000]).toEqual([true, true]);
  });

  test("who a visitor claims to be behind is believed of trusted proxies only", () => {
    const ask = requestText("GET /", "X-Forwarded-For: 198.51.100.4, 203.0.113.9");
    for (const [trusted, address] of [
      [[], "192.0.2.1"],
      [["192.0.2.0/24"], "203.0.113.9"],
    ] as const) {
      const { visitor, connection, lines } = setUp(undefined, { trusted: [...trusted] });
      visitor.send(ask);
      reply(connection);
      expect(lines()).toMatchObject([{ address }]);
    }
  });

  test("query strings are kept only where they are wanted", () => {
    const { visitor, connection, lines } = setUp(undefined, { logQuery: true });
    visitor.send(requestText("GET /?token=secret"));
    reply(connection);
    expect(lines()).toMatchObject([{ path: "/?token=secret" }]);
  });
});
