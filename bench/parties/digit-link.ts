// Our own contestant: server and agent as a user starts them, in the variants that an operator may choose.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, waitForAnswer } from "../ports.ts";
import type { StartedProcess } from "../process-group.ts";
import type { Party, PartyContext, RunningParty } from "./party.ts";

const root = join(import.meta.dir, "../..");
const serverEntry = join(root, "src/main.ts");
const agentEntry = join(root, "cli/main.ts");

/** Presence of the entry points; a checkout without them has nothing to measure. */
function missingEntry(): string | null {
  const missing = [serverEntry, agentEntry].find((file) => !existsSync(file));
  return missing === undefined ? null : `${missing} does not exist`;
}

export interface StartedServer {
  readonly process: StartedProcess;
  readonly port: number;
  readonly adminToken: string;
  /** The environment it was started with, PORT and ADMIN_TOKEN included. */
  readonly environment: Record<string, string>;
}

/** Starts a server with SQLite in a directory of its own; it listens soon, wait for a fact. */
export function startServer(context: PartyContext, label: string, extra: Record<string, string> = {}): StartedServer {
  const port = freePort();
  const directory = join(context.processes.directory, label);
  mkdirSync(directory, { mode: 0o700 });
  const adminToken = `bench-${crypto.randomUUID()}-${crypto.randomUUID()}`;
  const environment = {
    NODE_ENV: "production",
    HOST: "127.0.0.1",
    PORT: String(port),
    DOMAIN: "localhost",
    SCHEME: "http",
    DB_PATH: join(directory, "digit-link.db"),
    ADMIN_TOKEN: adminToken,
    AGENT_WHITELIST: "127.0.0.0/8",
    // Below the run's own directory, so that it goes with it whatever happens.
    SOCKET_DIR: join(directory, "run"),
    DRAIN_TIMEOUT_MS: "1000",
    ...extra,
  };
  const command = [process.execPath, serverEntry];
  return {
    process: context.processes.start(`${label}-server`, command, { env: environment }),
    port,
    adminToken,
    environment,
  };
}

async function start(
  context: PartyContext,
  label: string,
  names: readonly [string, ...string[]],
  extra: Record<string, string> = {},
): Promise<RunningParty> {
  const server = startServer(context, label, extra);
  // One agent for all names, as the peers have one client.
  const agents = [
    context.processes.start(`${label}-agent`, [
      process.execPath,
      agentEntry,
      ...["http", "--server", `http://localhost:${server.port}`, "--token", server.adminToken, "--quiet"],
      ...names.flatMap((name) => ["--forward", `${name}:${context.servicePort}`]),
    ]),
  ];
  const [first, ...rest] = names.map((name) => `${name}.localhost:${server.port}`);
  if (first === undefined) throw new Error("A party needs a name.");
  const endpoint = { address: "127.0.0.1", port: server.port, hostHeaders: [first, ...rest] as const };
  await waitForAnswer(endpoint, [server.process, ...agents]);
  return {
    endpoint,
    pids: { server: [server.process.pid], agent: agents.map((agent) => agent.pid) },
    async stop() {
      await Promise.all(agents.map((agent) => agent.stop()));
      await server.process.stop();
    },
  };
}

export const digitLink: Party = {
  name: "digit-link",
  kind: "ours",
  about: "all features on, one public port, default number of shards",
  unavailable: missingEntry,
  start: (context) => start(context, "digit-link", ["bench"]),
};

export const digitLinkShardPorts: Party = {
  name: "digit-link sp",
  kind: "ours",
  about: "the same, agents on the shards' own ports (SHARD_PORTS)",
  unavailable: missingEntry,
  async start(context) {
    return start(context, "digit-link-sp", ["bench"], { SHARDS: "1", SHARD_PORTS: String(freePort()) });
  },
};

export const digitLinkPiped: Party = {
  name: "digit-link pipe",
  kind: "ours",
  about: "the same, connections piped instead of moved (HANDOVER=pipe)",
  unavailable: missingEntry,
  start: (context) => start(context, "digit-link-pipe", ["bench"], { HANDOVER: "pipe" }),
};

/** Two names on each of two shards; only for the row in which a pooling proxy mixes them on its connections. */
export const digitLinkTwoShards: Party = {
  name: "digit-link 4x2",
  kind: "ours",
  about: "4 tunnels on 2 shards (SHARDS=2)",
  onlyRows: ["pooled"],
  unavailable: missingEntry,
  start: (context) => start(context, "digit-link-4x2", ["bench-a", "bench-b", "bench-c", "bench-d"], { SHARDS: "2" }),
};
