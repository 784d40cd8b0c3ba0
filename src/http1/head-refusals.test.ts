// The head grammar's refusals: a matrix of malformed and ambiguous heads, each of which must be turned away.

import { describe, expect, test } from "bun:test";
import { Head } from "./head.ts";
import { REFUSED } from "./parsing.ts";

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
    "version ends with X LF": `GET / HTTP/1.1X\n${H}\r\n`,
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
    "two bare LFs between fields": `GET / HTTP/1.1\r\n${H}A: b\n\nC: d\r\n\r\n`,
    "NUL LF behind a value": `GET / HTTP/1.1\r\n${H}A: b\0\nC: d\r\n\r\n`,
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
    for (const status of ["100 Continue", "101 Switching Protocols", "103 Early Hints", "199 x"]) {
      expect(response(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\n`).answer).toBe(REFUSED);
      expect(response(`HTTP/1.1 ${status}\r\nTransfer-Encoding: chunked\r\n\r\n`).answer).toBe(REFUSED);
      expect(response(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`).answer).toBeGreaterThan(0);
    }
  });

  test.each(["CONNECT a.example:443", "CONNECT /", "TRACE /", "TRACE *"])("%s", (line) => {
    const head = request(`${line} HTTP/1.1\r\n${H}\r\n`);
    expect([head.answer, head.error]).toEqual([REFUSED, "method_not_allowed"]);
  });

  test.each(
    Object.entries({
      "status 099": "HTTP/1.1 099 x\r\n\r\n",
      "status 600": "HTTP/1.1 600 x\r\n\r\n",
      "status 20": "HTTP/1.1 20 xx\r\n\r\n",
      "status 2000": "HTTP/1.1 2000 OK\r\n\r\n",
      "status 3/5": "HTTP/1.1 3/5 OK\r\n\r\n",
      "no space behind the version": "HTTP/1.1x200 OK\r\n\r\n",
      "HTTP/1.2": "HTTP/1.2 200 OK\r\n\r\n",
      "NUL LF behind the reason": "HTTP/1.1 200 OK\0\nA: b\r\n\r\n",
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

  test.each([0, 1, 2, 3, 4, 5, 6])("byte %d of HTTP/1. must be exactly that", (at) => {
    const version = `${"HTTP/1.1".slice(0, at)}X${"HTTP/1.1".slice(at + 1)}`;
    expect(request(`GET / ${version}\r\n${H}\r\n`).answer).toBe(REFUSED);
    // Even before the line is whole.
    expect(request(`GET / ${version.slice(0, at + 1)}`).answer).toBe(REFUSED);
    expect(response(`${version} 200 OK\r\n\r\n`).answer).toBe(REFUSED);
  });

  test("detail never holds input", () => {
    for (const wire of Object.values(refusedRequests)) expect(request(wire).detail).not.toContain("a.example");
  });
});
