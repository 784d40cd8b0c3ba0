// Whether a visitor keeps moving: a body that dribbles in and a reader that reads nothing are given up.

/** Least bytes per window in either direction. */
export const minProgressBytes = 256;

export interface ProgressLimits {
  bodyProgressTimeoutMs: number;
  writeProgressTimeoutMs: number;
}

/** How often to look. */
export function progressWindowMs(limits: ProgressLimits): number {
  return Math.min(limits.bodyProgressTimeoutMs, limits.writeProgressTimeoutMs);
}

/** Watches one exchange. */
export class Progress {
  private readBytes = 0;
  private sentBytes = 0;
  private movedAt = 0;

  start(now: number, sentBytes: number): void {
    this.readBytes = 0;
    this.sentBytes = sentBytes;
    this.movedAt = now;
  }

  /** `reading`, `writing`: whether this side is waiting for the visitor at all. Why to give it up, or null. */
  check(
    now: number,
    reading: boolean,
    readBytes: number,
    writing: boolean,
    sentBytes: number,
    limits: ProgressLimits,
  ): string | null {
    const readStalled = reading && readBytes - this.readBytes < minProgressBytes;
    const writeStalled = writing && sentBytes - this.sentBytes < minProgressBytes;
    this.readBytes = readBytes;
    this.sentBytes = sentBytes;
    if (!readStalled && !writeStalled) this.movedAt = now;
    const stalledMs = now - this.movedAt;
    if (writeStalled && stalledMs >= limits.writeProgressTimeoutMs) return "the visitor stopped reading";
    return readStalled && stalledMs >= limits.bodyProgressTimeoutMs ? "the request body stopped arriving" : null;
  }
}
