// The head grammar, rule by rule: what is read, what is refused, and with which code.

import { describe, expect, test } from "bun:test";
import { Head, INCOMPLETE, maxFields, maxHeadBytes, REFUSED } from "./head.ts";

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
      `....HEAD /1 HTTP/1.0\r\n${H}Connection: close\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\n`,
    );
    expect(head.parseRequest(first, 4, first.length)).toBe(first.length);
    expect([head.isHead, head.close, head.minor, head.upgrade]).toEqual([true, true, 0, 2]);
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

  test.each(["GET", "PROPFIND", "M-SEARCH", "X_Y", "A", "!#$%&'*+.^`|~", "A".repeat(32)])(
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

  test("only() wants exactly one field", () => {
    const head = request(`GET / HTTP/1.1\r\n${H}Cookie: a\r\nCookie: b\r\nAccept: c\r\n\r\n`);
    expect([head.only(17), head.only(16), head.only(18), head.has(17), head.has(18)]).toEqual([
      null,
      "c",
      null,
      true,
      false,
    ]);
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
  const refusedRequests: Record<string, string> = {
    "leading space": ` GET / HTTP/1.1\r\n${H}\r\n`,
    "leading CRLF": `\r\nGET / HTTP/1.1\r\n${H}\r\n`,
    "lower-case method": `get / HTTP/1.1\r\n${H}\r\n`,
    "empty method": ` / HTTP/1.1\r\n${H}\r\n`,
    "method with a colon": `GET: / HTTP/1.1\r\n${H}\r\n`,
    "method with NUL": `GE\0T / HTTP/1.1\r\n${H}\r\n`,
    "method of 33 bytes": `${"A".repeat(33)} / HTTP/1.1\r\n${H}\r\n`,
    "tab behind the method": `GET\t/ HTTP/1.1\r\n${H}\r\n`,
    "two spaces behind the method": `GET  / HTTP/1.1\r\n${H}\r\n`,
    "two spaces behind the target": `GET /  HTTP/1.1\r\n${H}\r\n`,
    "tab behind the target": `GET /\tHTTP/1.1\r\n${H}\r\n`,
    "no version": `GET /\r\n${H}\r\n`,
    "HTTP/0.9": `GET / HTTP/0.9\r\n${H}\r\n`,
    "HTTP/1.2": `GET / HTTP/1.2\r\n${H}\r\n`,
    "HTTP/2.0": `GET / HTTP/2.0\r\n${H}\r\n`,
    "HTTP/1.10": `GET / HTTP/1.10\r\n${H}\r\n`,
    "lower-case version": `GET / http/1.1\r\n${H}\r\n`,
    "space behind the version": `GET / HTTP/1.1 \r\n${H}\r\n`,
    "version ends with LF": `GET / HTTP/1.1\n${H}\r\n`,
    "version ends with CR": `GET / HTTP/1.1\r${H}\r\n`,
    "PRI of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "absolute-form": `GET http://a.example/ HTTP/1.1\r\n${H}\r\n`,
    "authority-form": `GET a.example:80 HTTP/1.1\r\n${H}\r\n`,
    "asterisk-form": `OPTIONS * HTTP/1.1\r\n${H}\r\n`,
    "target without a slash": `GET ?a HTTP/1.1\r\n${H}\r\n`,
    fragment: `GET /a#b HTTP/1.1\r\n${H}\r\n`,
    backslash: `GET /a\\b HTTP/1.1\r\n${H}\r\n`,
    "NUL in the target": `GET /a\0 HTTP/1.1\r\n${H}\r\n`,
    "DEL in the target": `GET /a\x7f HTTP/1.1\r\n${H}\r\n`,
    "8-bit byte in the target": `GET /\xe9 HTTP/1.1\r\n${H}\r\n`,
    "CR in the target": `GET /a\rb HTTP/1.1\r\n${H}\r\n`,
    "LF in the target": `GET /a\nb HTTP/1.1\r\n${H}\r\n`,
    "no Host": "GET / HTTP/1.1\r\nA: b\r\n\r\n",
    "no Host in HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
    "two Hosts": `GET / HTTP/1.1\r\n${H}${H}\r\n`,
    "two Hosts of another case": `GET / HTTP/1.1\r\n${H}hOST: b\r\n\r\n`,
    "obs-fold": `GET / HTTP/1.1\r\n${H}A: b\r\n c\r\n\r\n`,
    "obs-fold with a tab": `GET / HTTP/1.1\r\n${H}A: b\r\n\tc\r\n\r\n`,
    "folded first line": `GET / HTTP/1.1\r\n ${H}\r\n`,
    "bare LF between fields": `GET / HTTP/1.1\r\n${H}A: b\nC: d\r\n\r\n`,
    "bare CR between fields": `GET / HTTP/1.1\r\n${H}A: b\rC: d\r\n\r\n`,
    "bare LF at the end": `GET / HTTP/1.1\r\n${H}\n\n`,
    "CR CR LF at the end": `GET / HTTP/1.1\r\n${H}\r\r\n\r\n`,
    "CR and no LF at the end": `GET / HTTP/1.1\r\n${H}\rX`,
    "NUL in a value": `GET / HTTP/1.1\r\n${H}A: b\0\r\n\r\n`,
    "DEL in a value": `GET / HTTP/1.1\r\n${H}A: b\x7f\r\n\r\n`,
    "vertical tab in a value": `GET / HTTP/1.1\r\n${H}A: \x0b\r\n\r\n`,
    "escape in a value": `GET / HTTP/1.1\r\n${H}A: \x1b[0m\r\n\r\n`,
    "space before the colon": `GET / HTTP/1.1\r\n${H}A : b\r\n\r\n`,
    "tab before the colon": `GET / HTTP/1.1\r\n${H}A\t: b\r\n\r\n`,
    "no colon": `GET / HTTP/1.1\r\n${H}A\r\n\r\n`,
    "empty name": `GET / HTTP/1.1\r\n${H}: b\r\n\r\n`,
    "space in a name": `GET / HTTP/1.1\r\n${H}A B: c\r\n\r\n`,
    "8-bit byte in a name": `GET / HTTP/1.1\r\n${H}\xc9: c\r\n\r\n`,
    "NUL in a name": `GET / HTTP/1.1\r\n${H}A\0: c\r\n\r\n`,
    "parenthesis in a name": `GET / HTTP/1.1\r\n${H}A(: c\r\n\r\n`,
    "slash in a name": `GET / HTTP/1.1\r\n${H}A/B: c\r\n\r\n`,
    "quote in a name": `GET / HTTP/1.1\r\n${H}"A": c\r\n\r\n`,
  };
  const framing: Record<string, string> = {
    "CL and TE": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "TE and CL": "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "CL 0 and TE": "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "differing CL": "Content-Length: 5\r\nContent-Length: 6\r\n",
    "repeated CL": "Content-Length: 5\r\nContent-Length: 5\r\n",
    "repeated CL 0": "Content-Length: 0\r\ncontent-length: 0\r\n",
    "CL list": "Content-Length: 5, 5\r\n",
    "CL list without space": "Content-Length: 5,5\r\n",
    "CL plus": "Content-Length: +5\r\n",
    "CL minus": "Content-Length: -5\r\n",
    "CL hexadecimal": "Content-Length: 0x5\r\n",
    "CL hexadecimal digit": "Content-Length: a\r\n",
    "CL exponent": "Content-Length: 5e0\r\n",
    "CL fraction": "Content-Length: 5.0\r\n",
    "CL underscore": "Content-Length: 1_0\r\n",
    "CL quoted": 'Content-Length: "5"\r\n',
    "CL empty": "Content-Length:\r\n",
    "CL blank": "Content-Length: \t \r\n",
    "CL inner space": "Content-Length: 1 0\r\n",
    "CL of 8-bit space": "Content-Length: \xa05\r\n",
    "CL tab behind": "Content-Length: 5\t\r\n",
    "CL too long": "Content-Length: 1000000000000000\r\n",
    "CL too many zeros": "Content-Length: 0000000000000005\r\n",
    "CL beyond 64 bits": "Content-Length: 18446744073709551621\r\n",
    "CL spelled with _": "Content_Length: 5\r\n",
    "CL with space before colon": "Content-Length : 5\r\n",
    "CL folded": "Content-Length:\r\n 5\r\n",
    "TE gzip": "Transfer-Encoding: gzip\r\n",
    "TE identity": "Transfer-Encoding: identity\r\n",
    "TE gzip, chunked": "Transfer-Encoding: gzip, chunked\r\n",
    "TE chunked, gzip": "Transfer-Encoding: chunked, gzip\r\n",
    "TE chunked, chunked": "Transfer-Encoding: chunked, chunked\r\n",
    "TE chunked, identity": "Transfer-Encoding: chunked, identity\r\n",
    "TE chunked,": "Transfer-Encoding: chunked,\r\n",
    "TE ,chunked": "Transfer-Encoding: ,chunked\r\n",
    "TE repeated": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "TE and identity": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "TE empty": "Transfer-Encoding:\r\n",
    "TE quoted": 'Transfer-Encoding: "chunked"\r\n',
    "TE parameter": "Transfer-Encoding: chunked;q=1\r\n",
    "TE prefix": "Transfer-Encoding: xchunked\r\n",
    "TE suffix": "Transfer-Encoding: chunkedx\r\n",
    "TE with NUL": "Transfer-Encoding: chunked\0\r\n",
    "TE with vertical tab": "Transfer-Encoding: \x0bchunked\r\n",
    "TE with 8-bit space": "Transfer-Encoding: chunked\xa0\r\n",
    "TE tab behind": "Transfer-Encoding: chunked \t\r\n",
    "TE spelled with _": "Transfer_Encoding: chunked\r\n",
    "TE with space before colon": "Transfer-Encoding : chunked\r\n",
    "TE folded": "Transfer-Encoding:\r\n chunked\r\n",
    "TE behind a bare LF": "A: b\nTransfer-Encoding: chunked\r\n",
  };

  test.each(Object.entries(refusedRequests))("request refused: %s", (_, wire) => {
    const head = request(wire);
    expect([head.answer, head.error]).toEqual([REFUSED, "bad_request"]);
    expect(head.detail).not.toBe("");
  });

  test.each(Object.entries(framing))("framing refused, in requests and responses: %s", (_, lines) => {
    expect(request(`POST / HTTP/1.1\r\n${H}${lines}\r\n`).answer).toBe(REFUSED);
    expect(response(`HTTP/1.1 200 OK\r\n${lines}\r\n`).answer).toBe(REFUSED);
  });

  test("requests want chunked in exactly this spelling", () => {
    expect(request(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: Chunked\r\n\r\n`).answer).toBe(REFUSED);
    expect(request(`POST / HTTP/1.1\r\n${H}tRANSFER-eNCODING:  chunked\r\n\r\n`).chunked).toBe(true);
  });

  test("Transfer-Encoding on HTTP/1.0 is refused", () => {
    expect(request(`POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`).answer).toBe(REFUSED);
    expect(response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").answer).toBe(REFUSED);
  });

  test.each(["CONNECT a.example:443", "CONNECT /", "TRACE /"])("%s", (line) => {
    const head = request(`${line} HTTP/1.1\r\n${H}\r\n`);
    // The authority-form of CONNECT fails already as a target.
    expect([head.answer, head.error]).toEqual([REFUSED, line.includes(":") ? "bad_request" : "method_not_allowed"]);
  });

  test.each(
    Object.entries({
      "status 099": "HTTP/1.1 099 x\r\n\r\n",
      "status 600": "HTTP/1.1 600 x\r\n\r\n",
      "status 20": "HTTP/1.1 20 xx\r\n\r\n",
      "status 2000": "HTTP/1.1 2000 OK\r\n\r\n",
      "status 2x0": "HTTP/1.1 2x0 OK\r\n\r\n",
      "status +20": "HTTP/1.1 +20 OK\r\n\r\n",
      "two spaces": "HTTP/1.1  200 OK\r\n\r\n",
      "no HTTP": "hello, I am not HTTP",
      "HTTP/2": "HTTP/2 200 OK\r\n\r\n\r\n",
      "LF in the reason": "HTTP/1.1 200 O\nK\r\n\r\n",
      "CR in the reason": "HTTP/1.1 200 O\rK: v\r\n\r\n",
      "NUL in the reason": "HTTP/1.1 200 \0\r\n\r\n",
      ICY: "ICY 200 OK\r\n\r\n",
      "obs-fold": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
      "NUL in a value": "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
      "bare LF": "HTTP/1.1 200 OK\nA: b\n\n\n\n",
      "bad name": "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
      "space before colon": "HTTP/1.1 200 OK\r\nA : c\r\n\r\n",
    }),
  )("response refused: %s", (_, wire) => {
    expect(response(wire).answer).toBe(REFUSED);
  });

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
      `GET / HTTP/1.1\r\n${H}x-a: 1\r\nConnection: X-A , ,\tx_b\r\nX-B: 2\r\nX_A: 3\r\nConnection: x-c,close\r\nX-C: 4\r\nX-D: 5\r\n\r\n`,
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
    expect(parse((start + "a".repeat(maxHeadBytes)).slice(0, maxHeadBytes - 1)).answer).toBe(INCOMPLETE);
  });

  test("detail never holds input", () => {
    for (const wire of Object.values(refusedRequests)) expect(request(wire).detail).not.toContain("a.example");
  });
});
