// kill -9 of server, agent and local service in the middle of transfers: finished means whole, everything else is visibly broken.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { keepTransferring } from "../helpers/kill-transfers.ts";
import { type LocalServiceProcess, startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnelProcess, type ProcessAgent } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(120_000);

const megabyte = 1024 * 1024;
let service: LocalServiceProcess;
let server: ServerProcess;
let agent: ProcessAgent;

beforeAll(async () => {
  service = await startLocalServiceProcess();
  server = await startServerProcess({ shards: 2, env: { HOLD_MS: "300" } });
  agent = await openTunnelProcess({ ...server, port: service.port, name: "killed" });
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

const kills: Record<string, () => Promise<void>> = {
  async "the local service"() {
    const { port } = service;
    await service.kill();
    service = await startLocalServiceProcess(port);
  },
  async "the agent"() {
    agent.signal("SIGKILL");
    await agent.exited;
    agent = await openTunnelProcess({ ...server, port: service.port, name: "killed" });
  },
  async "the server"() {
    const ready = agent.all("tunnel.ready");
    // Since it stands that long, the agent's waits begin anew with each kill: it comes back by itself within seconds.
    const since = Date.parse(ready.at(-1)!.time);
    await eventually(() => Date.now() - since > 1_100, "the tunnel has stood for a second");
    server.signal("SIGKILL");
    await server.exited;
    server = await startServerProcess({ shards: 2, env: { HOLD_MS: "300" }, again: server });
    // As many seconds as a server that takes long to start on a busy machine may cost.
    await agent.until("tunnel.ready", ready.length + 1, 30_000);
  },
};

test.each(Object.keys(kills))("%s is killed 3 times", async (victim) => {
  await eventually(async () => (await statusOf(visit(server.port, "killed", "/"))) === 200, "the tunnel works");
  await using transfers = keepTransferring({ port: server.port, name: "killed", bytes: 8 * megabyte, run: victim }, 6);
  const { report } = transfers;
  for (let round = 0; round < 3; round++) {
    const before = report.finished;
    await eventually(() => report.finished >= before + 4, `transfers finish before kill ${round}`);
    await Bun.sleep(30 * round);
    await kills[victim]!();
  }
  const before = report.finished;
  await eventually(() => report.finished >= before + 2, "transfers finish after the last kill");
  await transfers.stop();
  expect(report.wrong).toEqual([]);
  expect(report.broken + report.refused).toBeGreaterThan(0);
});
