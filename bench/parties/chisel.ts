// Peer: chisel, TCP over SSH over a WebSocket, as a reverse tunnel.

import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const chisel: Party = {
  name: "chisel",
  kind: "peer",
  about: "TCP over SSH over WebSocket, reverse tunnel",
  unavailable: () => (findProgram("chisel") === null ? "chisel is not on PATH" : null),
  async start({ servicePort, processes }) {
    const controlPort = freePort();
    const port = freePort();
    const program = requireProgram("chisel");
    const server = processes.start("chisel-server", [
      program,
      "server",
      "--reverse",
      "--host",
      "127.0.0.1",
      "--port",
      String(controlPort),
    ]);
    await waitForPort("127.0.0.1", controlPort, server);
    const agent = processes.start("chisel-agent", [
      program,
      "client",
      `http://127.0.0.1:${controlPort}`,
      `R:127.0.0.1:${port}:127.0.0.1:${servicePort}`,
    ]);
    const endpoint = { address: "127.0.0.1", port, hostHeaders: ["localhost"] as const };
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
