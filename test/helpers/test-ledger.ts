// A ledger of two shards, and sockets to be given away.

import { closeDescriptor, createPair, inodeOf } from "../../src/lib/descriptor.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";

/** What the test must not leave open. */
export const opened: number[] = [];

/** A socket's descriptor, as a stand-in for a connection. */
export function open(): number {
  const [fd, other] = createPair()!;
  closeDescriptor(other);
  opened.push(fd);
  return fd;
}

/** For `afterEach`. */
export function closeOpened(): void {
  for (const fd of opened.splice(0)) if (inodeOf(fd) !== 0) closeDescriptor(fd);
}

/** Main's ledger and that of shard 0, which is incarnation 7; shard 1 is 8. */
export function setUpLedger(): { main: Ledger; shard: Ledger; memory: SharedArrayBuffer } {
  const memory = createLedgerMemory(1024);
  const main = new Ledger(memory, 0);
  main.live(0, 7);
  main.live(1, 8);
  return { main, shard: new Ledger(memory, 7), memory };
}
