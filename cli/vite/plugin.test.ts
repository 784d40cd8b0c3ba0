// Which hosts Vite is told to let in.

import { expect, test } from "bun:test";
import type { ConfigEnv, Plugin, UserConfig } from "vite";
import digitLink from "./plugin.ts";

function configOf(plugin: Plugin, given: UserConfig = {}): unknown {
  const { config } = plugin;
  if (typeof config !== "function") throw new TypeError("config is a function");
  return (config as (given: UserConfig, env: ConfigEnv) => unknown)(given, { command: "serve", mode: "development" });
}

test.each([
  [{ server: "https://tunnel.example.com:8443" }, [".tunnel.example.com"]],
  [{ server: "tunnel.example.com" }, [".tunnel.example.com"]],
  [{ server: "http://no good" }, []],
])("names below the server's domain, and no others: %j", (options, allowedHosts) => {
  expect(configOf(digitLink(options))).toEqual({ server: { allowedHosts }, preview: { allowedHosts } });
});

test("who lets every host in goes on to", () => {
  const given: UserConfig = { server: { allowedHosts: true }, preview: { allowedHosts: true } };
  expect(configOf(digitLink({ server: "a.test" }), given)).toEqual({});
});
