// The PROXY protocol's header, by the examples of its specification, and what must never become one.

import { expect, test } from "bun:test";
import { type ProxyProtocol, proxyHeader } from "./proxy-header.ts";

function headerOf(version: ProxyProtocol, head: string): Buffer | null {
  const bytes = Buffer.from(`..${head}..`, "latin1");
  return proxyHeader(version, bytes, 2, bytes.length - 2);
}

test.each([
  ["203.0.113.7:50312 192.0.2.1:20007", "PROXY TCP4 203.0.113.7 192.0.2.1 50312 20007\r\n"],
  ["[2001:db8::1]:65535 [::1]:1", "PROXY TCP6 2001:db8::1 ::1 65535 1\r\n"],
  ["[::ffff:10.0.0.1]:7 10.0.0.2:8", "PROXY TCP4 10.0.0.1 10.0.0.2 7 8\r\n"],
])("version 1 of %s", (head, line) => {
  expect(headerOf("v1", head)?.toString("latin1")).toBe(line);
});

const signature = "0d0a0d0a000d0a515549540a";

test.each([
  ["203.0.113.7:50312 192.0.2.1:20007", `${signature}2111000ccb007107c0000201c4884e27`],
  [
    "[2001:db8::1]:65535 [::1]:1",
    `${signature}2121002420010db8000000000000000000000001${"00000000000000000000000000000001"}ffff0001`,
  ],
])("version 2 of %s", (head, hex) => {
  expect(headerOf("v2", head)?.toString("hex")).toBe(hex);
});

test.each([
  "203.0.113.7:50312",
  "203.0.113.7:50312 ",
  "203.0.113.7:50312 192.0.2.1",
  "203.0.113.7:50312 192.0.2.1:0",
  "203.0.113.7:50312 192.0.2.1:65536",
  "203.0.113.7:50312 [::1]:1",
  "203.0.113.7:50312 192.0.2.1:1 192.0.2.1:1",
  "203.0.113.7:5\r\nX 192.0.2.1:1",
  "x203.0.113.7:50312 192.0.2.1:1",
  "203.0.113.7:50312 x[::1]:1",
  "203.0.113.7:050312 192.0.2.1:1",
  "a.example:50312 192.0.2.1:1",
  "[fe80::1%eth0]:5 [::1]:1",
  "",
])("security: %j is no visitor, and never one of this machine", (head) => {
  for (const version of ["v1", "v2"] as const) expect(headerOf(version, head)).toBeNull();
});
