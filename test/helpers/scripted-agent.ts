// A stand-in for cli/agent/agent.ts that plays events from DIGIT_LINK_SCRIPT (or the file DIGIT_LINK_SCRIPT_FILE), so that the process around it can be tested alone.

import { readFileSync } from "node:fs";
import type { Agent, AgentEnd, AgentEvent, AgentOptions } from "../../cli/agent/types.ts";

/** What the agent does: events with the delay before each, then perhaps an end of its own. */
export interface AgentScript {
  events: { afterMs: number; event: AgentEvent }[];
  end?: AgentEnd;
  /** How it ends when it is stopped. */
  stopEnd?: AgentEnd;
  /** How long `stop` takes. */
  stopMs?: number;
}

export function startAgent(options: AgentOptions): Agent {
  const file = process.env.DIGIT_LINK_SCRIPT_FILE;
  const script: AgentScript = JSON.parse(
    file === undefined ? (process.env.DIGIT_LINK_SCRIPT ?? '{"events":[]}') : readFileSync(file, "utf8"),
  );
  const { promise, resolve } = Promise.withResolvers<AgentEnd>();
  // A running agent holds sockets, which keep the process alive.
  const alive = setInterval(() => {}, 60_000);
  void promise.then(() => clearInterval(alive));
  const { token, onEvent, ...visible } = options;
  if (process.env.DIGIT_LINK_SHOW_OPTIONS)
    process.stderr.write(`options ${JSON.stringify({ ...visible, tokenLength: token.length })}\n`);
  void (async () => {
    for (const { afterMs, event } of script.events) {
      if (afterMs > 0) await Bun.sleep(afterMs);
      onEvent(event);
    }
    if (script.end !== undefined) resolve(script.end);
  })();
  return {
    done: promise,
    async stop() {
      await Bun.sleep(script.stopMs ?? 0);
      resolve(script.stopEnd ?? { reason: "stopped" });
    },
  };
}
