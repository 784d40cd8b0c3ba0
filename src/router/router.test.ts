// What the main thread serves itself, by host and path, and who waits for a shard.

import { afterEach, describe, expect, test } from "bun:test";
import { type FakeVisitor, fakeVisitor, ingressLimits, requestText } from "../../test/helpers/fake-visitor.ts";
import { createCidrList } from "../lib/cidr.ts";
import { Router, type RouterOptions } from "./router.ts";

const proxy = "192.0.2.1";
/** A control plane that has no place: what is relayed is answered 503 at once, what waits for a shard is not answered. */
const control = { isFull: true };
const warned: string[] = [];

const routerOf = (dashboardDomain: string): Router =>
  new Router({
    settings: { ...ingressLimits, domain: "tunnel.test", dashboardDomain, publicPort: 80, holdMs: 1_000 },
    ...{ link: { shards: 2, sendConnection: () => false }, trusted: createCidrList([proxy]), control },
    log: { warn: (message: string) => warned.push(message) },
  } as unknown as RouterOptions);

describe("security", () => {
  test.each([
    ["base", "tunnel.test", "/_tunnel/register", true],
    ["base", "tunnel.test", "/auth/visitor/callback", true],
    ["base", "tunnel.test", "/health", true],
    ["base", "tunnel.test", "/auth/login", false],
    ["base", "tunnel.test", "/", false],
    ["base", "dash.test", "/auth/login", true],
    ["base", "dash.test", "/_tunnel/register", false],
    ["probe", "127.0.0.1", "/health", true],
    ["probe", "127.0.0.1", "/auth/login", false],
  ] as const)("with a dashboard of its own, %s %s%s: %p", (kind, host, path, isServed) => {
    expect(routerOf("dash.test")["isServed"]({ kind, host }, path)).toBe(isServed);
  });
});

// Who waits is looked after until then.
const asked: FakeVisitor[] = [];
afterEach(() => asked.splice(0).forEach(({ connection }) => connection.closed()));

/** What a visitor gets whose requests the router routes; its address is `proxy`, unless told otherwise. */
function asking(address = proxy) {
  const router = routerOf("tunnel.test");
  const visitor = fakeVisitor((connection, head) => {
    const verdict = router.judgeHost(connection.hostValue);
    if (verdict.kind === "foreign" || verdict.kind === "malformed") expect.unreachable();
    else router.route(connection, head, verdict);
  });
  asked.push(visitor);
  visitor.connection.meta.address = address;
  const ask = (host: string, target: string, ...lines: string[]): string => {
    visitor.send(requestText(`GET ${target}`, `Host: ${host}`, ...lines));
    return visitor.take().slice(9, 12);
  };
  return { router, visitor, ask };
}

test.each([
  ["127.0.0.1", "/health?verbose", "503", "the control plane"],
  ["127.0.0.1", "/_tunnel/s/0?ticket=a", "421", "nobody: an address is for probes"],
  ["tunnel.test", "/_tunnel/s/1?ticket=a", "", "shard 1"],
  ["tunnel.test", "/_tunnel/s/5?ticket=a", "", "shard 1, where one that is no shard's any more is told so"],
])("%s%s is answered %j, by %s", (host, target, status) => {
  const { router, ask } = asking();
  expect(ask(host, target)).toBe(status);
  expect([...router["waiting"].keys()]).toEqual(status === "" ? [1] : []);
});

test("who waited for a shard is routed again when it is there, once", () => {
  const { router, visitor, ask } = asking();
  ask("tunnel.test", "/_tunnel/s/1");
  let retried = 0;
  visitor.connection.retry = () => retried++;
  for (let i = 0; i < 2; i++) router.shardReady(1);
  expect(retried).toBe(1);
});

test("an operator is told once of a proxy that isn't trusted, and of one that names nobody, but not of probes", () => {
  const line = "X-Forwarded-For: 192.0.2.9";
  for (const { heard, requests, address } of [
    { heard: [], requests: [["/health"], ["/", line]], address: proxy },
    { heard: ["names no visitor"], requests: [["/"], ["/"]], address: proxy },
    { heard: [], requests: [["/"]], address: "203.0.113.1" },
    { heard: ["is ignored"], requests: [["/"], ["/", line], ["/", line]], address: "203.0.113.1" },
  ]) {
    warned.length = 0;
    const { ask } = asking(address);
    for (const [target = "", ...lines] of requests) ask("tunnel.test", target, ...lines);
    expect(warned).toEqual(heard.map((part) => expect.stringContaining(part)));
  }
});

test("who was handed over or has left is counted here no more, and waits for no shard", () => {
  const router = routerOf("tunnel.test");
  const released: unknown[] = [];
  router.connections = { released: (one: unknown) => released.push(one) } as unknown as Router["connections"];
  const { connection, send } = fakeVisitor((routed, head) => {
    routed.move = () => true;
    router.route(routed, head, { kind: "tunnel", name: "app", host: "app.tunnel.test" });
  });
  send(requestText("GET /"));
  expect(router["waiting"].size).toBe(0);
  router.released(connection);
  expect(released).toEqual([connection]);
});

test("a visitor that leaves while it waits for a shard is forgotten", () => {
  const router = routerOf("tunnel.test");
  const visitor = fakeVisitor((connection, head) =>
    router.route(connection, head, { kind: "tunnel", name: "app", host: "app.tunnel.test" }),
  );
  visitor.send(requestText("GET /"));
  expect(router["waiting"].values().next().value?.size).toBe(1);
  router.released(visitor.connection);
  expect(router["waiting"].values().next().value?.size).toBe(0);
  visitor.connection.closed();
});
