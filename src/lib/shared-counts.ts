// Counts that threads share: each adds to a row of its own in shared memory and reads the sum, so a dead thread's part can be taken out whole.

/** Int32 words before the counts: number of rows, hash seed. */
const headWords = 2;

/** Memory for `buckets` counts of `rows` threads. */
export function createSharedCounts(rows: number, buckets: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((headWords + rows * buckets) * 4);
  const words = new Int32Array(memory);
  words[0] = rows;
  crypto.getRandomValues(new Int32Array(1)).forEach((seed) => (words[1] = seed));
  return memory;
}

/** One thread's view. It changes only its own row. */
export class SharedCounts {
  readonly #words: Int32Array;
  readonly #rows: number;
  readonly #row: number;

  constructor(memory: SharedArrayBuffer, row: number) {
    this.#words = new Int32Array(memory);
    this.#rows = this.#words[0] ?? 0;
    this.#row = row;
  }

  /** 32 bits that are the same in every thread, and others at each start: nobody knows who shares a bucket. */
  hash(key: string): number {
    return Bun.hash.xxHash32(key, (this.#words[1] ?? 0) >>> 0);
  }

  add(bucket: number, change: 1 | -1): void {
    Atomics.add(this.#words, this.#index(bucket, this.#row), change);
  }

  /** Of all threads. */
  sum(bucket: number): number {
    let sum = 0;
    for (let row = 0; row < this.#rows; row++) sum += Atomics.load(this.#words, this.#index(bucket, row));
    return sum;
  }

  /** Forgets a dead thread's part: after its end and before its replacement starts. */
  clearRow(row: number): void {
    for (let at = headWords + row; at < this.#words.length; at += this.#rows) Atomics.store(this.#words, at, 0);
  }

  /** The rows of one bucket lie side by side, because reading sums over them. */
  #index(bucket: number, row: number): number {
    return headWords + bucket * this.#rows + row;
  }
}
