// Giving a connection of this thread away to another one.

import type { MovedConnection } from "./moved-connection.ts";
import type { Socket } from "bun";
import { closeDescriptor, descriptorOf, duplicate } from "../lib/descriptor.ts";
import type { Ledger } from "./ledger.ts";

/** What travels with a connection besides its descriptor. */
export type ConnectionMeta = Omit<MovedConnection, "fd">;

/**
 * Posts `{ fd, …meta }` to the new owner. True: the descriptor is no longer ours. False: the receiver is not there, nothing was
 * posted and the descriptor is still ours. `ShardLink.sendConnection` and `ShardSide.sendConnection` are such functions.
 */
export type PostConnection = (connection: MovedConnection) => boolean;

/**
 * Gives `socket` (plain, never TLS) to another thread. Call it between exchanges, with nothing left to write; whatever this
 * thread has read and not used is in `meta.unread`, whatever it has not read stays in the kernel for the new owner.
 *
 * True: the socket is gone, and its `close` handler has run *inside this call* (it was moved, or terminated because the process is out
 * of descriptors). False: the receiver is not there and the socket is untouched.
 */
export function giveAway<Data>(
  socket: Socket<Data>,
  meta: ConnectionMeta,
  ledger: Ledger,
  post: PostConnection,
): boolean {
  ledger.giving(descriptorOf(socket));
  const fd = duplicate(descriptorOf(socket));
  if (fd < 0) {
    ledger.gave();
    socket.terminate();
    return true;
  }
  if (!post({ fd, ...meta })) {
    closeDescriptor(fd);
    ledger.gave();
    return false;
  }
  ledger.gave();
  // A plain close at once, no `data` event after it. `terminate()` would set SO_LINGER 0 on the duplicate as well.
  socket.end();
  return true;
}

/**
 * Gives one end of a new socket pair to another thread: `post` is called with its descriptor, and the other end is `keep`'s first, which
 * makes a Bun socket of it at once. False: there are no descriptors left, or `post` said so; `post`'s end is closed then, and what
 * `keep` made is its caller's to end.
 */
export function givePair(ledger: Ledger, keep: (fd: number) => void, post: (fd: number) => boolean): boolean {
  const pair = ledger.createPair();
  if (pair === null) return false;
  const [ours, theirs] = pair;
  keep(ours);
  ledger.giving(theirs);
  const isPosted = post(theirs);
  if (!isPosted) closeDescriptor(theirs);
  ledger.gave();
  return isPosted;
}
