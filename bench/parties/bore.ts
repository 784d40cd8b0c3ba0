// Peer: bore, a TCP tunnel in Rust (no HTTP).

import { freePort, waitForAnswer, waitForPort } from "../ports.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

/** bore's control port can't be chosen; an address of its own keeps it clear of any other bore on this machine. */
const address = "127.0.43.21";
const controlPort = 7835;

export const bore: Party = {
  name: "bore",
  kind: "peer",
  about: "raw TCP tunnel, no HTTP",
  unavailable: () => (findProgram("bore") === null ? "bore is not installed: cargo install bore-cli" : null),
  async start({ servicePort, processes }) {
    const port = freePort();
    const program = requireProgram("bore");
    const server = processes.start("bore-server", [program, "server", "--bind-addr", address]);
    await waitForPort(address, controlPort, server);
    const agent = processes.start("bore-agent", [
      program,
      "local",
      String(servicePort),
      "--local-host",
      "127.0.0.1",
      "--to",
      address,
      "--port",
      String(port),
    ]);
    const endpoint = { address, port, hostHeaders: ["localhost"] as const };
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
