// A thread's connections to the control plane, as many as the limit of open files allows.

import { ClientPool } from "../http1/client-pool.ts";
import { descriptorLimit } from "../lib/descriptor.ts";

/** Shares of the open files; MAX_CONNECTIONS leaves a fifth. All that the shards ask of it is visitors' logins. */
const shares = { main: 0.1, shards: 0.04 };
/** Each has its two ends in this process. */
const filesEach = 2;
const fewest = 8;

/**
 * For `relay`, which refuses what goes beyond it: each request has its files beside its visitor's, and those whose bodies never come
 * must not take the ones of the tunnels' visitors.
 */
export function createControlPool(socketPath: string, thread: "main" | { ofShards: number }): ClientPool {
  const [share, maxIdle] = thread === "main" ? [shares.main, 256] : [shares.shards / thread.ofShards, 64];
  const most = Math.floor((descriptorLimit() * share) / filesEach);
  return new ClientPool({ unix: socketPath }, maxIdle, Math.max(fewest, most));
}
