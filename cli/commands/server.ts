// `digit-link server`: the server itself, loaded only when asked for.

import type { Command } from "../command.ts";
import { settingsFlag } from "../operator.ts";

export const server: Command = {
  name: "server",
  summary: "run the server itself",
  usage: "[--SETTING VALUE]...",
  flags: settingsFlag,
  examples: [
    ["digit-link server --domain localhost --scheme http", "for this machine: http://localhost:8080"],
    ["DOMAIN=tunnel.example.com digit-link server", "behind a reverse proxy that speaks TLS"],
    ["digit-link server --tcp-ports 20000-20999", "with ports for TCP tunnels"],
  ],
  notes: [
    'Every setting is a variable (PORT), a line of digit-link.toml (port) and a flag (--port). The ones you meet first: PORT, HOST, DOMAIN, SCHEME, DB_PATH, DATABASE_URL, TLS_CERT, TLS_KEY, TRUSTED_PROXIES, AGENT_WHITELIST, TCP_PORTS, SHARDS, LOG_LEVEL. "digit-link settings" lists all of them.',
    'The first start prints the address of the set-up page; "digit-link admin create NAME" does the same from a shell. SIGTERM or Ctrl-C lets requests in flight finish.',
  ],
  passThrough: true,
  async run(parsed) {
    const { runServer } = await import("../../src/server.ts");
    return runServer([...parsed.positionals]);
  },
};
