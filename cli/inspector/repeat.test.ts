// A request in somebody's words becomes strict HTTP/1.1, or is refused with the reason.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { Head } from "../../src/http1/head.ts";
import { requestBytes } from "./repeat.ts";

const textOf = (head: string, body = ""): string => {
  const bytes = requestBytes({ head, body });
  return bytes.head.toString("latin1") + bytes.body.toString();
};

test("lines end as they must, whatever they ended with, and the length is that of the body", () => {
  expect(textOf("POST /a HTTP/1.1\nHost: a\n\n", "äb")).toBe(
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\näb",
  );
  expect(textOf("GET /a HTTP/1.1\r\nHost: a")).toBe("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
});

test("what framed the old body is gone, and what waits for a 100", () => {
  const old = "Content-Length: 99\nTRANSFER-ENCODING: chunked\nTrailer: X\nExpect: 100-continue";
  expect(textOf(`POST / HTTP/1.1\nHost: a\n${old}`, "x")).toBe(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
  );
  expect(textOf("POST / HTTP/1.1\nHost: a\nContent-Length: 99")).toContain("\r\nContent-Length: 0\r\n\r\n");
});

test.each(["POST", "PUT", "PATCH"])("a %s without a body says so: some services ask for its length", (method) => {
  expect(textOf(`${method} / HTTP/1.1\nHost: a`)).toContain("\r\nContent-Length: 0\r\n\r\n");
});

test.each([
  ["", "the method is not a token in upper case"],
  ["GET /", "the request target has a character"],
  ["GET / HTTP/1.1\nHost a", "can't be sent"],
  ["GET / HTTP/1.1\nX: 1", "no Host header"],
  ["get / HTTP/1.1\nHost: a", "the method is not a token in upper case"],
  ["GET http://b/ HTTP/1.1\nHost: a", "not in origin-form"],
  ["CONNECT / HTTP/1.1\nHost: a", "CONNECT"],
  ["GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket", "another protocol"],
  ["GET /☃ HTTP/1.1\nHost: a", "a character that HTTP does not allow"],
  ["GET / HTTP/1.1\nHost: a\nX: \0", "a character that HTTP does not allow"],
])("%j is refused: %s", (head, why) => {
  expect(() => requestBytes({ head, body: "" })).toThrow(why);
});

test("security: whatever is given, what is sent is one request, and nothing behind its head", () => {
  const line = fc.oneof(fc.string(), fc.constantFrom("Host: a", "GET / HTTP/1.1", "", "\r", "X: y\rZ: w", "A:\tb"));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.string(), (lines, body) => {
      let bytes;
      try {
        bytes = requestBytes({ head: ["POST /x HTTP/1.1", "Host: a", ...lines].join("\n"), body });
      } catch {
        // Refused: nothing is sent.
        return;
      }
      const head = new Head();
      expect(head.parseRequest(bytes.head, 0, bytes.head.length)).toBe(bytes.head.length);
      expect([head.chunked, Math.max(0, head.contentLength)]).toEqual([false, Buffer.byteLength(body)]);
    }),
    { numRuns: 500 },
  );
});
