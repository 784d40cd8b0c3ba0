// Dials one connection of the HTTP/1.1 client, and tells it what happens to its socket.

import type { Socket, TLSOptions } from "bun";
import type { ClientConnection } from "./client-connection.ts";

/** Where the other side listens. */
export type Target = { unix: string } | { hostname: string; port: number; tls?: TLSOptions | undefined };

/** The events of a client connection's socket, however it was opened. */
export const clientHandlers = {
  open(socket: Socket<ClientConnection>) {
    socket.setNoDelay(true);
    socket.data.opened(socket);
  },
  data: (socket: Socket<ClientConnection>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<ClientConnection>) => socket.data.drain(),
  end: (socket: Socket<ClientConnection>) => socket.data.end(),
  close: (socket: Socket<ClientConnection>, error?: Error) => socket.data.closedBySocket(error),
  error: (socket: Socket<ClientConnection>, error: Error) => socket.data.fail("broken", error.message),
  connectError: (socket: Socket<ClientConnection>, error: Error) => socket.data.fail("unreachable", error.message),
};

/** For TLS that must verify: without it a certificate that doesn't looks like a service that hangs up. */
const verifyingHandlers = {
  ...clientHandlers,
  handshake(socket: Socket<ClientConnection>, _isDone: boolean, error: Error | null) {
    if (error !== null) socket.data.fail("unreachable", `TLS: ${error.message}`);
  },
};

/** Returns at once; `connection` hears that it is open, or that it failed. */
export function dial(connection: ClientConnection, target: Target): void {
  const common = { data: connection, socket: clientHandlers, allowHalfOpen: true };
  const connecting = "unix" in target ? Bun.connect({ ...common, ...target }) : dialTcp(common, target);
  connecting.catch((error: unknown) =>
    connection.fail("unreachable", error instanceof Error ? error.message : String(error)),
  );
}

type Common = { data: ClientConnection; socket: typeof clientHandlers; allowHalfOpen: boolean };

function dialTcp(common: Common, { hostname, port, tls }: Exclude<Target, { unix: string }>) {
  if (tls === undefined) return Bun.connect({ ...common, hostname, port });
  const socket = tls.rejectUnauthorized === false ? clientHandlers : verifyingHandlers;
  return Bun.connect({ ...common, socket, hostname, port, tls });
}
