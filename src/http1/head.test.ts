// The head grammar, rule by rule: what is read, what is refused, and with which code.

import { describe, expect, test } from "bun:test";
import { ACCEPT, COOKIE, SET_COOKIE } from "./fields.ts";
import { Head, isSafeMethod } from "./head.ts";
import { INCOMPLETE, maxFields, maxHeadBytes, REFUSED } from "./parsing.ts";

const H = "Host: a.example\r\n";

function request(wire: string): Head & { answer: number } {
  const head = new Head();
  const bytes = Buffer.from(wire, "latin1");
  return Object.assign(head, { answer: head.parseRequest(bytes, 0, bytes.length) });
}

function response(wire: string): Head & { answer: number } {
  const head = new Head();
  const bytes = Buffer.from(wire, "latin1");
  return Object.assign(head, { answer: head.parseResponse(bytes, 0, bytes.length) });
}

/** Names of the fields that stay on this hop. */
const hops = (head: Head): string[] =>
  Array.from({ length: head.count }, (_, i) => i)
    .filter((i) => head.hop[i] === 1)
    .map((i) => Buffer.from(head.bytes.slice(head.nameStart[i], head.nameEnd[i])).toString("latin1"));

describe("request heads", () => {
  test("offsets, flags and values of a whole head", () => {
    const wire = `POST /p?q=1 HTTP/1.1\r\n${H}Content-Length: 12\r\nX-A:\t v w \t\r\nX-B:\r\nConnection: keep-alive\r\n\r\nbody`;
    const head = request(wire);
    expect(head.answer).toBe(wire.indexOf("\r\n\r\n") + 4);
    expect([head.method, head.target, head.minor, head.count]).toEqual(["POST", "/p?q=1", 1, 5]);
    expect([head.contentLength, head.chunked, head.close, head.keepAlive]).toEqual([12, false, false, true]);
    expect([head.value(head.host), head.value(2), head.value(3)]).toEqual(["a.example", "v w", ""]);
  });

  test("a head is parsed at any offset, and a Head is reusable", () => {
    const head = new Head();
    const first = Buffer.from(
      `....HEAD /1 HTTP/1.0\r\n${H}Connection: close, keep-alive, upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n`,
    );
    expect(head.parseRequest(first, 4, first.length)).toBe(first.length);
    expect([head.isHead, head.close, head.minor, head.upgrade]).toEqual([true, true, 0, 2]);
    expect([head.keepAlive, head.connectionUpgrade]).toEqual([true, true]);
    const second = Buffer.from(`GET /2 HTTP/1.1\r\n${H}\r\n`);
    expect(head.parseRequest(second, 0, second.length)).toBe(second.length);
    expect([head.isHead, head.close, head.minor, head.upgrade, head.contentLength, head.count]).toEqual([
      false,
      false,
      1,
      -1,
      -1,
      1,
    ]);
    expect([head.keepAlive, head.connectionUpgrade]).toEqual([false, false]);
  });

  test.each([
    ["/"],
    ["//a//b"],
    ["/%2e%2e/%2F"],
    ["/a/../b"],
    ["/a?b=c?d#".slice(0, -1)],
    ["/;x=1"],
    ["/~!$&'()*+,;=:@"],
    ['/[]{}<>|^`"'],
    ["/" + "a".repeat(8000)],
  ])("target %p is kept byte for byte", (target) => {
    expect(request(`GET ${target} HTTP/1.1\r\n${H}\r\n`).target).toBe(target);
  });

  test.each(["GET", "PATCH", "OPTIONS", "PROPFIND", "M-SEARCH", "X_Y", "A", "!#$%&'*+.^`|~", "A".repeat(32)])(
    "method %p passes",
    (method) => {
      expect(request(`${method} / HTTP/1.1\r\n${H}\r\n`).method).toBe(method);
    },
  );

  test.each([
    ["", false],
    ["Upgrade: websocket\r\n", false],
    ["Connection: upgrade\r\n", false],
    ["Connection: Upgrade\r\nUpgrade: WebSocket\r\n", true],
    ["Connection: keep-alive, UPGRADE\r\nUpgrade: websocket\r\n", true],
    ["Connection: upgrade\r\nUpgrade: h2c\r\n", false],
    ["Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", false],
    ["Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n", false],
  ] as const)("wantsWebSocket of %p is %p", (lines, wanted) => {
    expect(request(`GET / HTTP/1.1\r\n${H}${lines}\r\n`).wantsWebSocket).toBe(wanted);
  });

  test("an incomplete head asks for more, at every length", () => {
    const wire = `POST /a HTTP/1.1\r\n${H}Content-Length: 5\r\nX: y\r\n\r\n`;
    for (let length = 0; length < wire.length; length++) expect(request(wire.slice(0, length)).answer).toBe(INCOMPLETE);
    expect(request(wire).answer).toBe(wire.length);
  });

  test("the first field counts like any other", () => {
    const head = request(`GET / HTTP/1.1\r\nCookie: a\r\n${H}Cookie: b\r\n\r\n`);
    expect(head.only(COOKIE)).toBeNull();
    expect(request(`GET / HTTP/1.1\r\nCookie: a\r\n${H}\r\n`).only(COOKIE)).toBe("a");
    expect(request(`GET / HTTP/1.1\r\nUpgrade: websocket\r\n${H}Connection: upgrade\r\n\r\n`).wantsWebSocket).toBe(
      true,
    );
  });

  test("Connection options that only have the length of ours", () => {
    const head = request(`GET / HTTP/1.1\r\n${H}Connection: close_, clos3, keep.alive, upgrad3, [lose\r\n\r\n`);
    expect([head.close, head.keepAlive, head.connectionUpgrade]).toEqual([false, false, false]);
  });

  test("only() wants exactly one field", () => {
    const head = request(`GET / HTTP/1.1\r\n${H}Cookie: a\r\nCookie: b\r\nAccept: c\r\n\r\n`);
    expect([
      head.only(COOKIE),
      head.only(ACCEPT),
      head.only(SET_COOKIE),
      head.has(COOKIE),
      head.has(SET_COOKIE),
    ]).toEqual([null, "c", null, true, false]);
  });
});

