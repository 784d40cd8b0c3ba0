// `digit-link tcp 5432`: serve any local TCP service under a port of the server.

import type { Command } from "../command.ts";
import { expose, exposeFlags } from "../expose.ts";
import { resolveTcpTunnels, tcpFlags } from "../tunnels.ts";

export const tcp: Command = {
  name: "tcp",
  summary: "give a local TCP service a public port",
  usage: "PORT | HOST:PORT ...",
  flags: { ...tcpFlags, ...exposeFlags },
  examples: [
    ["digit-link tcp 5432", "a PostgreSQL on this machine"],
    ["digit-link tcp 5432 --remote-port 20007", "under a port of your choice"],
    ["digit-link tcp 5432 --remote-port 20007 --pool", "shared with other agents that say the same"],
    ["digit-link tcp 443 --proxy-protocol v2", "for one that reads visitors' addresses so"],
    ["digit-link tcp 22 192.168.1.20:3389", "two ports, one of them of another machine"],
  ],
  notes: ["The server gives the ports that its operator has set by TCP_PORTS."],
  run: (parsed, io) => expose(parsed, resolveTcpTunnels(parsed, parsed.positionals), io),
};
