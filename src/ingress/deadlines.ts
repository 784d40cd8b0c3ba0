// One coarse timer for all connections of a thread: a deadline is a number on the connection, not a timer each.

import { Standstill } from "../lib/standstill.ts";

/** Something whose deadlines are looked at; `Infinity` = none. */
export interface Expiring {
  /** `performance.now()` after which `expired` is called. */
  deadline: number;
  expired(now: number): void;
}

/** A look that is late by so much finds that the machine or this thread stood still. */
const lateMs = 1_000;

/** Looks every `tickMs` at everything added and calls `expired` where the deadline has passed. */
export class Deadlines {
  private readonly members = new Set<Expiring>();
  private timer: ReturnType<typeof setInterval> | null = null;
  private readonly standstill: Standstill;

  constructor(private readonly tickMs: number) {
    this.standstill = new Standstill(tickMs + lateMs);
  }

  add(member: Expiring): void {
    this.members.add(member);
    if (this.timer !== null) return;
    this.standstill.begin();
    this.timer = setInterval(() => this.sweep(), this.tickMs);
  }

  delete(member: Expiring): void {
    this.members.delete(member);
  }

  get size(): number {
    return this.members.size;
  }

  some(is: (member: Expiring) => boolean): boolean {
    for (const member of this.members) if (is(member)) return true;
    return false;
  }

  /** Everything that is watched; a copy, so that members may leave meanwhile. */
  all(): Expiring[] {
    return [...this.members];
  }

  /** Stops the timer; members are forgotten. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.members.clear();
  }

  private sweep(): void {
    const now = performance.now();
    if (this.standstill.isFound(now)) return;
    for (const member of this.members) if (now >= member.deadline) member.expired(now);
  }
}
