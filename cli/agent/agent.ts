// The agent: serves every tunnel it was given until it is stopped or refused for good.

import { randomBytes } from "node:crypto";
import { createLanes } from "../../src/lib/lanes.ts";
import { agentIdOf, machineId } from "./identity.ts";
import { createOnce } from "./once.ts";
import { TunnelClient } from "./tunnel-client.ts";
import type { Agent, AgentEnd, AgentOptions } from "./types.ts";

/** Registrations that an agent of many tunnels has under way at once: each has a connection of its own, for which the server keeps one, too. */
const registrationLanes = 16;

/** Starts at once; events come by `options.onEvent`. Ends when stopped, or when every tunnel is refused for good: one that is leaves the others alone. */
export function startAgent(options: AgentOptions): Agent {
  let last = 0;
  // Wall-clock milliseconds rise over restarts; within a process they are made to.
  const nextGeneration = (): number => (last = Math.max(last + 1, Date.now()));
  // Agents that share a name are told apart; one that starts again is recognised, by the service it serves.
  const own = options.agentId ?? (options.pool ? randomBytes(16).toString("hex") : machineId());
  const inLane = createLanes(registrationLanes);
  const notices = createOnce((message) =>
    options.onEvent({ event: "notice", time: new Date().toISOString(), message }),
  );
  const clients = options.tunnels.map((spec) => {
    const identity = { agentId: agentIdOf(own, spec), nextGeneration };
    return new TunnelClient(options, spec, identity, inLane, notices.tell);
  });
  let stopped: Promise<void> | null = null;
  const stop = (graceMs = 5_000): Promise<void> =>
    (stopped ??= Promise.all(clients.map((client) => client.stop(graceMs))).then(() => undefined));
  const done = Promise.all(clients.map((client) => client.done)).then(
    (ends): AgentEnd => ends.find(({ reason }) => reason === "refused") ?? { reason: "stopped" },
  );
  return { done, stop };
}
