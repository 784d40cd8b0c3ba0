// Preloaded into the shards of a server under test: does to this thread what shard-faults.ts asks for.

addEventListener("message", (event: MessageEvent<{ type: string; kind?: string }>) => {
  if (event.data.type !== "test-fault") return;
  if (event.data.kind === "exit") process.exit(3);
  if (event.data.kind === "throw") throw new Error("a fault of the test");
  for (;;);
});
