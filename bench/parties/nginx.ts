// Yardstick: nginx as a plain reverse proxy, one hop, no tunnel.

import { join } from "node:path";
import { freePort, waitForAnswer } from "../ports.ts";
import { nginxConfig } from "./nginx-config.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const nginx: Party = {
  name: "nginx",
  kind: "yardstick",
  about: "plain reverse proxy, one hop, no tunnel",
  unavailable: () => (findProgram("nginx") === null ? "nginx is not installed: apt-get install nginx" : null),
  async start({ servicePort, processes }) {
    const port = freePort();
    const { directory } = processes;
    const config = join(directory, "nginx.conf");
    await Bun.write(
      config,
      nginxConfig(directory, [{ listenPort: port, upstreamAddress: "127.0.0.1", upstreamPort: servicePort }]),
    );
    const command = [requireProgram("nginx"), "-p", directory, "-c", config, "-e", join(directory, "nginx-error.log")];
    const server = processes.start("nginx", command);
    const endpoint = { address: "127.0.0.1", port, hostHeaders: ["localhost"] as const };
    await waitForAnswer(endpoint, [server]);
    return { endpoint, pids: { server: [server.pid], agent: [] }, stop: () => server.stop() };
  },
};
