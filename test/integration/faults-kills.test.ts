// kill -9 of server, agent and local service in the middle of transfers: finished means whole, everything else is visibly broken.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { keepTransferring } from "../helpers/kill-transfers.ts";
import { type LocalServiceProcess, startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnelProcess, type ProcessAgent } from "../helpers/tunnel-agent.ts";
import { judgeUploads } from "../helpers/upload-journal.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(120_000);

const bytes = 24 * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "digit-link-kills-"));
const journal = join(folder, "uploads");
let service: LocalServiceProcess;
let server: ServerProcess;
let agent: ProcessAgent;

beforeAll(async () => {
  service = await startLocalServiceProcess(0, journal);
  server = await startServerProcess({ shards: 2, env: { HOLD_MS: "300" } });
  agent = await openTunnelProcess({ ...server, port: service.port, name: "killed" });
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const kills: Record<string, () => Promise<void>> = {
  async "the local service"() {
    const { port } = service;
    await service.kill();
    service = await startLocalServiceProcess(port, journal);
  },
  async "the agent"() {
    agent.signal("SIGKILL");
    await agent.exited;
    agent = await openTunnelProcess({ ...server, port: service.port, name: "killed" });
  },
  async "the server"() {
    const ready = agent.all("tunnel.ready");
    server.signal("SIGKILL");
    await server.exited;
    server = await startServerProcess({ shards: 2, env: { HOLD_MS: "300" }, again: server });
    // As many seconds as a server that takes long to start on a busy machine may cost.
    await agent.until("tunnel.ready", ready.length + 1, 30_000);
  },
};

/** Since it stands that long, the agent's waits begin anew with each kill: it comes back by itself within seconds. */
async function hasStood(): Promise<void> {
  const since = Date.parse(agent.all("tunnel.ready").at(-1)!.time);
  await eventually(() => Date.now() - since > 1_100, "the tunnel has stood for a second");
}

test.each(Object.keys(kills))("%s is killed 3 times", async (victim) => {
  await eventually(async () => (await statusOf(visit(server.port, "killed", "/"))) === 200, "the tunnel works");
  rmSync(journal, { force: true });
  await using transfers = keepTransferring(
    { port: server.port, name: "killed", bytes, run: victim.replaceAll(" ", "-") },
    6,
  );
  const { report } = transfers;
  for (let round = 0; round < 3; round++) {
    const { finished, cut } = report;
    await eventually(() => report.finished >= finished + 4, `transfers finish before kill ${round}`, 30_000);
    for (let inVain = 0; report.cut === cut; inVain++) {
      expect(inVain).toBeLessThan(5);
      await hasStood();
      await eventually(() => report.midway > 0, "a download is on its way", 30_000, 1);
      const before = report.finished;
      await kills[victim]!();
      // The look is older than the kill: what was on its way may have ended between them, and then all of them go on.
      await eventually(() => report.cut > cut || report.finished >= before + 12, "transfers broke, or go on", 30_000);
    }
  }
  const before = report.finished;
  await eventually(() => report.finished >= before + 2, "transfers finish after the last kill", 30_000);
  await transfers.stop();
  const { seen, cut, ...complaints } = judgeUploads(journal, report, bytes);
  expect({ wrong: report.wrong, ...complaints }).toEqual({ wrong: [], seenTwice: [], neverSeen: [], wronglyWhole: [] });
  expect(seen).toBeGreaterThanOrEqual(report.uploaded.length);
  expect(report.cut + cut).toBeGreaterThanOrEqual(3);
});
