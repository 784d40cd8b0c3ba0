// Where the workers' scripts lie: beside the sources when run from the tree, beside the bundle when packed.

/** URL of the shard's entry point, for `new Worker(shardWorkerUrl())`. */
export function shardWorkerUrl(): URL {
  return workerUrl("shard");
}

/** URL of the entry point of the thread that hashes passwords. */
export function hashWorkerUrl(): URL {
  return workerUrl("hash");
}

/** In the source tree that is in `workers/`; scripts/build.ts puts every bundle flat into `dist`, as `NAME.js`. */
function workerUrl(name: string): URL {
  const here = import.meta.url;
  return here.endsWith("/src/link/worker-url.ts")
    ? new URL(`../../workers/${name}.ts`, here)
    : new URL(`./${name}.js`, here);
}
