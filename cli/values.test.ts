// Values from the command line: what is accepted, and one sentence for what is not.

import { describe, expect, test } from "bun:test";
import { UsageError } from "./usage-error.ts";
import {
  checkHost,
  isCleartext,
  parseCount,
  parseForward,
  parseName,
  parsePort,
  parseServer,
  parseTarget,
  parseToken,
} from "./values.ts";

test.each([
  ["3000", null, 3000, false],
  [":3000", null, 3000, false],
  ["localhost:3000", "localhost", 3000, false],
  ["127.0.0.1:80", "127.0.0.1", 80, false],
  ["[::1]:3000", "::1", 3000, false],
  ["my_service:3000", "my_service", 3000, false],
  ["http://localhost:3000", "localhost", 3000, false],
  ["http://localhost:3000/", "localhost", 3000, false],
  ["http://app.test", "app.test", 80, false],
  ["HTTPS://app.test", "app.test", 443, true],
  ["https://[::1]:8443", "::1", 8443, true],
] as const)("the local address %s", (text, host, port, https) => {
  expect(parseTarget(text)).toEqual({ host, port, https });
});

test.each([
  "",
  "0",
  "65536",
  "70000",
  "99999999",
  "-1",
  "3.5",
  "1e3",
  "localhost",
  "localhost:",
  "localhost:0",
  "a b:3000",
  "http://",
  "http://:3000",
  "http://a:1/path",
  "http://a:1?x",
  "http://u:p@a:1",
  "ftp://a:1",
  "::1:3000",
  "a\u001b[31m:1",
  "-a:1",
])("no local address: %j", (text) => {
  expect(() => parseTarget(text)).toThrow(UsageError);
});

test("another scheme is told apart from a path", () => {
  expect(() => parseTarget("ftp://files")).toThrow('"ftp://files" is neither http:// nor https://');
  expect(() => parseTarget("http://a:1/path")).toThrow("has a path");
});

test("ports and counts have limits", () => {
  expect(parsePort("1")).toBe(1);
  expect(parsePort("65535")).toBe(65_535);
  for (const text of ["0", "65536", "", " 1", "0x10", "1 "]) expect(() => parsePort(text)).toThrow(UsageError);
  expect(() => parsePort("0", "--port")).toThrow('--port "0" is not a port');
  expect(parseCount("8", "--connections", 1, 8)).toBe(8);
  expect(() => parseCount("9", "--connections", 1, 8)).toThrow("from 1 to 8");
});

test("forwards: name:port and name:host:port", () => {
  expect(parseForward("api:4000")).toEqual({ name: "api", target: { host: null, port: 4000, https: false } });
  expect(parseForward("api:db.local:4000")).toEqual({
    name: "api",
    target: { host: "db.local", port: 4000, https: false },
  });
  expect(parseForward("api:[::1]:4000").target.host).toBe("::1");
  expect(parseForward("api:https://localhost:8443").target).toEqual({ host: "localhost", port: 8443, https: true });
  for (const text of ["api", "api:", ":4000", "-x:4000", "a.b:4000", "api:0"])
    expect(() => parseForward(text)).toThrow(UsageError);
});

test("names are lower-cased and checked", () => {
  expect(parseName("MyApp")).toBe("myapp");
  expect(parseName("a".repeat(63))).toHaveLength(63);
  for (const text of ["", "-a", "a-", "a_b", "a.b", "ä", "a".repeat(64)])
    expect(() => parseName(text)).toThrow(UsageError);
});

test.each([
  ["https://tunnel.example.com", "https://tunnel.example.com"],
  ["https://tunnel.example.com/", "https://tunnel.example.com"],
  ["tunnel.example.com", "https://tunnel.example.com"],
  ["tunnel.example.com:8443", "https://tunnel.example.com:8443"],
  ["localhost:8080", "http://localhost:8080"],
  ["127.0.0.1:8080", "http://127.0.0.1:8080"],
  ["[::1]:8080", "http://[::1]:8080"],
  ["HTTP://LOCALHOST:8080", "http://localhost:8080"],
])("the server %s", (text, origin) => {
  expect(parseServer(text)).toBe(origin);
});

test.each([
  "",
  "ftp://a",
  "ws://a",
  "https://",
  "https://a/b",
  "https://a?x",
  "https://u:p@a",
  "a b",
  "https://a:99999",
])("no server: %j", (text) => {
  expect(() => parseServer(text)).toThrow(UsageError);
});

test("plain http counts as readable unless it stays on this machine", () => {
  expect(isCleartext("http://tunnel.example.com")).toBe(true);
  expect(isCleartext("http://10.0.0.1:8080")).toBe(true);
  for (const origin of [
    "https://a.b",
    "http://localhost:1",
    "http://127.0.0.53",
    "http://[::1]:1",
    "http://demo.localhost",
  ])
    expect(isCleartext(origin)).toBe(false);
});

test("tokens are one printable word", () => {
  expect(parseToken("dlt_abc\n", "the file x")).toBe("dlt_abc");
  for (const text of ["", "\n", "a b", "a\u0000b", "a\nb", "ä", "x".repeat(5000)])
    expect(() => parseToken(text, "the file x")).toThrow(/^The file x holds/);
});

test("hosts: names, addresses, nothing else", () => {
  for (const host of ["localhost", "a.b-c.d", "::1", "fe80::1", "10.0.0.1", "host_1"])
    expect(checkHost(host)).toBe(host);
  expect(checkHost("[::1]")).toBe("::1");
  for (const host of ["", "a b", "-a", "a/b", "a\r\nb", "a".repeat(254), "."])
    expect(() => checkHost(host)).toThrow(UsageError);
});

describe("security", () => {
  test("a refusal repeats what was typed without its control characters", () => {
    try {
      parseTarget("\u001b]0;owned\u0007");
      expect.unreachable();
    } catch (error) {
      // oxlint-disable-next-line no-control-regex -- that is what must not be there
      expect(String(error)).not.toMatch(/[\u0000-\u001f]/);
    }
  });
});
