// What the main thread serves itself, by host and path, and who waits for a shard.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, ingressLimits, requestText } from "../../test/helpers/fake-visitor.ts";
import { createCidrList } from "../lib/cidr.ts";
import { Router, type RouterOptions } from "./router.ts";

const routerOf = (dashboardDomain: string): Router =>
  new Router({
    settings: { ...ingressLimits, domain: "tunnel.test", dashboardDomain, publicPort: 80, holdMs: 1_000 },
    ...{ link: { shards: 1, sendConnection: () => false }, trusted: createCidrList([]) },
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

test("a visitor that leaves while it waits for a shard is forgotten", () => {
  const router = routerOf("tunnel.test");
  const visitor = fakeVisitor((connection, head) =>
    router.route(connection, head, { kind: "tunnel", name: "app", host: "app.tunnel.test" }),
  );
  visitor.send(requestText("GET /"));
  expect(router["waiting"].get(0)?.size).toBe(1);
  router.released(visitor.connection);
  expect(router["waiting"].get(0)?.size).toBe(0);
});
