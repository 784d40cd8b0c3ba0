// Which shards have finished while the server leaves, and waiting until all have.

export class DrainedShards {
  readonly #shards: number;
  readonly #drained = new Set<number>();
  #onAll: (() => void) | null = null;

  constructor(shards: number) {
    this.#shards = shards;
  }

  /** Nobody has finished yet. */
  reset(): void {
    this.#drained.clear();
  }

  /** `shard` has nothing left to do, or is no more. */
  add(shard: number): void {
    this.#drained.add(shard);
    if (this.#drained.size === this.#shards) this.#onAll?.();
  }

  /** Resolves with true as soon as all have finished, with false after `atMostMs`. */
  async wait(atMostMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, atMostMs);
    this.#onAll = resolve;
    if (this.#drained.size === this.#shards) resolve();
    await promise;
    clearTimeout(timer);
    return this.#drained.size === this.#shards;
  }
}
