// Writes a chunked body (RFC 9112 7.1), a system call for each chunk that isn't large.

import { copyBytes } from "../lib/bytes.ts";
import { putChunkSize, putCrlf } from "./copy.ts";

/** Whoever takes bytes in order; a view is only valid during the call. */
export interface ByteWriter {
  write(bytes: Uint8Array, start: number, end: number): void;
}

const joinBytes = 32 * 1024;
const scratch = Buffer.allocUnsafeSlow(joinBytes + 16);
const crlf = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

/** Writes `bytes[start..end)`, which are not empty, as one chunk. */
export function writeChunk(to: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  let at = putChunkSize(end - start, scratch, 0);
  if (end - start <= joinBytes) {
    at = putCrlf(scratch, copyBytes(bytes, start, end, scratch, at));
    return to.write(scratch, 0, at);
  }
  to.write(scratch, 0, at);
  to.write(bytes, start, end);
  to.write(crlf, 0, 2);
}

/** Ends the body. `trailers`: field lines, each ending in CRLF, or null. */
export function writeLastChunk(to: ByteWriter, trailers: Uint8Array | null): void {
  if (trailers === null || trailers.length === 0) return to.write(lastChunk, 0, lastChunk.length);
  to.write(lastChunk, 0, 3);
  to.write(trailers, 0, trailers.length);
  to.write(crlf, 0, 2);
}
