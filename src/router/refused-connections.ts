// Connections that were refused for want of room: the operator hears of it, however many strangers come.

import type { Logger } from "../lib/log.ts";

const tellMs = 60_000;

type Limit = "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_ADDRESS";

/** Logs the first of a limit at once, and the next ones once a minute at most, with their number since the last line. */
export class RefusedConnections {
  private readonly times: Partial<Record<Limit, number>> = {};
  private readonly toldAt: Partial<Record<Limit, number>> = {};

  constructor(private readonly log: Logger) {}

  /** `address` is the one that was refused, `most` what the limit is. */
  add(limit: Limit, most: number, address: string): void {
    const times = (this.times[limit] ?? 0) + 1;
    this.times[limit] = times;
    const nowMs = performance.now();
    if (nowMs - (this.toldAt[limit] ?? -Infinity) < tellMs) return;
    this.toldAt[limit] = nowMs;
    this.times[limit] = 0;
    this.log.warn(`connections are refused (503): ${reasons[limit]}`, { limit, most, from: address, times });
  }
}

const reasons: Record<Limit, string> = {
  MAX_CONNECTIONS: "there are as many as MAX_CONNECTIONS allows; it follows the limit of open files unless it is set",
  MAX_CONNECTIONS_PER_ADDRESS: "one address has as many as it may; if it is a proxy's, name it in TRUSTED_PROXIES",
};
