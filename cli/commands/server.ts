// `digit-link server`: the server itself, loaded only when asked for.

import type { Command } from "../command.ts";

export const server: Command = {
  name: "server",
  summary: "run the server itself",
  usage: "",
  flags: {},
  examples: [
    ["DOMAIN=localhost SCHEME=http digit-link server", "on this machine, http://localhost:8080"],
    ["DOMAIN=tunnel.example.com digit-link server", "behind a reverse proxy that does TLS"],
  ],
  notes: [
    "Settings come from the environment and from digit-link.toml: PORT, HOST, DOMAIN, SCHEME, DB_PATH, DATABASE_URL, TLS_CERT, TLS_KEY, TRUSTED_PROXIES, TCP_PORTS, SHARDS, …; docs/configuration.md lists all.",
    'The first start prints the address of the set-up page; "digit-link admin create NAME" does the same from a shell.',
  ],
  passThrough: true,
  async run(parsed) {
    const { runServer } = await import("../../src/server.ts");
    return runServer([...parsed.positionals]);
  },
};
