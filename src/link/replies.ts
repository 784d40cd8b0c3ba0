// Questions to shards that wait for an answer by id, bounded in time and in number.

/** Most questions that wait at once; more are answered with their fallback. */
const maxWaiting = 1000;

interface Waiting {
  shard: number;
  resolve(value: unknown): void;
  fallback: unknown;
  timer: Timer;
}

/** Pairs answers with questions. A question is always answered: by the shard, or with its fallback when time is up or the shard dies. */
export class Replies {
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** Calls `post` with a fresh id; the promise never rejects. */
  ask<T>(shard: number, fallback: T, timeoutMs: number, post: (id: number) => void): Promise<T> {
    if (this.#waiting.size >= maxWaiting) return Promise.resolve(fallback);
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<T>();
    const timer = setTimeout(() => this.settle(shard, id, fallback), timeoutMs);
    this.#waiting.set(id, { shard, resolve: resolve as (value: unknown) => void, fallback, timer });
    post(id);
    return promise;
  }

  /** An answer arrived; ignored when nobody waits for it (any more) or another shard was asked. */
  settle(shard: number, id: number, value: unknown): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.shard !== shard) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.resolve(value);
  }

  /** The shard died: its questions get their fallbacks. */
  drop(shard: number): void {
    for (const [id, { fallback }] of this.#waiting) this.settle(shard, id, fallback);
  }
}
