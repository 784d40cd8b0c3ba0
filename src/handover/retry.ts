// Writing again what a socket did not take, without waiting for its `drain` alone.

/** Something that writes what is left, as far as it is taken. */
export interface Retrying {
  drain(): void;
}

const everyMs = 250;
const waiting = new Set<Retrying>();
let timer: Timer | undefined;

/**
 * `one.drain()` is called four times a second until `stopRetrying`. The kernel says `drain` when a third of its buffer is free, which a slow
 * reader may need minutes for: the other side would see nothing move, and take the reader for one that has stopped.
 */
export function keepRetrying(one: Retrying): void {
  waiting.add(one);
  timer ??= setInterval(() => {
    for (const each of waiting) each.drain();
  }, everyMs);
}

/** Whether something waits in this thread. */
export function isHolding(): boolean {
  return waiting.size > 0;
}

export function stopRetrying(one: Retrying): void {
  if (!waiting.delete(one) || waiting.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
