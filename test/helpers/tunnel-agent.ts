// Real agents for tests: in this process, or as a process that can be killed.

import { startAgent } from "../../cli/agent/agent.ts";
import type { Recorder } from "../../cli/inspector/recorder.ts";
import type { AgentEnd, AgentEvent } from "../../cli/agent/types.ts";
import { eventually } from "./eventually.ts";
import { program } from "./program.ts";
import { endWithThisProcess, readLines } from "./server-process.ts";

export interface TunnelAgentOptions {
  /** `http://localhost:PORT`; a relay's port stands between agent and server. */
  origin: string;
  token: string;
  /** Port of the local service. */
  port: number;
  /** Its host, for an agent in this process; 127.0.0.1 unless given. */
  host?: string;
  name?: string;
  protocol?: "http" | "tcp";
  /** The public port that a TCP tunnel must have. */
  remotePort?: number;
  /** For an agent that is a process. */
  proxyProtocol?: "v1" | "v2";
  connections?: number;
  pool?: boolean;
  hostHeader?: string;
  /** Keeps its requests, for an agent in this process. */
  recorder?: Recorder;
  /** Port of its inspector, for an agent that is a process. */
  inspect?: number;
  /** More of the environment, for an agent that is a process. */
  env?: Record<string, string>;
}

export interface TunnelAgent extends AsyncDisposable {
  readonly events: readonly AgentEvent[];
  /** Events of one kind, in order. */
  all<K extends AgentEvent["event"]>(kind: K): Extract<AgentEvent, { event: K }>[];
  /** Waits until there are `count` events of that kind, and returns the last of them. */
  until<K extends AgentEvent["event"]>(
    kind: K,
    count?: number,
    timeoutMs?: number,
  ): Promise<Extract<AgentEvent, { event: K }>>;
}

export interface InProcessAgent extends TunnelAgent {
  readonly done: Promise<AgentEnd>;
  stop(graceMs?: number): Promise<void>;
}

export interface ProcessAgent extends TunnelAgent {
  readonly pid: number;
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
}

/** Starts an agent in this process and waits until its tunnel is ready. */
export async function openTunnel(options: TunnelAgentOptions): Promise<InProcessAgent> {
  const agent = beginTunnel(options);
  await agent.until("tunnel.ready");
  return agent;
}

/** Starts an agent in this process without waiting. */
export function beginTunnel(options: TunnelAgentOptions): InProcessAgent {
  const events: AgentEvent[] = [];
  const agent = startAgent({
    server: options.origin,
    token: options.token,
    tunnels: [
      {
        protocol: options.protocol ?? "http",
        subdomain: options.name ?? null,
        localHost: options.host ?? "127.0.0.1",
        localPort: options.port,
        localHttps: false,
        insecureLocal: false,
        hostHeader: options.hostHeader ?? "preserve",
        ...(options.remotePort === undefined ? {} : { remotePort: options.remotePort }),
      },
    ],
    connections: options.connections ?? 2,
    pool: options.pool ?? false,
    version: "0.1.0",
    requests: false,
    ...(options.recorder === undefined ? {} : { recorder: options.recorder }),
    onEvent: (event) => events.push(event),
  });
  return {
    ...readers(events),
    done: agent.done,
    stop: (graceMs) => agent.stop(graceMs),
    [Symbol.asyncDispose]: () => agent.stop(0),
  };
}

/** Starts `digit-link http` (or `tcp`) as a process and waits until its tunnel is ready. */
export async function openTunnelProcess(options: TunnelAgentOptions): Promise<ProcessAgent> {
  const { protocol = "http", connections = 2 } = options;
  const flags = ["--server", options.origin, "--connections", String(connections), "--json"];
  if (options.name !== undefined) flags.push("--subdomain", options.name);
  if (options.remotePort !== undefined) flags.push("--remote-port", String(options.remotePort));
  if (options.proxyProtocol !== undefined) flags.push("--proxy-protocol", options.proxyProtocol);
  if (options.pool === true) flags.push("--pool");
  if (options.hostHeader !== undefined) flags.push("--host-header", options.hostHeader);
  if (options.inspect !== undefined) flags.push("--inspect", String(options.inspect));
  const main = await program("cli/main.ts");
  const child = Bun.spawn([process.execPath, main, protocol, String(options.port), ...flags], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", DIGIT_LINK_TOKEN: options.token, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  endWithThisProcess(child.pid);
  const events: AgentEvent[] = [];
  void readLines(child.stdout, (line) => events.push(JSON.parse(line) as AgentEvent));
  const agent: ProcessAgent = {
    ...readers(events),
    pid: child.pid,
    exited: child.exited,
    signal: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
  await agent.until("tunnel.ready");
  return agent;
}

function readers(events: AgentEvent[]): Pick<TunnelAgent, "events" | "all" | "until"> {
  const all = <K extends AgentEvent["event"]>(kind: K) =>
    events.filter((event): event is Extract<AgentEvent, { event: K }> => event.event === kind);
  return {
    events,
    all,
    async until(kind, count = 1, timeoutMs = 10_000) {
      await eventually(() => all(kind).length >= count, `event ${kind} × ${count}`, timeoutMs).catch((error) => {
        throw new Error(`${String(error)}; events: ${JSON.stringify(events.slice(-10))}`);
      });
      return all(kind)[count - 1]!;
    },
  };
}
