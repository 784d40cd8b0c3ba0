// Whether the other end of a session is still there: its silence, pings, and answers to its pings.

import { PING, PONG } from "./frames.ts";
import type { Outbox } from "./outbox.ts";

/** Pings that come so far apart are answered at once; the answers to more of them leave together. */
const rarelyMs = 1_000;
const stamp = Buffer.alloc(8);

/** One end's view of the other. Times are those of `performance.now()`. */
export class Liveness {
  heardAt = performance.now();
  private tickedAt = this.heardAt;
  private tickedWallMs = Date.now();
  private pingedAt = 0;
  private answeredAt = Number.NEGATIVE_INFINITY;

  /** After so much silence it pings, and after so much it gives up. */
  constructor(
    private readonly outbox: Outbox,
    public pingAfterMs: number,
    public deadAfterMs: number,
  ) {}

  /** A message has come. */
  heard(): void {
    this.heardAt = performance.now();
  }

  silentMs(now: number): number {
    return now - this.heardAt;
  }

  /** Called about once a second: pings (the payload is `now`) when it is time to. False: the other end is dead. */
  tick(now: number): boolean {
    if (this.hasStoodStill(now)) {
      // It heard nobody meanwhile: no silence of the other's. But much may have happened, so it asks at once.
      this.heardAt = Math.max(this.heardAt, now - this.pingAfterMs);
      this.ask(now);
      return true;
    }
    const silentMs = this.silentMs(now);
    if (silentMs >= this.deadAfterMs) return false;
    if (silentMs >= this.pingAfterMs && now - this.pingedAt >= this.pingAfterMs) this.ask(now);
    return true;
  }

  /** Whether this end itself didn't run for a while: a process that was stopped, a paused machine, a laptop that slept (which only the wall clock tells). */
  private hasStoodStill(now: number): boolean {
    const wallMs = Date.now();
    const stoodMs = Math.max(now - this.tickedAt, wallMs - this.tickedWallMs);
    this.tickedAt = now;
    this.tickedWallMs = wallMs;
    return stoodMs > Math.max(2_000, this.deadAfterMs / 5);
  }

  private ask(now: number): void {
    this.pingedAt = now;
    stamp.writeDoubleBE(now);
    this.outbox.sessionNow(PING, stamp, 0, 8);
  }

  /** Answers the ping in the message that was heard; `bytes[start..end)` is its payload. */
  answer(bytes: Buffer, start: number, end: number): void {
    const isRare = this.heardAt - this.answeredAt >= rarelyMs;
    this.answeredAt = this.heardAt;
    const stop = Math.min(end, start + 8);
    if (isRare) this.outbox.sessionNow(PONG, bytes, start, stop);
    else this.outbox.session(PONG, bytes.subarray(start, stop));
  }
}
