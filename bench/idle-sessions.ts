// What an idle session costs: a server of its own, real agents with many tunnels each, resident memory before and after.

import { join } from "node:path";
import type { AgentEvent } from "../cli/agent/types.ts";
import { processTree, residentBytes } from "./measure/proc.ts";
import { type StartedServer, startServer } from "./parties/digit-link.ts";
import type { PartyContext } from "./parties/party.ts";
import { waitForPort } from "./ports.ts";
import type { StartedProcess } from "./process-group.ts";
import type { IdleSessions } from "./report.ts";

const sessionsPerTunnel = 2;
const tunnelsPerAgent = 250;
const warmTunnels = 50;
/** All of them come from one address and one account here, which no server would allow by default. */
const limits = {
  MAX_CONNECTIONS_PER_ADDRESS: "100000",
  MAX_TUNNELS_PER_ACCOUNT: "100000",
  MAX_TUNNELS_PER_ORGANIZATION: "100000",
};
const agentEntry = join(import.meta.dir, "../cli/main.ts");

/** Opens `sessions` sessions (two per tunnel) and lets them idle; null, with a line for the user, when they don't all come up. */
export async function measureIdleSessions(
  context: PartyContext,
  sessions: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<IdleSessions | null> {
  const server = startServer(context, "idle", limits);
  await waitForPort("127.0.0.1", server.port, server.process);
  const tunnels = Math.ceil(sessions / sessionsPerTunnel);
  const agents: { process: StartedProcess; tunnels: number }[] = [];
  const startAgent = async (first: number, count: number): Promise<number> => {
    const process_ = startAgentProcess(context, server, first, count);
    agents.push({ process: process_, tunnels: count });
    const bytes = residentBytes([process_.pid]).now;
    await waitForTunnels(process_, count, signal);
    return bytes;
  };
  try {
    // The first sessions bring in code and caches that are there once: they belong to the server, not to a session.
    await startAgent(0, warmTunnels);
    await agents.pop()!.process.stop();
    const serverBytesBefore = await settledBytes([server.process], signal);
    let agentBytesBefore = 0;
    for (let first = warmTunnels; first < warmTunnels + tunnels; first += tunnelsPerAgent)
      agentBytesBefore += await startAgent(first, Math.min(tunnelsPerAgent, warmTunnels + tunnels - first));
    const serverBytes = await settledBytes([server.process], signal);
    return {
      sessions: tunnels * sessionsPerTunnel,
      serverBytesBefore,
      serverBytes,
      agentBytesBefore,
      agentBytes: await settledBytes(
        agents.map((agent) => agent.process),
        signal,
      ),
      bytesPerSession: (serverBytes - serverBytesBefore) / (tunnels * sessionsPerTunnel),
    };
  } catch (error) {
    signal.throwIfAborted();
    say(`idle sessions: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  } finally {
    await Promise.all(agents.map((agent) => agent.process.stop()));
    await server.process.stop();
  }
}

function startAgentProcess(context: PartyContext, server: StartedServer, first: number, count: number): StartedProcess {
  const forwards = Array.from({ length: count }, (_, i) => ["--forward", `idle-${first + i}:${context.servicePort}`]);
  return context.processes.start(`idle-agent-${first}`, [
    process.execPath,
    agentEntry,
    "--server",
    `http://localhost:${server.port}`,
    "--token",
    server.adminToken,
    "--json",
    "--connections",
    String(sessionsPerTunnel),
    ...forwards.flat(),
  ]);
}

/** Resolves when the agent has said `tunnel.ready` that often and that all wanted sessions are open. */
async function waitForTunnels(agent: StartedProcess, count: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    signal.throwIfAborted();
    if (agent.ended()) throw new Error(`the agent ended: ${agent.logTail()}`);
    const ready = readyTunnels(await Bun.file(agent.logFile).text());
    if (ready >= count) return;
    if (performance.now() > deadline) throw new Error(`only ${ready} of ${count} tunnels came up: ${agent.logTail()}`);
    await Bun.sleep(100);
  }
}

/** Tunnels whose last `session` event says that every wanted session is open. */
function readyTunnels(log: string): number {
  const complete = new Map<string, boolean>();
  for (const line of log.split("\n")) {
    if (!line.startsWith("{") || !line.endsWith("}")) continue;
    const event = JSON.parse(line) as AgentEvent;
    if (event.event === "session") complete.set(event.url, event.open === event.wanted);
  }
  return [...complete.values()].filter(Boolean).length;
}

/** Resident memory once it has stopped falling: the lowest of four looks, half a second apart. */
async function settledBytes(processes: readonly StartedProcess[], signal: AbortSignal): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look++) {
    signal.throwIfAborted();
    await Bun.sleep(500);
    lowest = Math.min(lowest, residentBytes(processTree(processes.map((process) => process.pid))).now);
  }
  return lowest;
}
