// Peer: frp, as a TCP proxy and as an HTTP proxy (one server and one agent serve both).

import { join } from "node:path";
import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
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
  const server = processes.start(`frps-${type}`, [requireProgram("frps"), "-c", serverConfig]);
  await waitForPort("127.0.0.1", controlPort, server);
  const agent = processes.start(`frpc-${type}`, [requireProgram("frpc"), "-c", agentConfig]);
  const endpoint = { address: "127.0.0.1", port, hostHeaders: ["bench.localhost"] as const };
  await waitForAnswer(endpoint, [server, agent]);
  return {
    endpoint,
    pids: { server: [server.pid], agent: [agent.pid] },
    async stop() {
      await agent.stop();
      await server.stop();
    },
  };
}
