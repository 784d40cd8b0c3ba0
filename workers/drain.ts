// Leaving: agents are told, what runs may finish, and main hears when nothing is left.

import type { Tunnel } from "./tunnel.ts";

const lookEveryMs = 20;

export class Drain {
  began = false;

  constructor(
    private readonly streams: () => number,
    private readonly drained: () => void,
  ) {}

  /** Says go-away to every session. `deadlineMs` is wall-clock; `drained` is called once, when all streams have ended or then. */
  begin(tunnels: Iterable<Tunnel>, deadlineMs: number): void {
    if (this.began) return;
    this.began = true;
    const left = Math.max(0, deadlineMs - Date.now());
    for (const tunnel of tunnels) tunnel.goAway({ reason: "drain", deadlineMs: left, retryable: true });
    const timer = setInterval(() => {
      if (this.streams() > 0 && Date.now() < deadlineMs) return;
      clearInterval(timer);
      this.drained();
    }, lookEveryMs);
  }
}
