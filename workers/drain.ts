// Leaving: agents are told, what runs may finish, and main hears when nothing is left.

import type { Leaving } from "./stream-flow.ts";
import type { Tunnel } from "./tunnel.ts";

const lookEveryMs = 20;
/** How often streams without an end of their own are looked at. */
const endEveryMs = 200;
/** So long before the deadline they are ended whether they are silent or not. */
const lastCallMs = 1_000;

/** What is left to do here, as the drain sees it. */
export interface Leftover {
  tunnels(): Iterable<Tunnel>;
  /** Something is under way: streams, or answers that visitors have not taken yet. */
  isBusy(): boolean;
}

export class Drain {
  began = false;

  constructor(
    private readonly left: Leftover,
    private readonly drained: () => void,
  ) {}

  /** Says go-away to every session; `drained` is called once, when nothing is left or after `inAllMs`. */
  begin(inAllMs: number): void {
    if (this.began) return;
    this.began = true;
    const endsAt = performance.now() + inAllMs;
    for (const tunnel of this.left.tunnels()) tunnel.goAway({ reason: "drain", deadlineMs: inAllMs, retryable: true });
    let endAt = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      const leftMs = endsAt - now;
      if (now >= endAt) {
        endAt = now + endEveryMs;
        const leaving: Leaving = { now, inAllMs, isLast: leftMs <= lastCallMs };
        for (const tunnel of this.left.tunnels()) tunnel.endQuiet(leaving);
      }
      if (leftMs > 0 && this.left.isBusy()) return;
      clearInterval(timer);
      this.drained();
    }, lookEveryMs);
  }
}
