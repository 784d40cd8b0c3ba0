// What a tick of the live stream tells: rates since the last one, and the tunnels that changed, so many at a time.

import type { TunnelCounters } from "../link/messages.ts";

/** Tunnels told at once. The others follow at the next ticks, whoever waits longest first. */
const mostTunnels = 200;
/** Those that wait for it, beyond as many as there are: a tenant can open and give up tunnels faster than they are told. */
const mostWaiting = 10_000;

export interface Rates {
  requestsPerSecond: number;
  bytesPerSecond: number;
}
interface Counts {
  requests: number;
  bytes: number;
}

export class LiveNumbers {
  #fromMs = performance.now();
  /** By organization; "" is none. */
  #counts = new Map<string, Counts>();
  /** By tunnel; whoever waits longest is first. */
  #changed = new Map<string, Counts & { fromMs: number }>();

  /** What was counted at a tunnel of an organization. */
  counted(one: TunnelCounters, orgId: string): void {
    const ofOrg = this.#counts.get(orgId) ?? { requests: 0, bytes: 0 };
    this.#counts.set(orgId, ofOrg);
    for (const counts of [ofOrg, this.changed(one.tunnelId)]) {
      counts.requests += one.requests;
      counts.bytes += one.bytesIn + one.bytesOut;
    }
  }

  /** Something of this tunnel is another than before. */
  changed(tunnelId: string): Counts {
    let counts = this.#changed.get(tunnelId);
    if (counts === undefined) {
      counts = { requests: 0, bytes: 0, fromMs: this.#fromMs };
      this.#changed.set(tunnelId, counts);
    }
    return counts;
  }

  /**
   * Ends a tick. `waiting`: how many tunnels changed as well and are told later. `isOverrun`: far more than the `count` that there are, which
   * are all forgotten.
   */
  take(count: () => number = () => 0): {
    ratesOf(orgId: string | null): Rates;
    tunnels: [id: string, rates: Rates][];
    waiting: number;
    isOverrun: boolean;
  } {
    const nowMs = performance.now();
    const { size } = this.#changed;
    const isOverrun = size > mostWaiting && size > mostWaiting + count();
    if (isOverrun) this.#changed.clear();
    const counts = this.#counts;
    const fromMs = this.#fromMs;
    this.#counts = new Map();
    this.#fromMs = nowMs;
    const sum = { requests: 0, bytes: 0 };
    for (const { requests, bytes } of counts.values()) {
      sum.requests += requests;
      sum.bytes += bytes;
    }
    const tunnels = [...this.#changed.entries()].slice(0, mostTunnels).map(([id, one]): [string, Rates] => {
      this.#changed.delete(id);
      // Once more, so that the end of its traffic is told, too.
      if (one.requests > 0 || one.bytes > 0) this.#changed.set(id, { requests: 0, bytes: 0, fromMs: nowMs });
      return [id, toRates(one, nowMs - one.fromMs)];
    });
    const told = new Set(tunnels.map(([id]) => id));
    return {
      ratesOf: (orgId) =>
        toRates(orgId === null ? sum : (counts.get(orgId) ?? { requests: 0, bytes: 0 }), nowMs - fromMs),
      tunnels,
      waiting: [...this.#changed.keys()].filter((id) => !told.has(id)).length,
      isOverrun,
    };
  }
}

function toRates({ requests, bytes }: Counts, ms: number): Rates {
  const seconds = Math.max(0.001, ms / 1_000);
  return {
    requestsPerSecond: Math.round((requests / seconds) * 10) / 10,
    bytesPerSecond: Math.round(bytes / seconds),
  };
}
