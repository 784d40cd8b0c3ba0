// `digit-link http 3000`, `digit-link 3000` and the flag form: serve a local HTTP service.

import type { Command } from "../command.ts";
import { expose, exposeFlags } from "../expose.ts";
import { httpFlags, resolveHttpTunnels } from "../tunnels.ts";

export const http: Command = {
  name: "http",
  summary: "give a local web service a public address",
  usage: "PORT | HOST:PORT | URL",
  flags: { ...httpFlags, ...exposeFlags },
  examples: [
    ["digit-link 3000", "http://localhost:3000, under a name the server picks"],
    ["digit-link http 3000 -n myapp", "the same, as myapp.YOUR-DOMAIN"],
    ["digit-link http https://localhost:8443 --insecure-local", "a local service with its own certificate"],
    ["digit-link -f web:3000 -f shop:4000", "two tunnels at once"],
    ["digit-link http 5173 --host-header rewrite", "a dev server that refuses unknown hosts"],
    ["digit-link http 3000 --inspect 4040", "look at requests, and send them again"],
    ["digit-link http 3000 --json --wait 30", "for scripts"],
  ],
  run: (parsed, io) => expose(parsed, resolveHttpTunnels(parsed, parsed.positionals), io),
};
