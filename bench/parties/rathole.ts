// Peer: rathole, a TCP tunnel in Rust (no HTTP), plain TCP transport.

import { join } from "node:path";
import { freePort } from "../ports.ts";
import { startPair } from "./pair.ts";
import { findProgram, type Party, requireProgram } from "./party.ts";

export const rathole: Party = {
  name: "rathole",
  kind: "peer",
  about: "raw TCP tunnel, no HTTP",
  unavailable: () => (findProgram("rathole") === null ? "rathole is not installed: cargo install rathole" : null),
  async start({ servicePort, processes }) {
    const controlPort = freePort();
    const port = freePort();
    const program = requireProgram("rathole");
    const token = crypto.randomUUID();
    const serverConfig = join(processes.directory, "rathole-server.toml");
    const agentConfig = join(processes.directory, "rathole-agent.toml");
    await Bun.write(
      serverConfig,
      `[server]\nbind_addr = "127.0.0.1:${controlPort}"\ndefault_token = "${token}"\n` +
        `[server.services.bench]\nbind_addr = "127.0.0.1:${port}"\n`,
    );
    await Bun.write(
      agentConfig,
      `[client]\nremote_addr = "127.0.0.1:${controlPort}"\ndefault_token = "${token}"\n` +
        `[client.services.bench]\nlocal_addr = "127.0.0.1:${servicePort}"\n`,
    );
    return startPair(processes, {
      name: "rathole",
      server: [program, "--server", serverConfig],
      agent: [program, "--client", agentConfig],
      control: { address: "127.0.0.1", port: controlPort },
      endpoint: { address: "127.0.0.1", port, hostHeaders: ["localhost"] },
    });
  },
};
