// A bare HTTP/1.1 client on raw sockets: one request per connection, its answer's body counted, nothing kept.

import type { Socket } from "bun";
import type { Endpoint } from "../parties/party.ts";

export interface RawExchange {
  readonly status: number;
  /** Body bytes on the wire. */
  readonly bodyBytes: number;
  /** From the start of connecting to the first body byte. */
  readonly firstByteMs: number;
  /** False when the deadline ended it. */
  readonly complete: boolean;
}

export interface RawRequest {
  /** Request line and headers, without the empty line. */
  readonly head: string;
  /** Bytes of a generated request body; its Content-Length is added. */
  readonly uploadBytes: number;
  /** The exchange ends when this many body bytes came; the answer's Content-Length when null. */
  readonly expectBytes: number | null;
  /** After this time the connection is cut and the exchange reports what it has. */
  readonly deadlineMs: number;
  /** Told of every body byte that came, and of every byte of an upload that the socket took. */
  onProgress?(bytes: number): void;
}

interface State {
  head: string | null;
  status: number;
  expected: number;
  bodyBytes: number;
  firstByteMs: number;
  uploadLeft: number;
  unsentHead: string;
}

const uploadChunk = Buffer.alloc(256 * 1024);
for (let at = 0; at < uploadChunk.length; at += 65_536) crypto.getRandomValues(uploadChunk.subarray(at, at + 65_536));

/** Runs one exchange on a connection of its own. Rejects when it breaks before its end, the deadline apart. */
export function exchange(endpoint: Endpoint, request: RawRequest): Promise<RawExchange> {
  const { promise, resolve, reject } = Promise.withResolvers<RawExchange>();
  const startedAt = performance.now();
  const length = request.uploadBytes > 0 ? `\r\nContent-Length: ${request.uploadBytes}` : "";
  const state: State = {
    head: "",
    status: 0,
    expected: request.expectBytes ?? -1,
    bodyBytes: 0,
    firstByteMs: Number.NaN,
    uploadLeft: request.uploadBytes,
    unsentHead: `${request.head}\r\nHost: ${endpoint.hostHeaders[0]}${length}\r\n\r\n`,
  };
  let finished = false;
  let open: Socket<undefined> | null = null;

  const finish = (error: Error | null, complete: boolean): void => {
    if (finished) return;
    finished = true;
    clearTimeout(timer);
    open?.terminate();
    if (error !== null) reject(error);
    else resolve({ status: state.status, bodyBytes: state.bodyBytes, firstByteMs: state.firstByteMs, complete });
  };
  const timer = setTimeout(() => finish(null, false), request.deadlineMs);

  const pump = (socket: Socket<undefined>): void => {
    if (state.unsentHead !== "") {
      state.unsentHead = state.unsentHead.slice(Math.max(0, socket.write(state.unsentHead)));
      if (state.unsentHead !== "") return;
    }
    while (state.uploadLeft > 0 && !finished) {
      const chunk = state.uploadLeft < uploadChunk.length ? uploadChunk.subarray(0, state.uploadLeft) : uploadChunk;
      const written = Math.max(0, socket.write(chunk));
      state.uploadLeft -= written;
      request.onProgress?.(written);
      if (written < chunk.length) return;
    }
  };

  const onData = (bytes: Buffer): void => {
    let body = bytes.length;
    if (state.head !== null) {
      state.head += bytes.toString("latin1");
      const end = state.head.indexOf("\r\n\r\n");
      if (end < 0) return;
      state.status = Number(state.head.slice(9, 12));
      body = state.head.length - end - 4;
      const declared = /\r\ncontent-length: *(\d+)/i.exec(state.head.slice(0, end + 2))?.[1];
      if (state.expected < 0) state.expected = declared === undefined ? Number.MAX_SAFE_INTEGER : Number(declared);
      state.head = null;
    }
    if (body > 0 && Number.isNaN(state.firstByteMs)) state.firstByteMs = performance.now() - startedAt;
    state.bodyBytes += body;
    if (request.uploadBytes === 0) request.onProgress?.(body);
    if (state.bodyBytes >= state.expected) finish(null, true);
  };

  Bun.connect<undefined>({
    hostname: endpoint.address,
    port: endpoint.port,
    socket: {
      open(socket) {
        open = socket;
        if (finished) socket.terminate();
        else pump(socket);
      },
      data: (_socket, bytes) => onData(bytes),
      drain: pump,
      close: () => finish(new Error(`connection closed after ${state.bodyBytes} body bytes`), false),
      error: (_socket, error) => finish(error, false),
    },
  }).catch((error: unknown) => finish(error instanceof Error ? error : new Error(String(error)), false));
  return promise;
}
