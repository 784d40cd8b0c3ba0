// The typed messages between the main thread and the shards. Nothing here is sent per request.

import type { MovedConnection } from "../handover/moved-connection.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { RequestsQuery } from "./requests-query.ts";

/** Who opened a tunnel; ids only, so that a change of any of them can close it. */
export interface Principal {
  accountId: string | null;
  keyId: string | null;
  orgId: string | null;
}

/** A registration's decision, made on main, that lets one agent open sessions for one tunnel. */
export interface Ticket {
  /** The opaque ticket itself; single use, 60 s. */
  ticket: string;
  expiresAtMs: number;
  tunnelId: string;
  /** The subdomain, or `tcp:PORT`. Owned by this shard by `shardOf`. */
  name: string;
  url: string;
  agentId: string;
  generation: number;
  /** Several agents may serve this name together. */
  pool: boolean;
  principal: Principal;
  appId: string | null;
  /** CIDRs, one of which must contain the session's own peer address. */
  agentAllow: string[];
  /** Most sessions this agent may hold for the tunnel. */
  maxSessions: number;
}

/** What a shard knows about a name it owns. Absent = the name is unknown (404). */
export interface NameEntry {
  name: string;
  appId: string | null;
  orgId: string | null;
  /** What a visitor must pass; the compiled form of policy/resolve. Missing or broken policies compile to `deny`. */
  policy: CompiledPolicy;
  /** The name was being served a moment ago: until then (wall clock) visitors wait for an agent. 0 = no. */
  heldUntilMs: number;
}

export type DisconnectReason =
  | "replaced"
  | "disconnected_by_admin"
  | "credential_revoked"
  | "not_whitelisted"
  | "application_changed"
  | "quota_exceeded"
  | "released";

/** `problem`: one sentence for the agent's user that says why a public port can't be opened; null: it is open. */
export interface PortOpening {
  problem: string | null;
}

export type ToShard =
  | { type: "connection"; connection: MovedConnection }
  /** Ports to the other shards, sent again when one of them was replaced. `ports[k]` is null for the receiver itself. */
  | { type: "peers"; ports: (MessagePort | null)[]; incarnations: number[] }
  /** One port of a replaced shard. */
  | { type: "peer"; shard: number; port: MessagePort; incarnation: number }
  | { type: "ticket"; ticket: Ticket }
  /** `snapshot: true` replaces everything known; otherwise `set` and `remove` are applied in order. */
  | { type: "names"; snapshot: boolean; set: NameEntry[]; remove: string[] }
  /** New agent ranges of live tunnels; sessions whose address no longer passes are closed. */
  | { type: "agent-allow"; tunnelId: string; allow: string[] }
  /** Closes sessions of a tunnel (of one agent, when given). */
  | { type: "disconnect"; tunnelId: string; agentId: string | null; reason: DisconnectReason }
  /** Ask the agent to try its local service now; answered by `answer` to main. */
  | { type: "check"; id: number; tunnelId: string }
  /** Open the public port of a TCP tunnel's name, unless it is open; answered by `port`. */
  | { type: "open-port"; id: number; name: string }
  /** Captured request metadata; answered by `answer` to main. */
  | ({ type: "requests"; id: number } & RequestsQuery)
  /** Live events are only sent while somebody watches. */
  | { type: "watch"; on: boolean }
  | { type: "answer"; id: number; answer: Answer }
  /** An address (or IPv6 network) that the limiter blocks, per application. `untilMs` 0 lifts the block. */
  | { type: "block"; appId: string; network: string; untilMs: number }
  /** Stop taking requests, say go-away to agents, finish what runs within `inAllMs` (below 0: it is late), then `drained`. A time by the clock would be another one when somebody sets it. */
  | { type: "drain"; inAllMs: number }
  /** Everything ends now: answer nobody any more, send what waits to be told, then `ended`. */
  | { type: "end" };

/** Who asks for something: the address for the audit, and what limits per address count (null: nothing). */
export interface Asker {
  address: string;
  network: string | null;
}

/** What a shard cannot know and asks main, bounded in number, answered by id. */
export type Ask =
  | (Asker & { kind: "api_key"; name: string; appId: string | null; orgId: string | null; key: string })
  | (Asker & { kind: "session"; name: string; appId: string | null; session: string })
  | (Asker & { kind: "basic"; name: string; appId: string | null; username: string; password: string })
  /** A credential that the shard remembers as wrong was tried again: only counted. Answered by deny or blocked. */
  | (Asker & { kind: "failure"; of: "api_key" | "basic"; name: string; appId: string | null });

export type Answer =
  | { kind: "allow"; user: string | null; email: string | null; keyId: string | null; cacheMs: number }
  | { kind: "deny"; reason: string; cacheMs: number }
  | { kind: "blocked"; retryAfterMs: number }
  /** Main can't judge now (queue full, database away): refuse, remember nothing. */
  | { kind: "unavailable" };

/** Whether the local service behind a tunnel answered, and when that was last proven. */
export type LocalStatus =
  | { state: "unknown" }
  | { state: "up"; provenAtMs: number; connectMs: number | null }
  | { state: "down"; sinceMs: number; provenAtMs: number; why: string };

