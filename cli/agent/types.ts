// What the agent is told to serve, and the events by which it says how that goes.

import type { Recorder } from "../inspector/recorder.ts";
import type { ProxyProtocol } from "./proxy-header.ts";

/** One tunnel the agent opens: a public name (or port) and the one local service behind it. */
export interface TunnelSpec {
  protocol: "http" | "tcp";
  /** Wanted name; null lets the server choose one that stays across reconnects. */
  subdomain: string | null;
  /** The public port that a TCP tunnel must have; left out, the server chooses one that stays across reconnects. */
  remotePort?: number;
  /** A TCP tunnel's service is told by it who each visitor is; left out, it sees this agent only. */
  proxyProtocol?: ProxyProtocol;
  localHost: string;
  localPort: number;
  /** The local service speaks TLS. */
  localHttps: boolean;
  /** Accept a local certificate that does not verify. */
  insecureLocal: boolean;
  /** "preserve" keeps the visitor's Host, "rewrite" sends `localHost:localPort`, anything else is sent as it is. */
  hostHeader: string;
}

export interface AgentOptions {
  /** Origin of the server: `https://tunnel.example.com`. */
  server: string;
  token: string;
  tunnels: TunnelSpec[];
  /** Sessions per tunnel, 1 to 8; null leaves it to the server. */
  connections: number | null;
  /** Join other agents of the account that serve the same name. */
  pool: boolean;
  /** Program version, sent at registration. */
  version: string;
  onEvent(event: AgentEvent): void;
  /** Who this agent is over restarts; by default the machine's own id. */
  agentId?: string;
  /** Whether single requests are reported; true when left out. */
  requests?: boolean;
  /** Keeps the requests of HTTP tunnels; left out, none are kept. */
  recorder?: Recorder;
}

/** Every event is one line of `--json` as it is. Times are ISO 8601. */
export type AgentEvent =
  | {
      event: "tunnel.ready";
      time: string;
      url: string;
      subdomain: string;
      tunnelId: string;
      local: string;
      port: number | null;
    }
  /** All sessions of a tunnel are gone; the agent is already trying again. */
  | { event: "tunnel.lost"; time: string; url: string | null; local: string; reason: string }
  /** Names its tunnel as `refused` does. */
  | {
      event: "tunnel.retry";
      time: string;
      url: string | null;
      subdomain: string | null;
      local: string;
      inMs: number;
      reason: string;
    }
  /** One of several sessions went or came; traffic is not affected. */
  | { event: "session"; time: string; url: string; open: number; wanted: number }
  | {
      event: "request";
      time: string;
      url: string;
      method: string;
      path: string;
      status: number;
      durationMs: number;
      bytesIn: number;
      bytesOut: number;
      error: string | null;
      /** Nothing failed: nobody wanted the rest, as `error` says. */
      cancelled: boolean;
    }
  | {
      event: "connection";
      time: string;
      url: string;
      address: string;
      durationMs: number;
      bytesIn: number;
      bytesOut: number;
      error: string | null;
      /** Nothing failed: nobody wanted the rest, as `error` says. */
      cancelled: boolean;
    }
  | {
      event: "local.status";
      time: string;
      local: string;
      state: "up" | "down";
      why: string | null;
      connectMs: number | null;
    }
  /** The inspector's page; whoever has the URL sees the traffic. */
  | { event: "inspector.ready"; time: string; url: string }
  | { event: "notice"; time: string; message: string }
  /** Permanent: the agent gives up this tunnel. `subdomain` is the name that was asked for, `url` where it was up last. */
  | {
      event: "refused";
      time: string;
      url: string | null;
      subdomain: string | null;
      local: string;
      code: string;
      message: string;
    };

/** Why the agent ended: `stopped` by its owner, or the permanent refusal of its first tunnel that got one. */
export type AgentEnd = { reason: "stopped" } | { reason: "refused"; code: string; message: string };

export interface Agent {
  /** Resolves when the agent has ended; never rejects. */
  readonly done: Promise<AgentEnd>;
  /** Says good-bye, lets streams finish for at most `graceMs` (default 5,000), closes everything. */
  stop(graceMs?: number): Promise<void>;
}
