// The socket handlers that every visitor connection shares, whoever owns it at the moment.

import type { Socket } from "bun";
import type { SocketOwner } from "./visitor-socket.ts";
import type { PipeEnd } from "../handover/pipe.ts";

/** For `Bun.listen` and for adopted sockets; `socket.data` is the owner. A throw costs that connection only. */
export const ownerHandlers = {
  data: (socket: Socket<SocketOwner>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<SocketOwner>) => socket.data.drain(),
  end: (socket: Socket<SocketOwner>) => socket.data.ended(),
  close: (socket: Socket<SocketOwner>, error?: Error) => socket.data.closed(error),
  error(socket: Socket<SocketOwner>) {
    socket.data.threw();
    socket.terminate();
  },
};

/** Owns a socket that is refused: what still comes from it interests nobody. */
export const nobody: SocketOwner = { received() {}, drain() {}, ended() {}, threw() {}, closed() {} };

/** A pipe's end as the owner of a socket; `onClosed` is called when that is closed. */
export function pipeOwner(end: PipeEnd, onClosed: () => void): SocketOwner {
  return {
    received: (chunk) => end.received(chunk),
    drain: () => end.drain(),
    ended: () => end.end(),
    threw: () => end.threw(),
    closed(error) {
      end.close(error);
      onClosed();
    },
  };
}
