// Copying heads: what goes through byte for byte, what is dropped, and that the framing is always our own.

import { describe, expect, test } from "bun:test";
import {
  copyFields,
  type FieldRules,
  FRAMED_CHUNKED,
  FRAMED_NOT,
  putChunkSize,
  putCrlf,
  putText,
  request10Rules,
  requestRules,
  responseRules,
} from "./copy.ts";
import { copyBytes } from "../lib/bytes.ts";
import { Head } from "./head.ts";

const start = "POST / HTTP/1.1\r\nHost: a\r\n";

/** The fields that leave, for a request with `lines`. */
function copied(lines: string, framing = FRAMED_NOT, rules: FieldRules = requestRules): string {
  const head = new Head();
  const bytes = Buffer.from(`${start}${lines}\r\n`, "latin1");
  expect(head.parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
  const out = Buffer.alloc(bytes.length + 64);
  const end = copyFields(head, rules, framing, out, 0);
  return out.toString("latin1", 0, end).replace("Host: a\r\n", "");
}

describe("copyFields", () => {
  test.each([[""], ["A: b\r\n"], ["a:b\r\nA:  b\t\r\nA:\r\n"], ["A: \xe9\xff\r\nSet-Cookie: 1\r\nSet-Cookie: 2\r\n"]])(
    "copies byte for byte: %p",
    (lines) => {
      expect(copied(lines)).toBe(lines);
    },
  );

  test.each([
    [
      "the length keeps its place and the spelling of its name",
      "A: 1\r\ncontent-LENGTH:  0005 \r\nB: 2\r\n",
      5,
      "A: 1\r\ncontent-LENGTH: 5\r\nB: 2\r\n",
    ],
    [
      "chunked keeps its place",
      "A: 1\r\ntransfer-encoding:chunked\r\nB: 2\r\n",
      FRAMED_CHUNKED,
      "A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n",
    ],
    [
      "a length in place of chunked",
      "A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n",
      7,
      "A: 1\r\nContent-Length: 7\r\nB: 2\r\n",
    ],
    [
      "chunked in place of a length",
      "A: 1\r\nContent-Length: 7\r\nB: 2\r\n",
      FRAMED_CHUNKED,
      "A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n",
    ],
    ["a length is added at the end", "A: 1\r\n", 0, "A: 1\r\nContent-Length: 0\r\n"],
    ["chunked is added at the end", "A: 1\r\n", FRAMED_CHUNKED, "A: 1\r\nTransfer-Encoding: chunked\r\n"],
    ["no framing at all", "A: 1\r\nContent-Length: 7\r\nB: 2\r\n", FRAMED_NOT, "A: 1\r\nB: 2\r\n"],
    [
      "large lengths",
      "Content-Length: 999999999999999\r\n",
      999_999_999_999_999,
      "Content-Length: 999999999999999\r\n",
    ],
  ])("%s", (_, lines, framing, expected) => {
    expect(copied(lines, framing)).toBe(expected);
  });

  test("starts where it is told and needs no room beyond its head and 64 bytes", () => {
    const head = new Head();
    const bytes = Buffer.from(`..${start}\r\n`);
    head.parseRequest(bytes, 2, bytes.length);
    const out = Buffer.alloc(64 + bytes.length).fill("x");
    const end = copyFields(head, requestRules, 999_999_999_999_999, out, 3);
    expect(out.toString("latin1", 0, end)).toBe("xxxHost: a\r\nContent-Length: 999999999999999\r\n");
    expect(out[end]).toBe(0x78);
  });

  test("the framing field may stand first", () => {
    const head = new Head();
    const bytes = Buffer.from("POST / HTTP/1.1\r\ncontent-LENGTH: 05\r\nHost: a\r\n\r\n");
    head.parseRequest(bytes, 0, bytes.length);
    const out = Buffer.alloc(200);
    expect(out.toString("latin1", 0, copyFields(head, requestRules, 5, out, 0))).toBe(
      "content-LENGTH: 5\r\nHost: a\r\n",
    );
  });

  test("Expect goes through, but not from HTTP/1.0", () => {
    expect(copied("Expect: 100-continue\r\n")).toBe("Expect: 100-continue\r\n");
    expect(copied("Expect: 100-continue\r\n", FRAMED_NOT, request10Rules)).toBe("");
  });
});

test.each([
  [0, "0"],
  [1, "1"],
  [15, "f"],
  [16, "10"],
  [255, "ff"],
  [65_535, "ffff"],
  [1_048_576, "100000"],
  [0x7fff_ffff, "7fffffff"],
])("putChunkSize(%p)", (bytes, text) => {
  const out = Buffer.alloc(16);
  expect(out.toString("latin1", 0, putChunkSize(bytes, out, 0))).toBe(`${text}\r\n`);
});

test("the small writers", () => {
  const out = Buffer.alloc(16);
  let at = putText("\xe9", out, 0);
  at = copyBytes(Buffer.from("abcd"), 1, 3, out, at);
  at = copyBytes(Buffer.from("ef"), 0, 2, out, at);
  at = putCrlf(out, at);
  expect(out.toString("latin1", 0, at)).toBe("\xe9bcef\r\n");
});

describe("security", () => {
  const identity = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Real-IP",
    "X-Request-Id",
    "X-Digit-Link-User",
    "X-Digit-Link-Anything",
  ];
  const hop = [
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Upgrade",
  ];
  const spellings = (name: string): string[] => [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replaceAll("-", "_"),
    name.toUpperCase().replaceAll("-", "_"),
    name.replace("-", "_"),
  ];

  test.each([...identity, ...hop].flatMap(spellings))("a visitor's %s goes no further", (name) => {
    expect(copied(`A: 1\r\n${name}: evil\r\nB: 2\r\n`)).toBe("A: 1\r\nB: 2\r\n");
    expect(copied(`${name}: evil\r\n${name}:x\r\n`, 3)).toBe("Content-Length: 3\r\n");
  });

  test("names that only look alike go through", () => {
    const lines =
      "X-Forwarded: 1\r\nXX-Forwarded-For: 3\r\nX-Real-IPs: 4\r\nForwarded-: 5\r\nX-Digit-Lin: 6\r\nTE-: 7\r\nX.Forwarded.For: 8\r\n";
    expect(copied(lines)).toBe(lines);
  });

  test("fields named in Connection go no further, in either direction", () => {
    expect(copied("X-A: 1\r\nB: 2\r\nConnection: x_a, Cookie\r\ncookie: s\r\n")).toBe("B: 2\r\n");
    expect(copied("X-A: 1\r\nB: 2\r\nConnection: x_a\r\n", FRAMED_NOT, responseRules)).toBe("B: 2\r\n");
  });

  test("neither framing field is ever copied, whatever the other fields are", () => {
    for (const lines of [
      "Content-Length: 00\r\n",
      "Transfer-Encoding: chunked\r\n",
      "TE: trailers\r\nContent-Length:1\r\nA: b\r\n",
    ]) {
      expect(copied(lines, FRAMED_NOT)).not.toMatch(/content-length|transfer-encoding/i);
      expect(copied(lines, FRAMED_NOT, responseRules)).not.toMatch(/content-length|transfer-encoding/i);
      expect(copied(lines, 4).match(/content-length|transfer-encoding/gi)).toHaveLength(1);
      expect(copied(lines, FRAMED_CHUNKED).match(/content-length|transfer-encoding/gi)).toHaveLength(1);
    }
  });

  test("a local service's identity fields are its own business", () => {
    expect(copied("X-Request-Id: 1\r\nX-Forwarded-For: 2\r\n", FRAMED_NOT, responseRules)).toBe(
      "X-Request-Id: 1\r\nX-Forwarded-For: 2\r\n",
    );
  });
});
