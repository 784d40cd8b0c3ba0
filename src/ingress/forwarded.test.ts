// Who the visitor is behind proxies, and the lines that we write about it.

import { describe, expect, test } from "bun:test";
import { Head } from "../http1/head.ts";
import { createCidrList, networkOf } from "../lib/cidr.ts";
import { carriesForwarding, forwardedLines, hopsOf, resolveVisitor } from "./forwarded.ts";

const trusted = createCidrList(["10.0.0.0/8", "fd00::/8"]);

function headOf(...lines: string[]): Head {
  const head = new Head();
  const bytes = Buffer.from(["GET / HTTP/1.1", "Host: a.test", ...lines, "", ""].join("\r\n"), "latin1");
  expect(head.parseRequest(bytes, 0, bytes.length)).toBe(bytes.length);
  return head;
}
const visitor = (peer: string, ...lines: string[]) => resolveVisitor(headOf(...lines), peer, "http", trusted);

describe("behind a trusted proxy", () => {
  test.each([
    [["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"],
    [["X-Forwarded-For: 192.0.2.1, 10.0.0.2"], "192.0.2.1"],
    [["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.2"], "192.0.2.1"],
    [["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"],
    [["X-Forwarded-For: 192.0.2.1:4711"], "192.0.2.1"],
    [["X-Forwarded-For: ::ffff:192.0.2.1"], "192.0.2.1"],
    [['Forwarded: for="[2001:db8::1]:4711";proto=https, for=10.0.0.2'], "2001:db8::1"],
    [["Forwarded: for=192.0.2.9", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1"],
    [[], "10.0.0.1"],
  ])("%j is from %s", (lines, address) => {
    expect(visitor("10.0.0.1", ...lines).address).toBe(address);
  });

  test("the scheme is what the last proxy says", () => {
    expect(visitor("10.0.0.1", "X-Forwarded-Proto: https").scheme).toBe("https");
    expect(visitor("10.0.0.1", "X-Forwarded-Proto: https, http").scheme).toBe("http");
    expect(visitor("10.0.0.1", "Forwarded: for=192.0.2.1;proto=https").scheme).toBe("https");
    expect(visitor("10.0.0.1", "X-Forwarded-Proto: gopher").scheme).toBe("http");
    expect(resolveVisitor(headOf("X-Forwarded-Proto: http"), "10.0.0.1", "https", trusted).scheme).toBe("http");
    expect(visitor("10.0.0.1", 'Forwarded: for=192.0.2.1;proto=http, for=10.0.0.2;proto="HTTPS"').scheme).toBe("https");
    expect(visitor("10.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1;proto=http").scheme).toBe("https");
    expect(visitor("10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Proto: ?").scheme).toBe("https");
  });
});

test("what is written names the address in each syntax, and quotes a port's colon", () => {
  expect(forwardedLines({ address: "2001:db8::1", scheme: "https" }, "a.test:8443")).toBe(
    "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.test:8443\r\n" +
      'Forwarded: for="[2001:db8::1]";host="a.test:8443";proto=https\r\n',
  );
  expect(forwardedLines({ address: "192.0.2.1", scheme: "http" }, "a.test")).toContain(
    "Forwarded: for=192.0.2.1;host=a.test;proto=http\r\n",
  );
});

describe("security", () => {
  test.each([
    [[], null],
    [["X-Forwarded-For: "], null],
    [["X-Forwarded-For: unknown"], null],
    [["Forwarded: for=_hidden;proto=https"], null],
    [["X-Forwarded-For: unknown, 10.0.0.2"], null],
    [["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"],
    [["X-Forwarded-For: 192.0.2.1, 10.0.0.2"], "192.0.2.1"],
    [["X-Forwarded-For: unknown, 192.0.2.1"], "192.0.2.1"],
    // Whole private ranges may be trusted, and people live there as well: who is named is counted.
    [["X-Forwarded-For: 10.0.0.9"], "10.0.0.9"],
    [["X-Forwarded-For: 2001:db8:0:1::1"], networkOf("2001:db8:0:1:ffff::2")],
  ])("behind a trusted proxy, %j counts on %s", (lines, network) => {
    expect(visitor("10.0.0.1", ...lines).network).toBe(network);
  });

  test("a peer that isn't trusted says nothing about itself", () => {
    const lines = ["X-Forwarded-For: 10.0.0.9", "X-Forwarded-Proto: https", "Forwarded: for=10.0.0.9"];
    expect(visitor("192.0.2.7", ...lines)).toEqual({
      address: "192.0.2.7",
      network: "192.0.2.7",
      scheme: "http",
    });
    expect(carriesForwarding(headOf(...lines))).toBe(true);
    for (const line of [lines[0]!, lines[2]!]) expect(carriesForwarding(headOf(line))).toBe(true);
    expect(carriesForwarding(headOf("X-Forwarded-Proto: https"))).toBe(false);
  });

  test("what a visitor wrote in front of the proxy's entry is not believed", () => {
    expect(visitor("10.0.0.1", "X-Forwarded-For: 203.0.113.1, 192.0.2.1").address).toBe("192.0.2.1");
    expect(visitor("10.0.0.1", "X-Forwarded-For: 203.0.113.1, 192.0.2.1, 10.0.0.2").address).toBe("192.0.2.1");
  });

  // Caddy, Traefik and HAProxy set theirs and let these through, behind theirs where headers are sorted.
  test("a name with _ for - is a visitor's, whoever passes it on", () => {
    const lines = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", "X_Forwarded_For: 203.0.113.1"];
    expect(visitor("10.0.0.1", ...lines, "X_Forwarded_Proto: https")).toEqual({
      address: "192.0.2.1",
      network: "192.0.2.1",
      scheme: "http",
    });
    expect(visitor("10.0.0.1", "X_Forwarded_For: 203.0.113.1").network).toBe(null);
    expect(visitor("10.0.0.1", "X_Forwarded_For: 203.0.113.1", "Forwarded: for=192.0.2.1").address).toBe("192.0.2.1");
  });

  test.each([
    ...["unknown", "_hidden", "", "192.0.2.1.5", "1", "evil.test", "192.0.2.1\t1", '"', "0x7f.1"],
    ...['x"192.0.2.1"', '"192.0.2.1"x', "x192.0.2.1:80", "192.0.2.1:80x", "192.0.2.1:", "192.0.2.1:123456"],
    ...["x[2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]:", "[2001:db8::1]:123456"],
  ])("an entry that can't be read (%j) ends the search at the last good one", (entry) => {
    expect(visitor("10.0.0.1", `X-Forwarded-For: 203.0.113.1, ${entry}, 10.0.0.2`).address).toBe("10.0.0.2");
  });
});

test.each([
  [0, []],
  [0, ["X-Forwarded-For: 192.0.2.1", "X-Request-Id: 1"]],
  [1, ["Forwarded: for=192.0.2.1"]],
  [1, ["Forwarded: for=192.0.2.1", "X-Digit-Link-Hops: 0"]],
  [2, ["Forwarded: for=192.0.2.1", "X-Digit-Link-Hops: 2"]],
  [2, ["X-Digit-Link-Hops: 2", "Forwarded: for=192.0.2.1"]],
  [2, ["x_digit_link_hops: 2", "X-Digit-Link-Hops: 1"]],
  [0, ["X-Digit-Link-Hops: many", "X-Digit-Link-Hops:"]],
  [Infinity, ["X-Digit-Link-Hops: Infinity"]],
])("was forwarded %d times: %j", (hops, lines) => {
  expect(hopsOf(headOf(...lines))).toBe(hops);
});
