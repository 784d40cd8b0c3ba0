// Counts a tunnel's traffic between two reports to the main thread.

import type { TunnelCounters } from "../src/link/messages.ts";

/** What only the tunnel knows at the time of the report. */
type Present = Pick<TunnelCounters, "tunnelId" | "rttMs" | "local" | "streams">;

/** A stream, and how much of what it has moved is counted. */
export interface Moving {
  readonly bytesIn: number;
  readonly bytesOut: number;
  countedIn: number;
  countedOut: number;
}

export class TrafficCounters {
  /** Whether there is anything to report. */
  changed = false;
  private requests = 0;
  private connections = 0;
  private bytesIn = 0;
  private bytesOut = 0;
  private status2xx = 0;
  private status3xx = 0;
  private status4xx = 0;
  private status5xx = 0;

  /** Adds what a stream has moved since it was last counted. */
  addMoved(stream: Moving): void {
    const { bytesIn, bytesOut, countedIn, countedOut } = stream;
    if (bytesIn === countedIn && bytesOut === countedOut) return;
    this.bytesIn += bytesIn - countedIn;
    this.bytesOut += bytesOut - countedOut;
    stream.countedIn = bytesIn;
    stream.countedOut = bytesOut;
    this.changed = true;
  }

  /** Adds a stream that has ended; `status` 0 is no answered request (a TCP connection, a visitor that left). */
  addEnded(stream: Moving, status: number): void {
    this.addMoved(stream);
    this.changed = true;
    if (status === 0) return;
    this.requests++;
    if (status < 300) this.status2xx++;
    else if (status < 400) this.status3xx++;
    else if (status < 500) this.status4xx++;
    else this.status5xx++;
  }

  addConnection(): void {
    this.connections++;
    this.changed = true;
  }

  /** The counts since the last call, which start anew. */
  take(present: Present): TunnelCounters {
    const { requests, connections, bytesIn, bytesOut, status2xx, status3xx, status4xx, status5xx } = this;
    this.requests = this.connections = this.bytesIn = this.bytesOut = 0;
    this.status2xx = this.status3xx = this.status4xx = this.status5xx = 0;
    this.changed = false;
    return { ...present, requests, connections, bytesIn, bytesOut, status2xx, status3xx, status4xx, status5xx };
  }
}
