// One rule for what somebody can repeat at will: the first of a minute is told at once, the others as one with their number.

/** So much time the occurrences of one telling lie in. */
export const repeatWindowMs = 60_000;
const mostRemembered = 10_000;

interface Window<T> {
  beganAtMs: number;
  /** Since the last telling. */
  times: number;
  last: T;
}

export interface RepeatsOptions<T> {
  /** `times` of what happened: 1 for the first, which is told at once; later the last of those counted since. Must not throw. */
  tell: (one: T, times: number) => void;
  nowMs?: () => number;
  capacity?: number;
}

/**
 * What has the same key is told once in a minute, and nothing is left uncounted: a window that is over, or has to make room for
 * another key, tells of what it counted. The owner calls `sweep` now and then (a second is soon enough) and `flush` at the end.
 */
export class Repeats<T> {
  /** The one that began longest ago comes first. */
  private readonly windows = new Map<string, Window<T>>();
  private readonly nowMs: () => number;

  constructor(private readonly options: RepeatsOptions<T>) {
    this.nowMs = options.nowMs ?? (() => performance.now());
  }

  note(key: string, one: T): void {
    const now = this.nowMs();
    const window = this.windows.get(key);
    if (window !== undefined && !isOver(window, now)) {
      window.times++;
      window.last = one;
      return;
    }
    if (window !== undefined) this.end(key, window);
    this.windows.set(key, { beganAtMs: now, times: 0, last: one });
    this.options.tell(one, 1);
    if (this.windows.size <= (this.options.capacity ?? mostRemembered)) return;
    for (const [oldest, its] of this.windows) return this.end(oldest, its);
  }

  /** Tells of the windows that are over. What went on in one begins the next, so that a flood is told once in each. */
  sweep(): void {
    const now = this.nowMs();
    for (const [key, window] of this.windows) {
      if (!isOver(window, now)) return;
      this.end(key, window);
      if (window.times > 0) this.windows.set(key, { ...window, beganAtMs: now, times: 0 });
    }
  }

  /** Tells of all that was counted so far. */
  flush(): void {
    for (const window of this.windows.values()) {
      if (window.times > 0) this.options.tell(window.last, window.times);
      window.times = 0;
    }
  }

  /** Nothing is counted or remembered any more. */
  get isIdle(): boolean {
    return this.windows.size === 0;
  }

  private end(key: string, { last, times }: Window<T>): void {
    this.windows.delete(key);
    if (times > 0) this.options.tell(last, times);
  }
}

function isOver(window: Window<unknown>, nowMs: number): boolean {
  return nowMs - window.beganAtMs >= repeatWindowMs;
}
