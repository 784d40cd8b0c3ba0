// Peer: frp, as a TCP proxy and as an HTTP proxy, a server and an agent each.

import { join } from "node:path";
import { freePort } from "../ports.ts";
import { startPair } from "./pair.ts";
import { findProgram, type Party, type PartyContext, requireProgram, type RunningParty } from "./party.ts";

const unavailable = (): string | null =>
  findProgram("frps") === null || findProgram("frpc") === null ? "frps and frpc are not on PATH" : null;

export const frpTcp: Party = {
  name: "frp tcp",
  kind: "peer",
  about: "frp, proxy type tcp",
  unavailable,
  start: (context) => start(context, "tcp"),
};

export const frpHttp: Party = {
  name: "frp http",
  kind: "peer",
  about: "frp, proxy type http",
  unavailable,
  start: (context) => start(context, "http"),
};

async function start({ servicePort, processes }: PartyContext, type: "tcp" | "http"): Promise<RunningParty> {
  const controlPort = freePort();
  const port = freePort();
  const serverConfig = join(processes.directory, `frps-${type}.toml`);
  const agentConfig = join(processes.directory, `frpc-${type}.toml`);
  await Bun.write(
    serverConfig,
    `bindAddr = "127.0.0.1"\nbindPort = ${controlPort}\nproxyBindAddr = "127.0.0.1"\n` +
      (type === "http" ? `vhostHTTPPort = ${port}\n` : ""),
  );
  await Bun.write(
    agentConfig,
    `serverAddr = "127.0.0.1"\nserverPort = ${controlPort}\n[[proxies]]\nname = "bench"\ntype = "${type}"\n` +
      `localIP = "127.0.0.1"\nlocalPort = ${servicePort}\n` +
      (type === "http" ? `customDomains = ["bench.localhost"]\n` : `remotePort = ${port}\n`),
  );
  return startPair(processes, {
    name: `frp-${type}`,
    server: [requireProgram("frps"), "-c", serverConfig],
    agent: [requireProgram("frpc"), "-c", agentConfig],
    control: { address: "127.0.0.1", port: controlPort },
    endpoint: { address: "127.0.0.1", port, hostHeaders: ["bench.localhost"] },
  });
}
