// 500 transfers while server, agent and local service are killed in turn: whole or visibly broken, each POST seen at most once.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { keepTransferring } from "../helpers/kill-transfers.ts";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { judgeUploads } from "../helpers/upload-journal.ts";
import { atLeast, exactly, type Fact, nothingIn, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

/** More than all buffers on the way hold together: what is half here is not yet all on its way. */
const bytes = 24 * 1_048_576;

export const kills: Scenario = {
  name: "kills",
  about: "500 transfers while server, agent and local service are killed, 20 times each: whole or visibly broken",
  async run(options) {
    const facts: Fact[] = [];
    for (const victim of ["server", "agent", "service"] as const) facts.push(...(await runWith(options, victim)));
    return facts;
  },
};

async function runWith(options: SoakOptions, victim: "server" | "agent" | "service"): Promise<Fact[]> {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-kills-"));
  const journal = join(folder, "uploads");
  const env = { HOLD_MS: "2000" };
  let service = await startLocalServiceProcess(0, journal);
  let server = await startServerProcess({ shards: 2, env });
  let agent = await openTunnelProcess({ ...server, port: service.port, name: "kills" });
  await using transfers = keepTransferring({ port: server.port, name: "kills", bytes, run: victim }, 8);
  const { report } = transfers;
  const wantedTransfers = scaled(options, 170, 30);
  const wantedKills = scaled(options, 20, 3);
  const kill = async (): Promise<void> => {
    if (victim === "service") {
      await service.kill();
      service = await startLocalServiceProcess(service.port, journal);
    } else if (victim === "server") {
      server.signal("SIGKILL");
      await server.exited;
      server = await startServerProcess({ shards: 2, env, again: server });
    } else {
      agent.signal("SIGKILL");
      await agent.exited;
      agent = await openTunnelProcess({ ...server, port: service.port, name: "kills" });
    }
  };
  let [times, inVain] = [0, 0];
  while (report.finished + report.cut < wantedTransfers || times < wantedKills) {
    const before = report.finished;
    await eventually(() => report.finished >= before + 5, "transfers finish between kills", 60_000);
    await eventually(() => report.midway >= 2, "two downloads are on their way", 60_000, 1);
    times++;
    const { cut } = report;
    await kill();
    await eventually(() => report.cut > cut, "a download broke", 5_000).catch(() => inVain++);
  }
  await transfers.stop();
  await agent[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  const uploads = judgeUploads(journal, report, bytes);
  rmSync(folder, { recursive: true, force: true });
  const cut = report.cut + uploads.cut;
  return [
    atLeast(`${victim}: kills`, times, wantedKills),
    atLeast(`${victim}: transfers, finished or cut midway`, report.finished + cut, wantedTransfers),
    atLeast(`${victim}: of them cut midway`, cut, 2 * times),
    exactly(`${victim}: kills that cut no download midway`, inVain, 0),
    atLeast(`${victim}: uploads cut midway`, uploads.cut, times / 2),
    nothingIn(`${victim}: finished with wrong bytes`, report.wrong),
    nothingIn(`${victim}: cut uploads that the service took for whole`, uploads.wronglyWhole),
    nothingIn(`${victim}: POSTs seen twice`, uploads.seenTwice),
    nothingIn(`${victim}: finished uploads that no service saw`, uploads.neverSeen),
  ];
}
