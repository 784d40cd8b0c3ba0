// Stands in for a socket that is still being opened.

import type { Socket } from "bun";
import { descriptorOf } from "../lib/descriptor.ts";

/** What a pipe needs of a Bun socket. */
export type PipeSocket = Pick<Socket<unknown>, "write" | "pause" | "resume" | "shutdown" | "terminate"> & {
  end(): void;
};

/** Takes no bytes until it is open, and remembers what is to be done then. */
export class LateSocket implements PipeSocket {
  #socket: PipeSocket | null = null;
  #paused = false;
  #finished: "shutdown" | "end" | "terminate" | null = null;

  /** For `descriptorOf`: its peer's end is looked for as that of any other socket. */
  get fd(): number {
    return this.#socket === null ? -1 : descriptorOf(this.#socket);
  }

  open(socket: PipeSocket): void {
    this.#socket = socket;
    if (this.#finished !== null) socket[this.#finished]();
    else if (this.#paused) socket.pause();
  }

  write(...args: Parameters<PipeSocket["write"]>): number {
    return this.#socket === null ? 0 : this.#socket.write(...args);
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  shutdown(): void {
    this.#finished = "shutdown";
    this.#socket?.shutdown();
  }

  end(): void {
    this.#finished = "end";
    this.#socket?.end();
  }

  terminate(): void {
    this.#finished = "terminate";
    this.#socket?.terminate();
  }
}
