// Taking over a connection that another thread handed to this one.

import type { FdSocketOptions, Socket, SocketHandler } from "bun";
import { closeDescriptor, descriptorOf } from "../lib/descriptor.ts";
import type { Ledger } from "./ledger.ts";

/** Every handler set says what happens on an error: without `error`, one throw in a handler ends the thread. */
export type ConnectionHandlers<Data> = SocketHandler<Data> & Required<Pick<SocketHandler<Data>, "error">>;

/**
 * Makes the function that adopts moved connections with these handlers (half-open allowed: `end` may come while we still
 * write; answer it with `shutdown()` when done, never with `end()`, which closes).
 *
 * `open` runs before the returned function returns; bytes in the message (`unread`) are the caller's to feed, before those of
 * the first `data` event. A connection that can't be adopted is closed, exactly once, and `onFailed` is told; `open` and `close`
 * are not called for it. An adopted socket whose peer has reset has no `remoteAddress`: the message carries it.
 */
export function createAdopter<Data>(
  handlers: ConnectionHandlers<Data>,
  ledger: Ledger,
  onFailed: (data: Data, error: Error) => void,
): (fd: number, data: Data) => void {
  const { open } = handlers;
  const socket: SocketHandler<Data> = {
    ...handlers,
    open(opened) {
      // From here Bun closes the descriptor, also when this thread is terminated.
      ledger.claim(descriptorOf(opened));
      return open?.(opened);
    },
  };
  return (fd, data) => {
    // Swept meanwhile: the number may be somebody else's by now.
    if (!ledger.isOurs(fd)) return onFailed(data, new Error("the connection was given up before it arrived"));
    connectDescriptor({ fd, allowHalfOpen: true, data, socket }).catch((error: Error) => {
      // Bun does not close a descriptor that it refused, and only the one who holds the entry may.
      if (ledger.claim(fd)) closeDescriptor(fd);
      onFailed(data, error);
    });
  };
}

/**
 * Makes a Bun socket of a descriptor that the caller owns. When the promise rejects the descriptor is still open and still
 * the caller's. `open` runs synchronously.
 */
export function connectDescriptor<Data>(options: FdSocketOptions<Data>): Promise<Socket<Data>> {
  // Bun documents `FdSocketOptions` but declares no overload of `connect` that takes it.
  const connect = Bun.connect as unknown as (options: FdSocketOptions<Data>) => Promise<Socket<Data>>;
  return connect(options);
}
