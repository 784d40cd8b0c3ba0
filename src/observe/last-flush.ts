// What is stored last, when the server ends: a failure that passes loses nothing.

/** How long a failure may take to pass: two of those who store last fit into the end of a server (server.ts). */
const patienceMs = 2_000;
const pauseMs = 200;

/** Calls `flush` (which never throws) until `isDone`, for two seconds from its first failure at most. Whoever closes calls it, and records nothing more. */
export async function lastFlush(flush: () => Promise<void>, isDone: () => boolean): Promise<void> {
  await flush();
  for (const endsAt = performance.now() + patienceMs; !isDone() && performance.now() < endsAt;) {
    await Bun.sleep(pauseMs);
    await flush();
  }
}
