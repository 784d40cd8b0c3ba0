// Peer: piko, an HTTP tunnel in Go whose endpoint is chosen by the first label of Host.

import { freePort } from "../ports.ts";
import { startPair } from "./pair.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const piko: Party = {
  name: "piko",
  kind: "peer",
  about: "HTTP tunnel in Go, one node",
  unavailable: () => (findProgram("piko") === null ? "piko is not on PATH" : null),
  start({ servicePort, processes }) {
    const address = "127.0.0.1";
    const control = { address, port: freePort() };
    const port = freePort();
    const program = requireProgram("piko");
    const bind = (flag: string, at = freePort()) => [`--${flag}.bind-addr`, `${address}:${at}`];
    return startPair(processes, {
      name: "piko",
      server: [
        ...[program, "server", ...bind("proxy", port), ...bind("upstream", control.port)],
        ...[...bind("admin"), ...bind("cluster.gossip")],
      ],
      agent: [
        ...[program, "agent", "http", "bench", String(servicePort)],
        ...["--connect.url", `http://${address}:${control.port}`, ...bind("server")],
      ],
      control,
      endpoint: { address, port, hostHeaders: ["bench.localhost"] },
    });
  },
};
