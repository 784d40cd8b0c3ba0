// From flags to tunnels.

import { expect, test } from "bun:test";
import { parseFlags } from "./parse-flags.ts";
import { httpFlags, resolveHttpTunnels, resolveTcpTunnels, tcpFlags } from "./tunnels.ts";

const http = (...argv: string[]) => {
  const parsed = parseFlags(argv, httpFlags);
  return resolveHttpTunnels(parsed, parsed.positionals);
};
const tcp = (...argv: string[]) => {
  const parsed = parseFlags(argv, tcpFlags);
  return resolveTcpTunnels(parsed, parsed.positionals);
};
const base = {
  protocol: "http" as const,
  subdomain: null,
  localHost: "localhost",
  localPort: 3000,
  localHttps: false,
  insecureLocal: false,
  hostHeader: "preserve",
};

test("a port alone, by argument or by flag", () => {
  expect(http("3000")).toEqual([base]);
  expect(http("--port", "3000", "--subdomain", "MyApp")).toEqual([{ ...base, subdomain: "myapp" }]);
});

test("forwards, alone and beside a port", () => {
  expect(http("-f", "web:3000", "-f", "api:10.0.0.2:4000", "--local-host", "app")).toEqual([
    { ...base, subdomain: "web", localHost: "app" },
    { ...base, subdomain: "api", localHost: "10.0.0.2", localPort: 4000 },
  ]);
  expect(http("3000", "--forward", "api:4000")).toHaveLength(2);
});

test("https and the host header", () => {
  expect(http("https://localhost:8443", "--insecure-local")).toEqual([
    { ...base, localPort: 8443, localHttps: true, insecureLocal: true },
  ]);
  expect(http("3000", "--local-https")[0]?.localHttps).toBe(true);
  expect(http("3000", "--host-header", "rewrite")[0]?.hostHeader).toBe("rewrite");
  expect(http("3000", "--host-header", "app.test:3000")[0]?.hostHeader).toBe("app.test:3000");
});

test("tcp takes one or more ports", () => {
  expect(tcp("5432")).toEqual([{ ...base, protocol: "tcp", localPort: 5432 }]);
  expect(tcp("22", "192.168.1.20:3389").map((tunnel) => `${tunnel.localHost}:${tunnel.localPort}`)).toEqual([
    "localhost:22",
    "192.168.1.20:3389",
  ]);
  expect(tcp("5432", "--remote-port", "20007")[0]).toMatchObject({ localPort: 5432, remotePort: 20_007 });
  expect(() => tcp("22", "5432", "-r", "20007")).toThrow("--remote-port goes with one local port");
  expect(() => tcp("22", "-r", "0")).toThrow('--remote-port "0" is not a port');
  expect(() => tcp("10.0.0.2:22", "--local-host", "app")).toThrow("--local-host and");
  expect(tcp("10.0.0.2:22", "23", "--local-host", "app").map((tunnel) => tunnel.localHost)).toEqual([
    "10.0.0.2",
    "app",
  ]);
  expect(() => tcp()).toThrow("Say which port");
  expect(() => tcp("http://a:1")).toThrow("is a URL");
});

test.each([
  [[], "Say what to serve"],
  [["3000", "4000"], "--forward NAME:PORT"],
  [["3000", "--port", "3000"], "given twice"],
  [["--subdomain", "a"], "needs a port"],
  [["3000", "-n", "a", "-f", "A:4000"], "The name a is given twice"],
  [["3000", "--insecure-local"], "only makes sense with --local-https"],
  [["3000", "--host-header", "a\r\nX-Evil: 1"], "--host-header"],
  [["3000", "--host-header", "a b"], "--host-header"],
  [["3000", "--local-host", "a b"], "no host name"],
  [["localhost:3000", "--local-host", "app"], "--local-host and"],
  [["-f", "web:10.0.0.2:3000", "--local-host", "app"], "--local-host and"],
  [["http://localhost:3000", "--local-https"], "--local-https and"],
  [["-f", "web:http://localhost:3000", "--local-https"], "--local-https and"],
])("refused: %j", (argv, sentence) => {
  expect(() => http(...argv)).toThrow(sentence);
});
