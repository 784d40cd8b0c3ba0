// When a dead shard is started again, and when that makes no sense any more.

/** A shard that lived this long before it died is replaced at once. */
const healthyMs = 10_000;
const firstDelayMs = 100;
/** However often a shard dies young, its agents are back within seconds. */
const mostDelayMs = 2_000;
/** This many starts in a row that never became ready are not bad luck. */
const maxFailedStarts = 5;

/** Counts the deaths of one shard. */
export class RestartPolicy {
  readonly #mostDelayMs: number;
  #failedStarts = 0;
  #youngDeaths = 0;

  constructor(boundMs = mostDelayMs) {
    this.#mostDelayMs = boundMs;
  }

  /** The shard's incarnation died. Milliseconds until the next start, or null: it can't be started. */
  afterDeath(wasReady: boolean, livedMs: number): number | null {
    this.#failedStarts = wasReady ? 0 : this.#failedStarts + 1;
    if (this.#failedStarts >= maxFailedStarts) return null;
    this.#youngDeaths = wasReady && livedMs >= healthyMs ? 0 : this.#youngDeaths + 1;
    return this.#youngDeaths === 0 ? 0 : Math.min(firstDelayMs * 2 ** (this.#youngDeaths - 1), this.#mostDelayMs);
  }
}
