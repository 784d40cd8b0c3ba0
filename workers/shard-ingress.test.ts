// Visitors whose credential main is asked about: their body waits with them, and who has left meanwhile is let in no more.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import { allow, basicAuth, protectedPolicy, setUp as policySetUp } from "../test/helpers/policy-judge.ts";
import { createCidrList } from "../src/lib/cidr.ts";
import type { Answer } from "../src/link/messages.ts";
import { CaptureBudget, CaptureRing } from "./capture.ts";
import type { HttpStream } from "./http-stream.ts";
import { ShardIngress, type ShardIngressOptions } from "./shard-ingress.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

/** A visitor of a name with passwords; main answers when the test says so. */
function setUp() {
  const asked = Promise.withResolvers<Answer>();
  const { state, entry } = policySetUp(protectedPolicy("basic"), { reply: () => asked.promise });
  const names = new Map([["app", entry]]);
  const heard: string[] = [];
  const shard = { isEnded: false };
  const tunnel = {
    ...{ isFull: false, ticket: { tunnelId: "t" }, captures: new CaptureRing(0, new CaptureBudget(0)) },
    streamEnded() {},
    isBroken: false,
    open(stream: HttpStream): void {
      heard.push("open");
      if (tunnel.isBroken) {
        return stream.fail("tunnel_offline", "its session ends with its first frame");
      }
      stream.bodyData = (bytes, start, end) => void heard.push(Buffer.from(bytes.slice(start, end)).toString());
      stream.bodyEnd = (trailers) => void heard.push(`end ${Buffer.from(trailers ?? []).toString()}`);
    },
  };
  const ingress = new ShardIngress({
    ...{ shard: 0, shards: 1, policy: state, trusted: createCidrList([]) },
    settings: { domain: "tunnel.test", dashboardDomain: "tunnel.test", maxBodyBytes: 0, scheme: "http" },
    tunnels: { entry: (name: string) => names.get(name), ofVisitors: () => tunnel },
    ...{ isEnded: () => shard.isEnded, isOrganizationFull: () => false },
  } as unknown as ShardIngressOptions);
  const host = { kind: "tunnel", name: "app", host: "app.tunnel.test" } as const;
  const visitor = fakeVisitor((connection, head) => ingress.route(connection, head, host));
  const another = (request: string): void =>
    fakeVisitor((connection, head) => ingress.route(connection, head, host)).send(request);
  visitor.send(requestText("POST /", `Authorization: ${basicAuth}`, "Transfer-Encoding: chunked"));
  const answer = async (): Promise<void> => {
    asked.resolve(allow);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { visitor, heard, answer, entry, names, tunnel, shard, another, ended: [] as number[] };
}

test("what came of the body while main was asked goes to the service, trailers included", async () => {
  const { visitor, heard, answer } = setUp();
  visitor.send("5\r\nfirst\r\n");
  expect(visitor.did).toEqual(["pause"]);
  visitor.send("4\r\nlast\r\n0\r\nX-Sum: 1\r\n\r\n");
  expect(heard).toEqual([]);
  await answer();
  expect(heard).toEqual(["open", "first", "last", "end X-Sum: 1\r\n"]);
  expect(visitor.did.at(-1)).toBe("resume");
});

test("a visitor that has left before main answers is not served", async () => {
  const { visitor, heard, answer } = setUp();
  visitor.connection.closed();
  await answer();
  expect(heard).toEqual([]);
});

test("a shard that has ended serves nobody: neither who waits for main's answer nor who comes then", async () => {
  const { visitor, heard, answer, shard, entry, another } = setUp();
  shard.isEnded = true;
  await answer();
  expect([heard, visitor.take()]).toEqual([[], ""]);
  entry.policy = { kind: "open" };
  another(requestText("GET /"));
  expect(heard).toEqual([]);
});

test("a request that fails as soon as main has answered leaves the connection to the next one", async () => {
  const { visitor, heard, answer, tunnel } = setUp();
  tunnel.isBroken = true;
  visitor.send("5\r\nfirst\r\n0\r\n\r\n");
  await answer();
  expect(visitor.take()).toStartWith("HTTP/1.1 503 ");
  expect(visitor.did.at(-1)).toBe("resume");
  tunnel.isBroken = false;
  visitor.send(requestText("GET /", `Authorization: ${basicAuth}`));
  expect(heard).toEqual(["open", "open"]);
});

test("a pause of the agent while main is asked changes nothing", async () => {
  const { heard, answer, entry, names } = setUp();
  names.set("app", { ...entry, heldUntilMs: 5, policy: structuredClone(entry.policy) });
  await answer();
  expect(heard).toEqual(["open"]);
});

test("a visitor for whom there is neither an agent nor a place to wait is done with, in the list of requests too", async () => {
  const { visitor, answer, tunnel, ended } = setUp();
  const settings = { holdMs: 1_000, holdMax: 0, captureRequests: 1, maxConnectionsPerTunnel: 9 };
  const host = {
    ...{ settings, captureBudget: new CaptureBudget(64 * 1024), draining: false },
    ...{ streamCounted() {}, streamEnded: (_: unknown, { status }: HttpStream) => ended.push(status) },
  };
  const empty = new Tunnel(host as unknown as TunnelHost, { tunnelId: "t", name: "app" });
  Object.assign(tunnel, { captures: empty.captures, open: empty.open.bind(empty) });
  Object.assign(tunnel, { streamEnded: empty.streamEnded.bind(empty) });
  await answer();
  expect(visitor.take()).toMatch(/^HTTP\/1.1 503 [^]*\r\nRetry-After: 2\r\n/i);
  expect(empty.captures.newest()[0]!.toRequest(false)).toMatchObject({ running: false, status: 503 });
  expect([ended, empty.streams]).toEqual([[503], 0]);
});

describe("security", () => {
  test.each([
    ["another policy", { policy: protectedPolicy("oidc") }, "503"],
    ["nobody's any more", { policy: { kind: "deny" } }, "503"],
    ["another application's", { appId: "app_2" }, "503"],
    ["another organization's", { orgId: "org_2" }, "503"],
    ["unknown", null, "404"],
  ] as const)(
    "who was let in by what is no longer in force when main answers is not served: %s",
    async (_, now, status) => {
      const { visitor, heard, answer, entry, names } = setUp();
      if (now === null) names.delete("app");
      else names.set("app", { ...entry, ...now });
      await answer();
      expect(heard).toEqual([]);
      expect(visitor.take()).toStartWith(`HTTP/1.1 ${status} `);
    },
  );
});
