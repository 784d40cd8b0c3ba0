// Peer: bore, a TCP tunnel in Rust (no HTTP).

import { freePort } from "../ports.ts";
import { startPair } from "./pair.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

/** bore's control port can't be chosen; an address of its own keeps it clear of any other bore on this machine. */
const control = { address: "127.0.43.21", port: 7835 };

export const bore: Party = {
  name: "bore",
  kind: "peer",
  about: "raw TCP tunnel, no HTTP",
  unavailable: () => (findProgram("bore") === null ? "bore is not installed: cargo install bore-cli" : null),
  start({ servicePort, processes }) {
    const port = freePort();
    const program = requireProgram("bore");
    const { address } = control;
    const local = ["local", String(servicePort), "--local-host", "127.0.0.1"];
    return startPair(processes, {
      name: "bore",
      server: [program, "server", "--bind-addr", address],
      agent: [program, ...local, "--to", address, "--port", String(port)],
      control,
      endpoint: { address, port, hostHeaders: ["localhost"] },
    });
  },
};
