// Peer: piko, an HTTP tunnel in Go whose endpoint is chosen by the first label of Host.

import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const piko: Party = {
  name: "piko",
  kind: "peer",
  about: "HTTP tunnel in Go, one node",
  unavailable: () => (findProgram("piko") === null ? "piko is not on PATH" : null),
  async start({ servicePort, processes }) {
    const port = freePort();
    const upstreamPort = freePort();
    const program = requireProgram("piko");
    const server = processes.start("piko-server", [
      program,
      "server",
      "--proxy.bind-addr",
      `127.0.0.1:${port}`,
      "--upstream.bind-addr",
      `127.0.0.1:${upstreamPort}`,
      "--admin.bind-addr",
      `127.0.0.1:${freePort()}`,
      "--cluster.gossip.bind-addr",
      `127.0.0.1:${freePort()}`,
    ]);
    await waitForPort("127.0.0.1", upstreamPort, server);
    const agent = processes.start("piko-agent", [
      program,
      "agent",
      "http",
      "bench",
      String(servicePort),
      "--connect.url",
      `http://127.0.0.1:${upstreamPort}`,
      "--server.bind-addr",
      `127.0.0.1:${freePort()}`,
    ]);
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
  },
};
