// One coarse timer for all connections of a thread: a deadline is a number on the connection, not a timer each.

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
  /** When the next look is to be. */
  private dueAt = 0;

  constructor(private readonly tickMs: number) {}

  add(member: Expiring): void {
    this.members.add(member);
    if (this.timer !== null) return;
    this.dueAt = performance.now() + this.tickMs;
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
    const isLate = now > this.dueAt + lateMs;
    // Never twice in a row: a thread that is always late still looks.
    this.dueAt = isLate ? Infinity : now + this.tickMs;
    // What has come meanwhile is read first.
    if (isLate) return;
    for (const member of this.members) if (now >= member.deadline) member.expired(now);
  }
}
