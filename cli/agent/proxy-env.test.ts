// Which proxy the environment names for a server, and which servers are reached straight.

import { expect, test } from "bun:test";
import { proxyFor } from "./proxy-env.ts";

const http = "http://plain.proxy:1";
const https = "http://secure.proxy:2";
const both = { HTTP_PROXY: http, HTTPS_PROXY: https };

test.each<[string, Record<string, string>, string | false]>([
  ["https://tunnel.example", both, https],
  ["wss://tunnel.example", both, https],
  ["http://tunnel.example", both, http],
  ["ws://tunnel.example", both, http],
  ["https://tunnel.example", { https_proxy: https }, https],
  ["https://tunnel.example", { ALL_PROXY: http }, http],
  ["https://tunnel.example", { HTTPS_PROXY: "secure.proxy:2" }, "http://secure.proxy:2"],
  ["https://tunnel.example", { HTTP_PROXY: http }, false],
  ["https://tunnel.example", { HTTPS_PROXY: "" }, false],
  ["https://tunnel.example", {}, false],
  ["http://localhost:8080", both, false],
  ["http://a.localhost", both, false],
  ["http://127.0.0.1:8080", both, false],
  ["https://[::1]:8443", both, false],
  ["https://tunnel.example", { ...both, NO_PROXY: "*" }, false],
  ["https://tunnel.example", { ...both, NO_PROXY: "other.example, tunnel.example" }, false],
  ["https://tunnel.example", { ...both, no_proxy: ".example" }, false],
  ["https://tunnel.example", { ...both, NO_PROXY: "tunnel.example:443" }, false],
  ["https://tunnel.example", { ...both, NO_PROXY: "tunnel.example:8443" }, https],
  ["https://[2001:db8::1]", { ...both, NO_PROXY: "other.example,2001:DB8::1" }, false],
  ["https://[2001:db8::1]:8443", { ...both, NO_PROXY: "[2001:db8::1]" }, false],
  ["https://[2001:db8::1]:8443", { ...both, NO_PROXY: "[2001:db8::1]:8443" }, false],
  ["https://[2001:db8::1]:8443", { ...both, NO_PROXY: "[2001:db8::1]:443, 2001:db8::2" }, https],
  ["https://mytunnel.example", { ...both, NO_PROXY: "tunnel.example" }, https],
])("%s with %j", (url, env, expected) => {
  expect(proxyFor(new URL(url), env)).toBe(expected);
});
