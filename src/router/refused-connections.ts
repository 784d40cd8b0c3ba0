// Connections that were refused for want of room: the operator hears of it, however many strangers come.

import type { Logger } from "../lib/log.ts";
import { Repeats } from "../lib/repeats.ts";

const sweepMs = 1_000;

type Limit = "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_ADDRESS";

/** Logs the first of a limit at once, and those that follow once a minute, with their number. */
export class RefusedConnections {
  private readonly repeats: Repeats<{ limit: Limit; most: number; from: string }>;
  /** While something is counted. */
  private sweeping: Timer | undefined;

  constructor(log: Logger) {
    this.repeats = new Repeats({
      tell: (one, times) => log.warn(`connections are refused (503): ${reasons[one.limit]}`, { ...one, times }),
    });
  }

  /** `address` is the one that was refused, `most` what the limit is. */
  add(limit: Limit, most: number, address: string): void {
    this.repeats.note(limit, { limit, most, from: address });
    this.sweeping ??= setInterval(() => this.sweep(), sweepMs).unref();
  }

  private sweep(): void {
    this.repeats.sweep();
    if (!this.repeats.isIdle) return;
    clearInterval(this.sweeping);
    this.sweeping = undefined;
  }
}

const reasons: Record<Limit, string> = {
  MAX_CONNECTIONS: "there are as many as MAX_CONNECTIONS allows; it follows the limit of open files unless it is set",
  MAX_CONNECTIONS_PER_ADDRESS: "one address has as many as it may; if it is a proxy's, name it in TRUSTED_PROXIES",
};
