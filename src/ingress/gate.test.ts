// The gate: whose request a Host value makes it.

import { describe, expect, test } from "bun:test";
import { judgeHost, sessionShard } from "./gate.ts";

const judge = (value: string) => judgeHost(value, { domain: "tunnel.test", dashboardDomain: "dash.test" });

describe("hosts", () => {
  test.each([
    ["tunnel.test", { kind: "base", host: "tunnel.test" }],
    ["TUNNEL.test:8080", { kind: "base", host: "tunnel.test" }],
    ["tunnel.test.", { kind: "base", host: "tunnel.test" }],
    ["dash.test", { kind: "base", host: "dash.test" }],
    ["MyApp.tunnel.test:443", { kind: "tunnel", name: "myapp", host: "myapp.tunnel.test" }],
    ["a.tunnel.test.", { kind: "tunnel", name: "a", host: "a.tunnel.test" }],
    [`${"a".repeat(63)}.tunnel.test`, { kind: "tunnel", name: "a".repeat(63), host: `${"a".repeat(63)}.tunnel.test` }],
    ["tunnel.test:65535", { kind: "base", host: "tunnel.test" }],
    ["127.0.0.1:80", { kind: "probe", host: "127.0.0.1" }],
    ["localhost", { kind: "probe", host: "localhost" }],
    ["[::1]:80", { kind: "probe", host: "[::1]" }],
  ] as const)("%s", (value, verdict) => {
    expect(judge(value)).toEqual(verdict);
  });
});

describe("security", () => {
  test.each([
    ...["a.b.tunnel.test", "_acme.tunnel.test", "eviltunnel.test", "tunnel.test.evil.test", "sub.dash.test"],
    ...["other.test", `${"a".repeat(60)}.test`, `${"a".repeat(63)}.test`],
    // An address is four numbers and nothing else.
    ...["127.0.0.1.evil.test", "evil.127.0.0.1", "1.127.0.0.1", "127.0.0", "1270.0.0.1", "127.0.0.1000"],
  ])("%s is well-formed, but not served here", (value) => {
    expect(judge(value).kind).toBe("foreign");
  });

  test.each([
    ...[
      "",
      " ",
      "a b",
      "a,b",
      "tunnel.test:",
      "tunnel.test:x",
      "tunnel.test:65536",
      "tunnel.test:80:80",
      "tunnel.test/",
    ],
    ...[
      "user@tunnel.test",
      "tunnel.test\\",
      "tunnel.test?",
      "%74unnel.test",
      "..tunnel.test",
      ".tunnel.test",
      "tunnel.test..",
    ],
    ...[
      "-a.tunnel.test",
      "a-.tunnel.test",
      "tünnel.test",
      "tunnel\u00a0.test",
      "[::1",
      "::1",
      "[::1]x",
      "[g::]",
      "a\tb",
    ],
    ...["[]", "[:]", `[${":".repeat(46)}]`, `a.${"a".repeat(64)}.test`],
    ...[`${"a".repeat(64)}.tunnel.test`, `${"a.".repeat(130)}tunnel.test`],
  ])("%j is malformed", (value) => {
    expect(judge(value).kind).toBe("malformed");
  });
});

test("a session's target names its shard, and nothing else does", () => {
  expect(["/_tunnel/s/0", "/_tunnel/s/7?ticket=a", "/_tunnel/s/12"].map(sessionShard)).toEqual([0, 7, 12]);
  const none = ["/_tunnel/s/", "/_tunnel/s/x", "/_tunnel/s/123", "/_tunnel/s/1/", "//_tunnel/s/1", "/a?/_tunnel/s/1"];
  expect(none.map(sessionShard)).toEqual(none.map(() => -1));
});
