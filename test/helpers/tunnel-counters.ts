// What a shard counts of one tunnel, for tests that play the shard.

import type { TunnelCounters } from "../../src/link/messages.ts";

/** Counts of a tunnel since the last ones. */
export const tunnelCounters = (tunnelId: string, change: Partial<TunnelCounters> = {}): TunnelCounters => ({
  tunnelId,
  requests: 1,
  connections: 1,
  bytesIn: 10,
  bytesOut: 100,
  status2xx: 1,
  status3xx: 0,
  status4xx: 0,
  status5xx: 0,
  rttMs: null,
  local: { state: "unknown" },
  streams: 0,
  ...change,
});
