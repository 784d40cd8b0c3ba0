// Gives two shards a channel to each other, so that connections pass between them without the main thread.

import type { Incarnation } from "./incarnation.ts";

/** Connects `fresh` with every shard that is up; the others that come later do the same with it. Index = shard. */
export function introduce(fresh: Incarnation, all: readonly Incarnation[]): void {
  const ports: (MessagePort | null)[] = all.map(() => null);
  const incarnations = all.map(() => 0);
  for (const other of all) {
    if (other === fresh || other.state !== "ready") continue;
    const { port1, port2 } = new MessageChannel();
    ports[other.shard] = port1;
    incarnations[other.shard] = other.number;
    other.post({ type: "peer", shard: fresh.shard, port: port2, incarnation: fresh.number }, [port2]);
  }
  const transfer = ports.filter((port) => port !== null);
  fresh.post({ type: "peers", ports, incarnations }, transfer);
}
