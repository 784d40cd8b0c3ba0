// What fails again and again is told at once, then once a minute, and its end is told as well: the operator sees whether it is over.

import type { Logger } from "../lib/log.ts";

const tellMs = 60_000;

/** One thing that is tried again until it works: `failing` and `works` are its two log lines. */
export class Outage {
  private begunAtMs: number | null = null;
  private toldAtMs = 0;
  private times = 0;

  constructor(
    private readonly log: Logger,
    private readonly lines: { failing: string; works: string },
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** `times` in the line: how often it failed since the last one. */
  failed(error: unknown, fields: Record<string, unknown> = {}): void {
    const nowMs = this.clock();
    this.times++;
    if (this.begunAtMs !== null && nowMs - this.toldAtMs < tellMs) return;
    this.begunAtMs ??= nowMs;
    this.toldAtMs = nowMs;
    this.log.error(this.lines.failing, { error: String(error), ...fields, times: this.times });
    this.times = 0;
  }

  /** It worked; tells so after a failure. */
  worked(): void {
    if (this.begunAtMs === null) return;
    this.log.info(this.lines.works, { afterMs: Math.round(this.clock() - this.begunAtMs) });
    this.begunAtMs = null;
    this.times = 0;
  }
}
