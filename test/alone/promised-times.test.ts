// Times that are promised, each taken on a server that has nothing else to do. In a step of its own: beside others it would measure those.

import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { shardOf } from "../../src/link/shard-of.ts";
import type { AdminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import type { LocalService } from "../helpers/local-service.ts";
import { type OrganizationServer, startOrganizationServer } from "../helpers/organization-server.ts";
import { RawClient, requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { serverOfSilentDatabase } from "../helpers/silent-database.ts";
import type { TestServer } from "../helpers/server.ts";
import { leaveDuring, leftBehind } from "../helpers/leaving-visitor.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(60_000);

/** How long `fact` takes from now on, in ms; however long it is. */
async function msUntil(fact: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await fact;
  return performance.now() - startedAt;
}

describeContract("a visitor that leaves", {}, (parties) => {
  test.each(leftBehind)("during %s is noticed by the local service within 1 s", async (target) => {
    for (const how of ["close", "reset"] as const) {
      const request = await leaveDuring(parties(), target, how);
      expect(await msUntil(request.closed)).toBeLessThan(1_000);
    }
  });

  test("in the middle of its upload is noticed within 1 s", async () => {
    const { open, host, service } = parties();
    for (const how of ["close", "reset", "half-close"] as const) {
      const client = await open();
      const target = `/upload/left-${how}`;
      const upload = { method: "POST", lines: ["Content-Length: 1000000"], body: "abc" };
      await client.send(requestBytes(host, target, upload));
      const request = await service.next(target);
      if (how === "reset") client.reset();
      else if (how === "half-close") client.finishSending();
      else client.socket.destroy();
      expect(await msUntil(request.closed)).toBeLessThan(1_000);
      client.socket.destroy();
    }
  });
});

// `bun run soak --only slow-service` sends a thousand.
test("300 requests at once on one tunnel to a service that takes a second are answered within 2.5 s", async () => {
  await using service = startTaggedService("slow");
  await using server = await startServerProcess({ shards: 2 });
  await using agent = await openTunnelProcess({ ...server, port: service.port, name: "slow" });
  await agent.until("session");
  const visitors = await Promise.all(Array.from({ length: 300 }, () => RawClient.open(server)));
  const answers = Promise.all(
    visitors.map(async (visitor) => {
      await visitor.send(requestBytes("slow.localhost", "/slow/1000"));
      return statusOf(visitor.response());
    }),
  );
  expect(await msUntil(answers)).toBeLessThan(2_500);
  expect(new Set(await answers)).toEqual(new Set([200]));
  for (const visitor of visitors) visitor[Symbol.dispose]();
});

describe("security", () => {
  test("an idle server with an agent leaves within a second", async () => {
    await using service = startTaggedService("leaving");
    await using server = await startServerProcess({ shards: 2 });
    await using agent = await openTunnel({ ...server, port: service.port, name: "leaving" });
    await agent.until("session");
    server.signal("SIGTERM");
    expect(await msUntil(server.exited)).toBeLessThan(1_000);
  });

  test("whatever hangs, the server has left 7 s after what it lets finish", async () => {
    const folder = mkdtempSync(join(tmpdir(), "digit-link-end-"));
    const path = join(folder, "access.log");
    Bun.spawnSync(["mkfifo", path]);
    // A reader that doesn't read.
    const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      const env = { DRAIN_TIMEOUT_MS: "500", ACCESS_LOG: path };
      await using one = await serverOfSilentDatabase({ faults: true, env });
      const { server } = one;
      expect(() => {
        for (;;) writeSync(pipe, Buffer.alloc(4_096));
      }).toThrow("EAGAIN");
      expect(
        (await requestOnce(server, "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).status,
      ).toBe(200);
      await server.fault("hang", 0);
      server.signal("SIGTERM");
      expect(await msUntil(server.exited)).toBeLessThan(500 + 7_000 + 500);
      expect(await server.exited).toBe(0);
    } finally {
      closeSync(pipe);
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ["throws", "throw", 2_000],
    ["leaves", "exit", 2_000],
    ["hangs", "hang", 5_000],
  ] as const)("a shard that %s is replaced in time, and its tunnel is back 5 s later at most", async (_, kind, ms) => {
    await using service = startTaggedService("ant");
    await using server = await startServerProcess({ shards: 2, faults: true });
    await using agent = await openTunnel({ ...server, port: service.port, name: "ant" });
    await agent.until("session");
    const says = (what: string) => () => server.log.some(({ message }) => message === what);
    await server.fault(kind, shardOf("ant", 2));
    expect(await msUntil(eventually(says("a shard died"), "the death is noticed"))).toBeLessThan(ms);
    expect(await msUntil(agent.until("tunnel.ready", 2))).toBeLessThan(5_000);
    expect((await visit(server.port, "ant", "/")).status).toBe(200);
  });

  describe.each(["sqlite", "postgres"])("with %s", (engine) => {
    let server: TestServer;
    let local: LocalService;
    let api: AdminApi;
    let orgId: string;
    let world: OrganizationServer | null = null;
    beforeAll(async () => {
      world = await startOrganizationServer(engine);
      ({ server, local, api, orgId } = world);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    const serve = (name: string, token: string) =>
      startTestAgent({ server: { port: server.port, token }, subdomain: name, localPort: local.port });
    const passes = async (name: string): Promise<boolean> => (await statusOf(visit(server.port, name, "/"))) === 200;

    test("a policy is in force within a second", async () => {
      const entry = await api.must("POST", "/admin/whitelist", { ipRange: "127.0.0.0/8" });
      const appId = await api.createApplication(orgId, "moving", "inherit");
      const key = await api.createKey({ orgId, scope: "tunnel" });
      await using _agent = await serve("moving", key.raw);
      const policy = { authType: "basic", basicUsername: "ada", basicPassword: "visitor-secret" };
      for (const [change, isOpen] of [
        [() => api.must("PUT", `/admin/organizations/${orgId}/policy`, policy), false],
        [() => api.must("PUT", `/admin/applications/${appId}`, { authMode: "disabled" }), true],
        [() => api.must("PUT", `/admin/applications/${appId}`, { authMode: "inherit" }), false],
        [() => api.must("DELETE", `/admin/organizations/${orgId}/policy`), true],
      ] as const) {
        expect(await passes("moving")).toBe(!isOpen);
        await change();
        const isSo = eventually(async () => (await passes("moving")) === isOpen, `it is open: ${isOpen}`, 10_000, 10);
        expect(await msUntil(isSo)).toBeLessThan(1_000);
      }
      await api.must("DELETE", `/admin/whitelist/${(entry["entry"] as { id: string }).id}`);
    });

    test.each(["a revoked key", "a disabled account", "a removed list entry"])(
      "%s closes what it no longer permits within 5 s: sessions, visitors' connections, the name",
      async (what) => {
        const name = what.replaceAll(" ", "-");
        await api.createApplication(orgId, name, "inherit");
        const key = await api.createKey({ orgId, scope: "tunnel" });
        const account = await api.createAccount(name, orgId);
        const { entry } = await api.must("POST", `/admin/organizations/${orgId}/whitelist`, { ipRange: "127.0.0.0/8" });
        const list = `/admin/organizations/${orgId}/whitelist/${(entry as { id: string }).id}`;
        await using agent = await serve(name, what === "a disabled account" ? account.token : key.raw);
        using visitor = await RawClient.open({ port: server.port });
        await visitor.send(`GET /sse/${name} HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`);
        await (await local.events(name)).send("still open");
        await visitor.until("still open");
        if (what === "a revoked key") await api.must("DELETE", `/admin/api-keys/${key.id}`);
        else if (what === "a disabled account") await api.must("DELETE", `/admin/accounts/${account.id}`);
        else await api.must("DELETE", list);
        const isGone = Promise.all([
          visitor.ended,
          eventually(async () => !(await passes(name)), "no visitor passes"),
          eventually(() => agent.of("tunnel.lost").length + agent.of("refused").length > 0, "the agent knows"),
        ]);
        expect(await msUntil(isGone)).toBeLessThan(5_000);
        if (what !== "a removed list entry") await api.must("DELETE", list);
      },
    );
  });
});
