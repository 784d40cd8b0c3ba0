// Waiting with a limit.

/** What `promise` resolves to, or `late` when that takes longer than `ms`. Rejects as it does. */
export async function within<T>(ms: number, promise: Promise<T>, late: T): Promise<T> {
  const { promise: timeUp, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(late), ms);
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
