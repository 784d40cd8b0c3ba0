// `--preload` for what the demo starts: ends the process, in good order, when the one that started it is gone without a word (kill -9).

if (Bun.isMainThread) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGTERM");
  }, 500).unref();
}
