// Where the shard's worker script lies: beside the sources when run from the tree, beside the bundle when packed.

/**
 * URL of the worker entry point, for `new Worker(shardWorkerUrl())`.
 * In the source tree that is `workers/shard.ts`; scripts/build.ts puts every bundle flat into `dist`, where it is `shard.js`.
 */
export function shardWorkerUrl(): URL {
  const here = import.meta.url;
  return here.endsWith("/src/link/worker-url.ts")
    ? new URL("../../workers/shard.ts", here)
    : new URL("./shard.js", here);
}
