// Preloaded into a server under test: on SIGUSR2 it passes the fault that TEST_FAULT_FILE names on to a worker.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const RealWorker = globalThis.Worker;
const workers = new Map<string, Worker>();

/** A worker that runs shard-faults-worker.ts before its own script; the product's sources know nothing of it. */
class FaultyWorker extends RealWorker {
  constructor(url: string | URL, options: Bun.WorkerOptions = {}) {
    super(url, { ...options, preload: [join(import.meta.dir, "shard-faults-worker.ts")] });
    workers.set(options.name ?? "", this);
  }
}

globalThis.Worker = FaultyWorker as typeof Worker;
process.on("SIGUSR2", () => {
  const { kind, worker: name } = JSON.parse(readFileSync(process.env["TEST_FAULT_FILE"] ?? "", "utf8")) as {
    kind: string;
    worker: string;
  };
  const worker = workers.get(name);
  if (kind === "terminate") worker?.terminate();
  else worker?.postMessage({ type: "test-fault", kind });
});
