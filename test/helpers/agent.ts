// A real agent in this process, connected before a test goes on.

import { startAgent } from "../../cli/agent/agent.ts";
import type { AgentEvent, TunnelSpec } from "../../cli/agent/types.ts";
import { eventually } from "./eventually.ts";

export interface TestAgent extends AsyncDisposable {
  /** Every event so far. */
  readonly events: AgentEvent[];
  /** Events of one kind. */
  of<K extends AgentEvent["event"]>(kind: K): Extract<AgentEvent, { event: K }>[];
  /** Says good-bye; streams get `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface TestAgentOptions {
  server: { port: number; token: string };
  subdomain: string;
  localPort: number;
  /** Sessions; default 2. */
  connections?: number;
  /** When it isn't http on localhost. */
  origin?: string;
  spec?: Partial<TunnelSpec>;
}

/** Starts it and waits until all its sessions stand. Dispose stops it, without grace for streams. */
export async function startTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const { server, subdomain, localPort, connections = 2 } = options;
  const events: AgentEvent[] = [];
  const of = <K extends AgentEvent["event"]>(kind: K): Extract<AgentEvent, { event: K }>[] =>
    events.filter((event): event is Extract<AgentEvent, { event: K }> => event.event === kind);
  const agent = startAgent({
    server: options.origin ?? `http://localhost:${server.port}`,
    token: server.token,
    tunnels: [
      {
        protocol: "http",
        subdomain,
        localHost: "127.0.0.1",
        localPort,
        localHttps: false,
        insecureLocal: false,
        hostHeader: "preserve",
        ...options.spec,
      },
    ],
    connections,
    pool: false,
    version: "0.1.0",
    // One per name, so that a second agent is the first one started again.
    agentId: `test-${subdomain}`,
    onEvent: (event) => void events.push(event),
  });
  const isUp = (): boolean =>
    of("refused").length > 0 ||
    (of("tunnel.ready").length > 0 && (connections === 1 || of("session").some((event) => event.open === connections)));
  await eventually(isUp, `the agent of ${subdomain} is connected`);
  const refused = of("refused")[0];
  if (refused !== undefined) throw new Error(`the agent was refused: ${refused.message}`);
  const stop = (graceMs: number): Promise<void> => agent.stop(graceMs);
  return { events, of, stop, [Symbol.asyncDispose]: () => stop(0) };
}

/** What the agent tells its user of the first request for `path`. */
export async function reported(agent: TestAgent, path: string) {
  const find = () => agent.of("request").find((event) => event.path === path);
  await eventually(() => find() !== undefined, `the agent reports ${path}`);
  return find()!;
}
