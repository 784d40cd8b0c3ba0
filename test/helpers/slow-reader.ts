// A visitor that takes all it can at first and reads slowly from then on, without large buffers of its own.

import { dlopen } from "bun:ffi";
import { descriptorOf } from "../../src/lib/descriptor.ts";

export interface SlowReader extends Disposable {
  /** Bytes read so far. */
  readonly received: number;
  /** What it has read of the body, which must come with a length or end with the connection. */
  body(): { bytes: number; sha1: string };
  /** Why the connection is over; null while it stands. */
  readonly over: string | null;
}

export interface SlowReaderOptions {
  port: number;
  host: string;
  path: string;
  /** Default 1.1. */
  version?: "1.0" | "1.1";
  /** How long it reads as fast as it can, from its first bytes on. */
  fastMs: number;
  /** Its speed from then on. */
  bytesPerSecond: number;
  /** Size that is asked of its kernel for its receive buffer, which opens the window again in steps of an eighth of it. */
  receiveBytes?: number;
  tls?: { ca: string };
}

export async function openSlowReader(options: SlowReaderOptions): Promise<SlowReader> {
  const { port, host, path, version = "1.1", fastMs, bytesPerSecond, receiveBytes = 32 * 1024, tls } = options;
  const hasher = new Bun.CryptoHasher("sha1");
  // A head fits its first packet.
  let isInBody = false;
  let bodyBytes = 0;
  let received = 0;
  let over: string | null = null;
  let startedAt = 0;
  const begin = (socket: Bun.Socket): void => {
    socket.write(`GET ${path} HTTP/${version}\r\nHost: ${host}\r\n\r\n`);
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    ...(tls === undefined ? {} : { tls: { ...tls, serverName: host } }),
    socket: {
      open(opened) {
        limitReceiveBuffer(descriptorOf(opened), receiveBytes);
        if (tls === undefined) begin(opened);
      },
      handshake: begin,
      data(from, chunk) {
        received += chunk.length;
        const body = isInBody ? chunk : chunk.subarray(chunk.indexOf("\r\n\r\n") + 4);
        isInBody = true;
        bodyBytes += body.length;
        hasher.update(body);
        startedAt ||= performance.now();
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
    body: () => ({ bytes: bodyBytes, sha1: hasher.copy().digest("hex") }),
    get over() {
      return over;
    },
    [Symbol.dispose]: () => void socket.terminate(),
  };
}

const libc = dlopen("libc.so.6", {
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
}).symbols;

function limitReceiveBuffer(fd: number, bytes: number): void {
  const done = libc.setsockopt(fd, 1 /* SOL_SOCKET */, 8 /* SO_RCVBUF */, new Int32Array([bytes]), 4);
  if (done !== 0) throw new Error("SO_RCVBUF can't be set");
}
