// A peer that is two programs: a server with a control port, and an agent that connects to it and makes the endpoint answer.

import type { ProcessGroup } from "../process-group.ts";
import { waitForAnswer, waitForPort } from "../ports.ts";
import type { Endpoint, RunningParty } from "./party.ts";

export interface Pair {
  /** Names the two in messages. */
  readonly name: string;
  readonly server: readonly string[];
  readonly agent: readonly string[];
  /** Where the server has to listen before the agent is started. */
  readonly control: { readonly address: string; readonly port: number };
  readonly endpoint: Endpoint;
}

/** Starts both, the server first; resolves when the endpoint answers, rejects with the reason. */
export async function startPair(processes: ProcessGroup, pair: Pair): Promise<RunningParty> {
  const { name, control, endpoint } = pair;
  const server = processes.start(`${name}-server`, [...pair.server]);
  await waitForPort(control.address, control.port, server);
  const agent = processes.start(`${name}-agent`, [...pair.agent]);
  await waitForAnswer(endpoint, [server, agent]);
  return {
    endpoint,
    pids: { server: [server.pid], agent: [agent.pid] },
    async stop() {
      await agent.stop();
      await server.stop();
    },
  };
}
