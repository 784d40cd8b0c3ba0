// A visitor that takes all it can at first and reads slowly from then on, without large buffers of its own.

import { dlopen } from "bun:ffi";
import { descriptorOf } from "../../src/lib/descriptor.ts";

export interface SlowReader extends Disposable {
  /** Bytes read so far. */
  readonly received: number;
  /** Why the connection is over; null while it stands. */
  readonly over: string | null;
}

export interface SlowReaderOptions {
  port: number;
  host: string;
  path: string;
  /** How long it reads as fast as it can. */
  fastMs: number;
  /** Its speed from then on. */
  bytesPerSecond: number;
  tls?: { ca: string };
}

/** Size that is asked of its kernel for its receive buffer: the kernel opens the window again in steps of an eighth of it. */
const receiveBytes = 32 * 1024;

export async function openSlowReader(options: SlowReaderOptions): Promise<SlowReader> {
  const { port, host, path, fastMs, bytesPerSecond, tls } = options;
  let received = 0;
  let over: string | null = null;
  let startedAt = 0;
  const begin = (socket: Bun.Socket): void => {
    startedAt = performance.now();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    ...(tls === undefined ? {} : { tls: { ...tls, serverName: host } }),
    socket: {
      open(opened) {
        limitReceiveBuffer(descriptorOf(opened));
        if (tls === undefined) begin(opened);
      },
      handshake: begin,
      data(from, chunk) {
        received += chunk.length;
        if (performance.now() - startedAt < fastMs) return;
        from.pause();
        setTimeout(() => from.resume(), (chunk.length / bytesPerSecond) * 1_000);
      },
      close: (_, error) => void (over ??= error?.message ?? "closed"),
      error: (_, error) => void (over ??= error.message),
    },
  });
  return {
    get received() {
      return received;
    },
    get over() {
      return over;
    },
    [Symbol.dispose]: () => void socket.terminate(),
  };
}

const libc = dlopen("libc.so.6", {
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
}).symbols;

function limitReceiveBuffer(fd: number): void {
  const done = libc.setsockopt(fd, 1 /* SOL_SOCKET */, 8 /* SO_RCVBUF */, new Int32Array([receiveBytes]), 4);
  if (done !== 0) throw new Error("SO_RCVBUF can't be set");
}
