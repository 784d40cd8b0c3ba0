// Waiting for facts instead of for time.

/**
 * Waits until `fact` is true (10 s at most, or `timeoutMs`); throws with `what` when it never is. Looks every `everyMs`; without that every
 * 5 ms, and less often the longer it takes (every 50 ms after a second): some facts are a look through all processes, or a request.
 */
export async function eventually(
  fact: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
  everyMs?: number,
): Promise<void> {
  for (const start = performance.now(); !(await fact());) {
    const waitedMs = performance.now() - start;
    if (waitedMs > timeoutMs) throw new Error(`never happened in ${timeoutMs} ms: ${what}`);
    await Bun.sleep(everyMs ?? Math.min(50, Math.max(5, waitedMs / 20)));
  }
}