/** What passed through a tunnel. */
export interface TunnelTotals {
  requests: number;
  connections: number;
  /** Visitor -> local service. */
  bytesIn: number;
  /** Local service -> visitor. */
  bytesOut: number;
  status2xx: number;
  status3xx: number;
  status4xx: number;
  status5xx: number;
}

/** Counters of one tunnel since the last report. */
export interface TunnelCounters extends TunnelTotals {
  tunnelId: string;
  /** Live sessions' smallest round trip, when known. */
  rttMs: number | null;
  local: LocalStatus;
  streams: number;
}

/** One visitor request as the dashboard shows it. No bodies; secrets masked; no query unless LOG_QUERY. */
export interface CapturedRequest {
  id: string;
  tunnelId: string;
  name: string;
  appId: string | null;
  orgId: string | null;
  startedAtMs: number;
  /** It has not ended: sizes and times are what is known so far. */
  running: boolean;
  method: string;
  path: string;
  /** 0: there was no answer, or there is none yet. */
  status: number;
  bytesIn: number;
  bytesOut: number;
  address: string;
  principal: string | null;
  /** Milliseconds: whole exchange; policy; waiting for a session; tunnel and local service until the head. */
  totalMs: number;
  policyMs: number;
  queueMs: number;
  tunnelMs: number;
  localMs: number;
  requestHeaders: [string, string][];
  responseHeaders: [string, string][];
  /** Why it ended early, when it did. */
  error: string | null;
}

export type ShardEvent =
  | {
      type: "session.opened";
      tunnelId: string;
      agentId: string;
      generation: number;
      address: string;
      sessions: number;
      atMs: number;
    }
  | {
      type: "session.closed";
      tunnelId: string;
      agentId: string;
      generation: number;
      reason: string;
      sessions: number;
      atMs: number;
    }
  /** A visitor was turned away: the first of a minute at once, the repeats of the same as one event. */
  | {
      type: "refusal";
      name: string;
      appId: string | null;
      orgId: string | null;
      /** What turned it away. */
      rule: string;
      /** The kind of the wrong credential; null when it was not for one. */
      authType: "api_key" | "basic" | null;
      address: string;
      identity: string | null;
      requestId: string;
      atMs: number;
      /** How many refusals it stands for. */
      times: number;
    }
  /** An agent's upgrade was turned away; who it was is known when its ticket was. Repeats as above. */
  | {
      type: "session.refused";
      tunnelId: string | null;
      name: string | null;
      appId: string | null;
      orgId: string | null;
      accountId: string | null;
      keyId: string | null;
      /** An error code. */
      rule: string;
      address: string;
      requestId: string;
      atMs: number;
      times: number;
    }
  | { type: "local.status"; tunnelId: string; status: LocalStatus };

export type FromShard =
  | { type: "ready" }
  | { type: "ask"; id: number; ask: Ask }
  | { type: "events"; events: ShardEvent[] }
  | { type: "counters"; counters: TunnelCounters[] }
  /** Only while somebody watches. */
  | { type: "request"; requests: CapturedRequest[] }
  /** Only with ACCESS_LOG: `count` lines, each with its end. */
  | { type: "access"; lines: string; count: number }
  | { type: "checked"; id: number; status: LocalStatus | null }
  | { type: "port"; id: number; opening: PortOpening }
  | { type: "requests"; id: number; requests: CapturedRequest[] }
  /** A connection that this shard does not own: base domain or another shard without a port. */
  | { type: "connection"; connection: MovedConnection }
  | { type: "drained" }
  | { type: "ended" };

/** What a worker is told when it starts (workerData-like, by the first message or `environmentData`). */
export interface ShardStart {
  type: "start";
  shard: number;
  shards: number;
  incarnation: number;
  /** Shared: ticks of the shards (Int32, index = shard), the descriptor ledger, connection counts, loads of organizations. */
  ticks: SharedArrayBuffer;
  ledger: SharedArrayBuffer;
  counts: SharedArrayBuffer;
  loads: SharedArrayBuffer;
  settings: ShardSettings;
}

/** The settings a shard needs; a plain subset of the configuration. Durations in ms, sizes in bytes. */
export interface ShardSettings {
  domain: string;
  scheme: "http" | "https";
  publicPort: number;
  tcpHost: string;
  shardPort: number | null;
  shardHost: string;
  dashboardDomain: string;
  trustedProxies: string[];
  headTimeoutMs: number;
  idleTimeoutMs: number;
  requestTimeoutMs: number;
  bodyProgressTimeoutMs: number;
  writeProgressTimeoutMs: number;
  holdMs: number;
  holdMax: number;
  maxBodyBytes: number;
  maxStreamsPerSession: number;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  maxConnectionsPerTunnel: number;
  maxConnectionsPerOrganization: number;
  pingIntervalMs: number;
  deadAfterMs: number;
  checkIntervalMs: number;
  ticketTtlMs: number;
  serverTiming: boolean;
  logQuery: boolean;
  accessLog: boolean;
  captureRequests: number;
  captureBytes: number;
  handover: "move" | "pipe";
  lendAfterMoves: number;
  /** Path of the control plane's unix socket (for `/__auth/…` exchanges). */
  controlSocket: string;
}