describe("response heads", () => {
  test.each([
    ["HTTP/1.1 200 OK\r\n\r\n", 200],
    ["HTTP/1.0 599 \r\n\r\n", 599],
    ["HTTP/1.1 100 Continue\r\n\r\n", 100],
    ["HTTP/1.1 204\r\n\r\n", 204],
    ["HTTP/1.1 200 \xe9\t x\r\nA: b\r\n\r\n", 200],
  ] as const)("%p", (wire, status) => {
    const head = response(wire);
    expect([head.answer, head.status]).toEqual([wire.length, status]);
  });

  test("Transfer-Encoding is case-insensitive there", () => {
    expect(response("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n").chunked).toBe(true);
  });

  test("an incomplete head asks for more, at every length", () => {
    const wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n";
    for (let length = 0; length < wire.length; length++)
      expect(response(wire.slice(0, length)).answer).toBe(INCOMPLETE);
  });
});

describe("security", () => {
  test("leading zeros of Content-Length are a length, re-framed by the writer", () => {
    expect(request(`POST / HTTP/1.1\r\n${H}Content-Length: 0005\r\n\r\n`).contentLength).toBe(5);
    expect(request(`POST / HTTP/1.1\r\n${H}Content-Length: 999999999999999\r\n\r\n`).contentLength).toBe(
      999_999_999_999_999,
    );
  });

  test("hop-by-hop fields, in any case and with _ for -", () => {
    const lines =
      "CONNECTION: x\r\nkeep-Alive: 1\r\nkeep_alive: 2\r\nProxy-Connection: a\r\nProxy_Authenticate: b\r\nproxy-authorization: c\r\n" +
      "TE: trailers\r\nUpgrade: h2c\r\n";
    const head = request(`GET / HTTP/1.1\r\n${H}A: b\r\n${lines}\r\n`);
    expect(hops(head)).toEqual([
      "CONNECTION",
      "keep-Alive",
      "keep_alive",
      "Proxy-Connection",
      "Proxy_Authenticate",
      "proxy-authorization",
      "TE",
      "Upgrade",
    ]);
  });

  test("fields named by any Connection line, in any case, with _ for -, before or behind it", () => {
    const head = request(
      `GET / HTTP/1.1\r\n${H}x-a: 1\r\nConnection: X-A , ,\tx_b\t, \r\nX-B: 2\r\nX_A: 3\r\nConnection: x-c,close\r\nX-C: 4\r\nX-D: 5\r\n\r\n`,
    );
    expect(hops(head)).toEqual(["x-a", "Connection", "X-B", "X_A", "Connection", "X-C"]);
    expect(head.close).toBe(true);
  });

  test("Connection cannot take Host or the framing away", () => {
    const head = request(
      `POST / HTTP/1.1\r\n${H}Connection: host, content-length, transfer-encoding\r\nContent-Length: 5\r\n\r\n`,
    );
    expect(hops(head)).toEqual(["Connection"]);
  });

  test("Connection naming more than 32 fields is refused: each would be compared with every field", () => {
    const named = (count: number): Head & { answer: number } =>
      request(`GET / HTTP/1.1\r\n${H}Connection: ${"a,".repeat(count)}close\r\n\r\n`);
    expect(named(32).answer).toBeGreaterThan(0);
    expect(named(33).answer).toBe(REFUSED);
  });

  test(`${maxFields} fields pass, one more is 431`, () => {
    const filled = (count: number): string => `GET / HTTP/1.1\r\n${H}${"A: b\r\n".repeat(count - 1)}\r\n`;
    expect(request(filled(maxFields)).count).toBe(maxFields);
    expect([request(filled(maxFields + 1)).answer, request(filled(maxFields + 1)).error]).toEqual([
      REFUSED,
      "head_too_large",
    ]);
    const answer = response(`HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(maxFields + 1)}\r\n`);
    expect([answer.answer, answer.error]).toEqual([REFUSED, "head_too_large"]);
  });

  test.each([
    "GET /",
    `GET / HTTP/1.1\r\n${H}A`,
    `GET / HTTP/1.1\r\n${H}A: `,
    "HTTP/1.1 200 ",
    "HTTP/1.1 200 OK\r\nA: ",
  ])("64 KiB pass, one byte more is 431: %p", (start) => {
    const tail =
      start.startsWith("GET /") && !start.includes("\r")
        ? ` HTTP/1.1\r\n${H}\r\n`
        : start.endsWith("A")
          ? ": b\r\n\r\n"
          : "\r\n\r\n";
    const parse = start.startsWith("HTTP") ? response : request;
    const filled = (bytes: number): string => start + "a".repeat(bytes - start.length - tail.length) + tail;
    expect(parse(filled(maxHeadBytes)).answer).toBe(maxHeadBytes);
    for (const wire of [filled(maxHeadBytes + 1), filled(maxHeadBytes + 5000), start + "a".repeat(maxHeadBytes)]) {
      expect([parse(wire).answer, parse(wire).error]).toEqual([REFUSED, "head_too_large"]);
    }
    // At the limit a head that isn't complete never will be.
    expect(parse((start + "a".repeat(maxHeadBytes)).slice(0, maxHeadBytes)).answer).toBe(REFUSED);
    expect(parse((start + "a".repeat(maxHeadBytes)).slice(0, maxHeadBytes - 1)).answer).toBe(INCOMPLETE);
  });
});

test("only GET, HEAD and OPTIONS are known to be safe, not what looks like them", () => {
  const isSafe = (method: string): boolean => isSafeMethod(Buffer.from(`x${method} / HTTP/1.1\r\n`), 1);
  expect(["GET", "HEAD", "OPTIONS"].map(isSafe)).toEqual([true, true, true]);
  const others = ["GEX", "GETS", "HEAL", "HEADS", "OPERATE", "OPTION", "POST", "PUT", "DELETE", "PATCH", "G", "get"];
  expect(others.filter(isSafe)).toEqual([]);
});
