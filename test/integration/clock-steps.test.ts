// A clock that is set while everything runs: nobody is disconnected, nobody is locked out, and it goes on.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { createSteppingClock } from "../helpers/stepping-clock.ts";
import { RawClient, requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { keepVisiting, serviceOf, statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(120_000);

const hour = 3_600;

describe("security", () => {
  test.concurrent(
    "steps of an hour, forth and back, on the server and on agents: no session and no request is lost",
    async () => {
      using serverClock = createSteppingClock();
      using agentClock = createSteppingClock();
      await using service = startTaggedService("timeless");
      await using server = await startServerProcess({ shards: 2, env: serverClock.env });
      const options = { ...server, port: service.port, env: agentClock.env };
      const busy = ["one", "two"];
      // The third has nothing to do: what it last heard is seconds old when the clock is set, and its next ping is as far.
      const names = [...busy, "idle"];
      await using stack = new AsyncDisposableStack();
      const agents = [];
      for (const name of names) agents.push(stack.use(await openTunnelProcess({ ...options, name })));
      for (const agent of agents) await agent.until("session");
      const timeOf = async (): Promise<number> => {
        const response = await adminApi(server).must("POST", "/admin/organizations", {
          name: `at ${performance.now()}`,
        });
        return Date.parse((response["organization"] as { createdAt: string }).createdAt) / 1_000;
      };

      const visitors = busy.map((name) => keepVisiting(server.port, name));
      // 12 s long, through all the steps.
      const stream = visit(server.port, "one", "/drip/240", { timeoutMs: 60_000 });
      for (const seconds of [hour, -hour, 0]) {
        for (const clock of [serverClock, agentClock]) clock.step(seconds);
        // Otherwise this test would see nothing.
        expect(Math.abs((await timeOf()) - Date.now() / 1_000 - seconds)).toBeLessThan(60);
        const before = visitors.map(({ counts }) => counts["200"] ?? 0);
        await Bun.sleep(2_000);
        await eventually(
          () => visitors.every(({ counts }, i) => counts["200"]! > before[i]! + 10),
          "visitors are served",
        );
        // Tickets, leases and generations by the new time, too.
        await using fresh = await openTunnelProcess({ ...options, name: `fresh${seconds + hour}` });
        expect(serviceOf(await visit(server.port, `fresh${seconds + hour}`, "/"))).toBe("timeless");
        fresh.signal("SIGKILL");
        await fresh.exited;
        await using again = await openTunnelProcess({ ...options, name: `fresh${seconds + hour}` });
        expect(await statusOf(visit(server.port, `fresh${seconds + hour}`, "/"))).toBe(200);
        again.signal("SIGTERM");
        await again.exited;
      }
      expect((await stream).body.toString().trimEnd().split("\n")).toHaveLength(240);
      for (const visitor of visitors) expect(Object.keys(await visitor.stop())).toEqual(["200"]);
      for (const agent of agents) {
        expect(agent.all("tunnel.lost")).toEqual([]);
        expect(agent.all("session")).toHaveLength(1);
      }
    },
  );

  test.concurrent.each([hour, -hour])(
    "a step of %d s while the server leaves: streams have the time they were given, no less and no more",
    async (seconds) => {
      using clock = createSteppingClock();
      await using service = startTaggedService("leaving");
      const env = { DRAIN_TIMEOUT_MS: "4000", ...clock.env };
      await using server = await startServerProcess({ shards: 1, env });
      await using agent = await openTunnel({ ...server, port: service.port, name: "leaving" });
      await agent.until("session");
      const short = statusOf(visit(server.port, "leaving", "/slow/2500", { id: "short" }));
      const endless = statusOf(visit(server.port, "leaving", "/slow/600000", { id: "endless", timeoutMs: 600_000 }));
      await eventually(() => service.seen.has("short") && service.seen.has("endless"), "both are under way");
      const started = performance.now();
      server.signal("SIGTERM");
      await eventually(
        () => agent.all("tunnel.retry").length > 0 || agent.all("tunnel.lost").length > 0,
        "the server leaves",
      );
      clock.step(seconds);
      expect(await short).toBe(200);
      await endless;
      await server.exited;
      expect(performance.now() - started).toBeGreaterThan(3_500);
    },
  );

  test.concurrent("a machine that was paused for longer than a session may be silent has lost none", async () => {
    await using service = startTaggedService("paused");
    const env = { PING_INTERVAL_MS: "1000", DEAD_AFTER_MS: "2500" };
    await using server = await startServerProcess({ shards: 1, env });
    await using agent = await openTunnelProcess({ ...server, port: service.port, name: "paused" });
    await agent.until("session");
    for (const one of [server, agent]) one.signal("SIGSTOP");
    await Bun.sleep(4_000);
    for (const one of [server, agent]) one.signal("SIGCONT");
    const since = performance.now();
    const { counts, stop } = keepVisiting(server.port, "paused");
    const isServed = (): boolean => performance.now() - since > 2_500 && (counts["200"] ?? 0) > 10;
    await eventually(isServed, "it is asked for longer than each end takes to look for silence", 60_000);
    expect(Object.keys(await stop())).toEqual(["200"]);
    expect(agent.all("tunnel.lost")).toEqual([]);
    expect(agent.all("session")).toHaveLength(1);
  });

  test.concurrent("nor has it refused a head that went on arriving meanwhile", async () => {
    await using server = await startServerProcess({ shards: 1, env: { HEAD_TIMEOUT_MS: "1000" } });
    const { port } = server;
    using visitor = await RawClient.open({ port });
    const answer = visitor.response();
    await visitor.send("GET /live HTTP/1.1\r\n");
    // By then it has read that.
    expect((await requestOnce({ port }, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")).status).toBe(200);
    server.signal("SIGSTOP");
    await visitor.send("Host: localhost\r\n\r\n");
    await Bun.sleep(2_500);
    server.signal("SIGCONT");
    expect((await answer).status).toBe(200);
  });
});
