// 500 transfers while server, agent and local service are killed in turn: whole or visibly broken, each POST seen at most once.

import { eventually } from "../helpers/eventually.ts";
import { keepTransferring } from "../helpers/kill-transfers.ts";
import { type LocalServiceProcess, startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { valuesOf } from "../helpers/strict-http.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { atLeast, type Fact, figure, nothingIn, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

export const kills: Scenario = {
  name: "kills",
  about: "500 transfers while server, agent and local service are killed: whole or visibly broken",
  async run(options) {
    // The service that records requests lives in this process; the one that is killed can't tell what it saw.
    return [...(await runWith(options, "agent and server")), ...(await runWith(options, "local service"))];
  },
};

async function runWith(options: SoakOptions, victims: "agent and server" | "local service"): Promise<Fact[]> {
  const isLocal = victims === "local service";
  let process_: LocalServiceProcess | null = isLocal ? await startLocalServiceProcess() : null;
  const recorder = isLocal ? null : startLocalService();
  const localPort = process_?.port ?? recorder!.port;
  const env = { HOLD_MS: "2000" };
  let server = await startServerProcess({ shards: 2, env });
  let agent = await openTunnelProcess({ ...server, port: localPort, name: "kills" });
  const { port } = server;
  await using transfers = keepTransferring({ port, name: "kills", bytes: 4 * 1_048_576, run: victims.slice(0, 5) }, 8);
  const { report } = transfers;
  const wanted = scaled(options, isLocal ? 150 : 350, 30);
  let times = 0;
  while (report.finished + report.broken + report.refused < wanted || times < 3) {
    const before = report.finished;
    await eventually(() => report.finished >= before + 5, "transfers finish between kills", 60_000);
    times++;
    if (process_ !== null) {
      await process_.kill();
      process_ = await startLocalServiceProcess(localPort);
    } else if (times % 2 === 0) {
      server.signal("SIGKILL");
      await server.exited;
      server = await startServerProcess({ shards: 2, env, again: server });
    } else {
      agent.signal("SIGKILL");
      await agent.exited;
      agent = await openTunnelProcess({ ...server, port: localPort, name: "kills" });
    }
  }
  await transfers.stop();
  const posts = new Map<string, number>();
  for (const request of recorder?.requests ?? []) {
    if (request.method !== "POST") continue;
    const id = valuesOf(request.fields, "x-id")[0]!;
    posts.set(id, (posts.get(id) ?? 0) + 1);
  }
  const twice = [...posts].filter(([, count]) => count > 1).map(([id]) => id);
  await agent[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await process_?.[Symbol.asyncDispose]();
  recorder?.[Symbol.dispose]();
  return [
    figure(`${victims}: kills`, times),
    atLeast(`${victims}: transfers`, report.finished + report.broken + report.refused, wanted),
    figure(`${victims}: visibly broken or refused`, report.broken + report.refused),
    nothingIn(`${victims}: finished with wrong bytes`, report.wrong),
    ...(isLocal ? [] : [nothingIn(`${victims}: POSTs seen twice`, twice)]),
  ];
}
