// Waiting for facts instead of for time.

/** Waits until `fact` is true (10 s at most, or `timeoutMs`); throws with `what` when it never is. */
export async function eventually(
  fact: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
  everyMs = 5,
): Promise<void> {
  for (const start = performance.now(); !(await fact()); await Bun.sleep(everyMs)) {
    if (performance.now() - start > timeoutMs) throw new Error(`never happened in ${timeoutMs} ms: ${what}`);
  }
}
