// Settings of tunnels: who may open them, and what visitors may do.

import * as kind from "./kinds.ts";
import { anySize, count, day, minute, optional, second, setting, time, timer } from "./setting.ts";

/** Who may open tunnels, and how many. */
export const agents = {
  agentWhitelist: setting(
    "AGENT_WHITELIST",
    kind.ranges,
    [],
    "Ranges added to the system's list of addresses from which agents may connect.",
  ),
  graceMs: setting("GRACE_MS", time, minute, "How long a name stays leased after its last session is gone."),
  randomNameKeepMs: setting(
    "RANDOM_NAME_KEEP_MS",
    time,
    day,
    "How long a released random name is kept from strangers.",
  ),
  ticketTtlMs: setting("TICKET_TTL_MS", time, minute, "Life of the ticket that opens one session."),
  maxSessionsPerAgent: setting(
    "MAX_SESSIONS_PER_AGENT",
    kind.integer({ min: 1, max: 64 }),
    4,
    "Most sessions of one agent for one tunnel.",
  ),
  defaultSessionsPerAgent: setting(
    "SESSIONS_PER_AGENT",
    kind.integer({ min: 1, max: 64 }),
    2,
    "Sessions that an agent opens unless told otherwise.",
  ),
  maxAgentsPerTunnel: setting(
    "MAX_AGENTS_PER_TUNNEL",
    kind.integer({ min: 1, max: 1_000 }),
    32,
    "Most agents that share one name with --pool.",
  ),
  maxTunnelsPerAccount: setting(
    "MAX_TUNNELS_PER_ACCOUNT",
    count,
    100,
    "Most tunnels of one account or API key at a time.",
  ),
  maxTunnelsPerOrganization: setting(
    "MAX_TUNNELS_PER_ORGANIZATION",
    count,
    1_000,
    "Most tunnels of one organization at a time; as many random names are kept for those that have left.",
  ),
  maxApplicationsPerOrganization: setting(
    "MAX_APPLICATIONS_PER_ORGANIZATION",
    count,
    1_000,
    "Most applications of one organization.",
  ),
  maxApiKeysPerOrganization: setting(
    "MAX_API_KEYS_PER_ORGANIZATION",
    count,
    1_000,
    "Most API keys of one organization and its applications, expired ones included.",
  ),
  maxMembersPerOrganization: setting(
    "MAX_MEMBERS_PER_ORGANIZATION",
    count,
    1_000,
    "Most members of one organization, deactivated ones included; a system admin can move more there.",
  ),
  reservedNames: setting("RESERVED_NAMES", kind.names, [], "Names that nobody may take, besides the built-in ones."),
  pingIntervalMs: setting("PING_INTERVAL_MS", time, 10 * second, "Silence after which a session is pinged."),
  deadAfterMs: setting("DEAD_AFTER_MS", time, 25 * second, "Silence after which a session is given up."),
  checkIntervalMs: setting(
    "CHECK_INTERVAL_MS",
    time,
    5 * second,
    "How often a local service that is down is tried again.",
  ),
};

/** What a visitor's connection may do. */
export const visitors = {
  headTimeoutMs: setting(
    "HEAD_TIMEOUT_MS",
    timer,
    10 * second,
    "Until a request's head has arrived; before it, until a TLS handshake is done.",
  ),
  idleTimeoutMs: setting("IDLE_TIMEOUT_MS", time, 75 * second, "A kept-alive connection between two requests."),
  requestTimeoutMs: setting(
    "REQUEST_TIMEOUT_MS",
    time,
    120 * second,
    "Until the local service's response head, from the last piece of the request on; bodies may take for ever while they move. Below BODY_PROGRESS_TIMEOUT_MS it also ends, as the local service's silence (504), an upload that its visitor pauses for so long.",
  ),
  bodyProgressTimeoutMs: setting("BODY_PROGRESS_TIMEOUT_MS", time, minute, "Longest pause in a request body."),
  writeProgressTimeoutMs: setting(
    "WRITE_PROGRESS_TIMEOUT_MS",
    time,
    minute,
    "Longest time that a visitor takes nothing of a waiting response.",
  ),
  holdMs: setting(
    "HOLD_MS",
    kind.duration({ minMs: 0, maxMs: 10 * minute }),
    10 * second,
    "How long visitors wait for an agent that is away for a moment.",
  ),
  holdMax: setting("HOLD_MAX", kind.integer({ min: 0, max: 1_000_000 }), 1_000, "Most visitors that wait, per tunnel."),
  maxBodyBytes: setting("MAX_BODY_BYTES", anySize, 0, "Largest request body through a tunnel; 0 is unlimited."),
  maxStreamsPerSession: setting("MAX_STREAMS_PER_SESSION", count, 2_048, "Most requests in flight per session."),
  maxConnections: optional(
    "MAX_CONNECTIONS",
    count,
    "Most connections in all; lowered, with a warning, to four fifths of the limit of open files (a third of that with TLS_CERT or HANDOVER=pipe).",
    "as many as that, at most 100000",
  ),
  maxConnectionsPerAddress: setting(
    "MAX_CONNECTIONS_PER_ADDRESS",
    count,
    4_096,
    "Most connections from one address; a trusted proxy is not counted.",
  ),
  maxConnectionsPerTunnel: setting(
    "MAX_CONNECTIONS_PER_TUNNEL",
    count,
    10_000,
    "Most requests in flight of one tunnel, upgraded connections and those of a TCP tunnel included.",
  ),
  maxConnectionsPerOrganization: setting(
    "MAX_CONNECTIONS_PER_ORGANIZATION",
    count,
    20_000,
    "Most requests in flight of one organization's tunnels on all shards together, upgraded connections and those of TCP tunnels included.",
  ),
  serverTiming: setting("SERVER_TIMING", kind.onOff, true, "Add a Server-Timing header to tunnelled responses."),
  captureRequests: setting(
    "CAPTURE_REQUESTS",
    kind.integer({ min: 0, max: 100_000 }),
    500,
    "Requests per tunnel whose metadata is kept in memory for the dashboard.",
  ),
  captureBytes: setting("CAPTURE_BYTES", anySize, 64 * 1_048_576, "Memory for captured metadata, over all shards."),
};
