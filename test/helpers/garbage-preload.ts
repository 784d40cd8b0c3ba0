// Preloaded into a server under test and, by itself, into its workers: on SIGUSR2 every thread collects its garbage.

const asked = new BroadcastChannel("test-garbage");
asked.addEventListener("message", () => Bun.gc(true));
asked.unref();

if (Bun.isMainThread) {
  const RealWorker = globalThis.Worker;
  globalThis.Worker = class extends RealWorker {
    constructor(url: string | URL, options: Bun.WorkerOptions = {}) {
      super(url, { ...options, preload: [import.meta.path] });
    }
  } as typeof Worker;
  process.on("SIGUSR2", () => {
    asked.postMessage(null);
    Bun.gc(true);
  });
}
