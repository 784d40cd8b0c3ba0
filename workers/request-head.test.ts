// Which requests ask for a WebSocket: only they may become a raw connection. What Connection names is not written.

import { describe, expect, test } from "bun:test";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { Head } from "../src/http1/head.ts";
import { openPass } from "./policy/judge.ts";
import { isWebSocketUpgrade, requestScratch, writeRequestHead } from "./request-head.ts";

const lines = [
  "Host: app.tunnel.test",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

test.each<[string, boolean, string]>([
  ["all that it takes", true, requestText("GET /", ...lines)],
  ["a body of no bytes", true, requestText("GET /", ...lines, "Content-Length: 0")],
  ["a body", false, requestText("GET /", ...lines, "Content-Length: 5")],
  ["chunks", false, requestText("GET /", ...lines, "Transfer-Encoding: chunked")],
  ["another method of three letters", false, requestText("PUT /", ...lines)],
  ["HTTP/1.0", false, requestText("GET /", ...lines).replace("HTTP/1.1", "HTTP/1.0")],
  ["two versions", false, requestText("GET /", ...lines, "Sec-WebSocket-Version: 13")],
  ["another version", false, requestText("GET /", ...lines).replace("Version: 13", "Version: 8")],
  ["two keys", false, requestText("GET /", ...lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")],
  ["another protocol", false, requestText("GET /", ...lines).replace("websocket\r\nSec", "h2c\r\nSec")],
])("with %s: %p", (_, isUpgrade, request) => {
  const head = new Head();
  const bytes = Buffer.from(request);
  expect(head.parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
  expect(isWebSocketUpgrade(head)).toBe(isUpgrade);
});

describe("security", () => {
  test("a cookie that Connection names goes no further, nor what is left of it without ours", () => {
    const head = new Head();
    const bytes = Buffer.from(requestText("GET /", "Connection: cookie", "Cookie: a=1; dl_visitor=x", "Accept: b"));
    expect(head.parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
    const length = writeRequestHead(head, null, Buffer.from("X-Request-Id: "), 1, openPass, false, 0);
    const written = requestScratch.toString("latin1", 0, length);
    expect(written).toContain("Accept: b\r\n");
    expect(written).not.toMatch(/cookie/i);
  });
});
