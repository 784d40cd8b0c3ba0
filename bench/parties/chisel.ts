// Peer: chisel, TCP over SSH over a WebSocket, as a reverse tunnel.

import { freePort } from "../ports.ts";
import { startPair } from "./pair.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const chisel: Party = {
  name: "chisel",
  kind: "peer",
  about: "TCP over SSH over WebSocket, reverse tunnel",
  unavailable: () => (findProgram("chisel") === null ? "chisel is not on PATH" : null),
  start({ servicePort, processes }) {
    const address = "127.0.0.1";
    const control = { address, port: freePort() };
    const port = freePort();
    const program = requireProgram("chisel");
    const remote = `R:${address}:${port}:${address}:${servicePort}`;
    return startPair(processes, {
      name: "chisel",
      server: [program, "server", "--reverse", "--host", address, "--port", String(control.port)],
      agent: [program, "client", `http://${address}:${control.port}`, remote],
      control,
      endpoint: { address, port, hostHeaders: ["localhost"] },
    });
  },
};
