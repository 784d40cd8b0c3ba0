// Where a shard's own Bun.serve listens.

import { join } from "node:path";

/**
 * The unix socket of one incarnation of a shard, inside the 0700 directory. Never the name of a predecessor, whose socket may
 * live until its thread is gone. The shard creates it; the supervisor removes it when that incarnation is dead.
 */
export function shardSocketPath(socketDir: string, shard: number, incarnation: number): string {
  return join(socketDir, `shard-${shard}-${incarnation}.sock`);
}
