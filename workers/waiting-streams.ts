// Visitors that wait for an agent to come back: bounded in number and in time, served in the order they came.

import type { StreamFlow } from "./stream-flow.ts";

/** A stream and its head, until an agent takes both. */
export interface WaitingStream {
  stream: StreamFlow;
  head: Buffer;
}

export class WaitingStreams {
  private readonly queue: (WaitingStream & { until: number })[] = [];

  constructor(private readonly settings: { holdMs: number; holdMax: number }) {}

  get size(): number {
    return this.queue.length;
  }

  /** Lets a stream wait; false when too many do. `head` is kept. */
  add(stream: StreamFlow, head: Buffer): boolean {
    if (this.queue.length >= this.settings.holdMax) return false;
    this.queue.push({ stream, head, until: performance.now() + this.settings.holdMs });
    return true;
  }

  all(): StreamFlow[] {
    return this.queue.map(({ stream }) => stream);
  }

  /** The one that has waited longest. */
  shift(): WaitingStream | undefined {
    return this.queue.shift();
  }

  /** A stream has ended; nothing when it didn't wait. */
  remove(stream: StreamFlow): void {
    const index = this.queue.findIndex((one) => one.stream === stream);
    if (index >= 0) this.queue.splice(index, 1);
  }

  /** Ends those whose time is up; `fail` makes them end, which removes them. `isFull`: an agent came back, but it had no room for all. */
  expire(now: number, isFull: boolean): void {
    while (this.queue.length > 0 && this.queue[0]!.until <= now) {
      const { stream } = this.queue.shift()!;
      if (isFull) stream.fail("tunnel_overloaded", "the agents had no room in time");
      else stream.fail("tunnel_offline", "no agent came back in time");
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const { stream } of this.queue.splice(0)) stream.fail("tunnel_offline", "the tunnel was closed");
  }
}
