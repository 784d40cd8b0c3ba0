// The program `digit-link`: makes sure Bun runs it, then hands the command line to run.ts.

if (typeof Bun === "undefined") {
  process.stderr.write(
    "digit-link: This program runs on Bun, not on Node; install it (npm install -g bun) and use: bunx digit-link\n",
  );
  process.exit(1);
}

// Loaded late, so that the sentence above comes before anything that only Bun can load.
const { main } = await import("./start.ts");
await main();
