// A thread's connections to the control plane, as many as the limit of open files allows.

import { ClientPool } from "../http1/client-pool.ts";
import { descriptorLimit } from "../lib/descriptor.ts";
import { BodyRoom } from "./body-room.ts";

/** Shares of the open files; MAX_CONNECTIONS leaves a fifth. All that the shards ask of it is visitors' logins. */
const shares = { main: 0.1, shards: 0.04 };
/** Each has its two ends in this process. */
const filesEach = 2;
const fewest = 8;
/** Of bodies: most are small, and none is larger than a mebibyte (api/body.ts). */
const roomBytes = { main: 32 * 1024 * 1024, shards: 16 * 1024 * 1024 };

/** Connections of one thread to the control plane, and what it may hold of its requests' bodies. */
export class ControlPool extends ClientPool {
  constructor(
    socketPath: string,
    maxIdle: number,
    maxOpen: number,
    readonly bodies: BodyRoom,
  ) {
    super({ unix: socketPath }, maxIdle, maxOpen);
  }
}

/**
 * For `relay`, which refuses what goes beyond it: each request has its files beside its visitor's, and those whose bodies never come
 * must not take the ones of the tunnels' visitors.
 */
export function createControlPool(socketPath: string, thread: "main" | { ofShards: number }): ControlPool {
  const [share, maxIdle, room] =
    thread === "main"
      ? [shares.main, 256, roomBytes.main]
      : [shares.shards / thread.ofShards, 64, Math.floor(roomBytes.shards / thread.ofShards)];
  const most = Math.floor((descriptorLimit() * share) / filesEach);
  return new ControlPool(socketPath, maxIdle, Math.max(fewest, most), new BodyRoom(room));
}
