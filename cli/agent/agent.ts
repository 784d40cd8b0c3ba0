// The agent: serves every tunnel it was given until it is stopped or refused for good.

import { randomBytes } from "node:crypto";
import { TunnelClient } from "./tunnel-client.ts";
import type { Agent, AgentEnd, AgentOptions } from "./types.ts";

/** Starts at once; events come by `options.onEvent`. Ends when stopped, or when a tunnel is refused for good. */
export function startAgent(options: AgentOptions): Agent {
  let last = 0;
  const identity = {
    agentId: `agt_${randomBytes(12).toString("hex")}`,
    // Wall-clock milliseconds rise over restarts; within a process they are made to.
    nextGeneration: () => (last = Math.max(last + 1, Date.now())),
  };
  const clients = options.tunnels.map(
    (spec, index) => new TunnelClient(options, spec, { ...identity, agentId: `${identity.agentId}-${index}` }),
  );
  let stopped: Promise<void> | null = null;
  const stop = (graceMs = 5_000): Promise<void> =>
    (stopped ??= Promise.all(clients.map((client) => client.stop(graceMs))).then(() => undefined));
  const done = Promise.race(clients.map((client) => client.done)).then(async (end): Promise<AgentEnd> => {
    await stop(end.reason === "refused" ? 1_000 : 5_000);
    return end;
  });
  return { done, stop };
}
