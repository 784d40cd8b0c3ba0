// The part of the configuration that shards get.

import type { ShardSettings } from "../link/messages.ts";
import type { Config } from "./config.ts";

/** What only the server knows once it runs. */
export interface ShardSettingsExtra {
  /** Index of the shard; selects its port of SHARD_PORTS. */
  shard: number;
  controlSocket: string;
}

export function shardSettings(config: Config, extra: ShardSettingsExtra): ShardSettings {
  return {
    domain: config.domain,
    scheme: config.scheme,
    publicPort: config.publicPort,
    tcpHost: config.tcpHost,
    shardPort: config.shardPorts[extra.shard] ?? null,
    shardHost: config.shardHost,
    dashboardDomain: config.dashboardDomain,
    trustedProxies: config.trustedProxies,
    headTimeoutMs: config.headTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    requestTimeoutMs: config.requestTimeoutMs,
    bodyProgressTimeoutMs: config.bodyProgressTimeoutMs,
    writeProgressTimeoutMs: config.writeProgressTimeoutMs,
    holdMs: config.holdMs,
    holdMax: config.holdMax,
    maxBodyBytes: config.maxBodyBytes,
    maxStreamsPerSession: config.maxStreamsPerSession,
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    maxConnectionsPerTunnel: config.maxConnectionsPerTunnel,
    maxConnectionsPerOrganization: config.maxConnectionsPerOrganization,
    pingIntervalMs: config.pingIntervalMs,
    deadAfterMs: config.deadAfterMs,
    checkIntervalMs: config.checkIntervalMs,
    ticketTtlMs: config.ticketTtlMs,
    serverTiming: config.serverTiming,
    logQuery: config.logQuery,
    accessLog: config.accessLog !== null,
    captureRequests: config.captureRequests,
    // The setting is for all shards together.
    captureBytes: Math.floor(config.captureBytes / config.shards),
    handover: config.handover,
    lendAfterMoves: config.lendAfterMoves,
    controlSocket: extra.controlSocket,
  };
}
