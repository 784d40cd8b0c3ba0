// A TCP relay in front of the server whose connections can be cut, as a bad network does.

import type { Socket } from "bun";

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Cuts every connection and takes no new one until `resume`. */
  pause(): void;
  resume(): void;
}

interface End {
  peer: Socket<End> | null;
  /** What could not be written yet. */
  rest: Uint8Array[];
}

/** Relays a free port to `target` on 127.0.0.1. */
export function startRelay(target: number): Relay {
  const open = new Set<Socket<End>>();
  let paused = false;

  function write(socket: Socket<End>, bytes: Uint8Array): void {
    const { rest } = socket.data;
    const written = rest.length > 0 ? 0 : Math.max(0, socket.write(bytes));
    if (written < bytes.byteLength) rest.push(bytes.slice(written));
  }
  const handlers = {
    data(socket: Socket<End>, bytes: Uint8Array) {
      const { peer, rest } = socket.data;
      if (peer === null) rest.push(bytes.slice());
      else write(peer, bytes);
    },
    drain(socket: Socket<End>) {
      const waiting = socket.data.rest.splice(0);
      for (const bytes of waiting) write(socket, bytes);
    },
    close(socket: Socket<End>) {
      open.delete(socket);
      socket.data.peer?.end();
    },
    error(socket: Socket<End>) {
      socket.terminate();
    },
  };
  const listener = Bun.listen<End>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      ...handlers,
      open(visitor) {
        visitor.data = { peer: null, rest: [] };
        open.add(visitor);
        if (paused) {
          visitor.terminate();
          return;
        }
        Bun.connect<End>({
          hostname: "127.0.0.1",
          port: target,
          data: { peer: visitor, rest: [] },
          socket: {
            ...handlers,
            open(server) {
              open.add(server);
              const early = visitor.data.rest.splice(0);
              visitor.data.peer = server;
              for (const bytes of early) write(server, bytes);
            },
          },
        }).catch(() => visitor.terminate());
      },
    },
  });
  const cut = (): void => {
    for (const socket of [...open]) socket.terminate();
  };
  return {
    port: listener.port,
    pause() {
      paused = true;
      cut();
    },
    resume() {
      paused = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      listener.stop(true);
    },
  };
}
