// Which shards have stopped turning their event loop, judged by main's own clock ticks.

/** How often every thread ticks. */
export const tickMs = 250;
/** A shard whose counter stands still for this many of main's ticks in a row is hung. */
const hungAfterTicks = 8;

/** Judges the shards' tick counters; called once per tick of main. */
export class Heartbeat {
  readonly #ticks: Int32Array;
  readonly #seen: { value: number; still: number }[];
  #lastMs: number;

  /** `nowMs` is a monotonic clock (`performance.now()`), as in `check`. */
  constructor(memory: SharedArrayBuffer, nowMs: number) {
    this.#ticks = new Int32Array(memory);
    this.#seen = Array.from(this.#ticks, (value) => ({ value, still: 0 }));
    this.#lastMs = nowMs;
  }

  /** Starts the count of a shard anew: a fresh incarnation. */
  reset(shard: number): void {
    this.#seen[shard] = { value: this.#read(shard), still: 0 };
  }

  /**
   * The shards that are hung now. When this tick itself is late, the machine or main stood still, and the shards may have as well: then
   * every count starts anew and nobody is hung.
   */
  check(nowMs: number): number[] {
    const late = nowMs - this.#lastMs > tickMs * 2;
    this.#lastMs = nowMs;
    const hung: number[] = [];
    for (const [shard, seen] of this.#seen.entries()) {
      const value = this.#read(shard);
      seen.still = late || value !== seen.value ? 0 : seen.still + 1;
      seen.value = value;
      if (seen.still >= hungAfterTicks) hung.push(shard);
    }
    return hung;
  }

  #read(shard: number): number {
    return Atomics.load(this.#ticks, shard);
  }
}
