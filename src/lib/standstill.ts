// Notices that the machine or this thread stood still, so that deadlines are not enforced before what has come meanwhile is read.

/** For one look that is repeated about every so many ms. */
export class Standstill {
  private lookedAt = performance.now();

  /** A look that comes `afterMs` after the last one is late. */
  constructor(private readonly afterMs: number) {}

  /** The looks begin (again) now. */
  begin(): void {
    this.lookedAt = performance.now();
  }

  /** Whether the look at `now` is late, and had better wait for the next. Never twice in a row: a thread that is always late still looks. */
  isFound(now: number): boolean {
    const isLate = now > this.lookedAt + this.afterMs;
    this.lookedAt = isLate ? Infinity : now;
    return isLate;
  }
}
