// An nginx that pools its upstream connections in front of every party, for the row in which hosts share connections.

import { join } from "node:path";
import { findProgram, requireProgram } from "./parties/party.ts";
import { nginxConfig } from "./parties/nginx-config.ts";
import { freePort, waitForAnswer } from "./ports.ts";
import type { ProcessGroup } from "./process-group.ts";
import type { Contestant } from "./rotate.ts";

/** Starts it and tells every contestant where it is found behind it. Does nothing where nginx is missing. */
export async function startPoolFront(contestants: readonly Contestant[], processes: ProcessGroup): Promise<void> {
  if (findProgram("nginx") === null || contestants.length === 0) return;
  const directory = join(processes.directory, "front");
  const ports = contestants.map(({ running }) => ({
    listenPort: freePort(),
    upstreamAddress: running.endpoint.address,
    upstreamPort: running.endpoint.port,
  }));
  const config = join(directory, "nginx.conf");
  await Bun.write(config, nginxConfig(directory, ports));
  const command = [requireProgram("nginx"), "-p", directory, "-c", config, "-e", join(directory, "nginx-error.log")];
  const front = processes.start("front-nginx", command);
  for (const [i, contestant] of contestants.entries()) {
    const port = ports[i]?.listenPort;
    if (port === undefined) continue;
    const { hostHeaders } = contestant.running.endpoint;
    contestant.frontEndpoint = { address: "127.0.0.1", port, hostHeaders };
    await waitForAnswer(contestant.frontEndpoint, [front]);
  }
}
