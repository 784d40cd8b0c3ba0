// Small writes to one visitor, joined: a head and its body leave in one system call.

import { copyBytes } from "../lib/bytes.ts";

/** Whoever owns what is written: a connection that sends a view at once. */
export interface CorkOwner {
  /** Writes through, past the cork. The view is only valid during the call. */
  sendNow(bytes: Uint8Array, start: number, end: number): void;
}

const capacity = 128 * 1024;
/** From this size on a write goes straight to the socket. */
const directBytes = 32 * 1024;

export const corkBuffer = Buffer.allocUnsafeSlow(capacity);
let owner: CorkOwner | null = null;
let length = 0;
let scheduled = false;

/** Offset in `corkBuffer` where `connection` may write up to `bytes` bytes; `corkCommit` follows before anything else. */
export function corkReserve(connection: CorkOwner, bytes: number): number {
  if (owner !== connection || length + bytes > capacity) {
    flushCork();
    owner = connection;
    if (!scheduled) {
      scheduled = true;
      // Callers flush at the end of what they do; this is for those that can't know where that is.
      queueMicrotask(flushScheduled);
    }
  }
  return length;
}

/** `end` is the offset behind the last byte written. */
export function corkCommit(end: number): void {
  length = end;
}

/** Writes a view for `connection`, joined with what waits. */
export function corkWrite(connection: CorkOwner, bytes: Uint8Array, start: number, end: number): void {
  if (end - start >= directBytes) {
    flushCork();
    connection.sendNow(bytes, start, end);
    return;
  }
  const at = corkReserve(connection, end - start);
  length = copyBytes(bytes, start, end, corkBuffer, at);
}

/** Sends what is joined so far. Call before a connection is closed or moved and at the end of a batch. */
export function flushCork(): void {
  const connection = owner;
  const bytes = length;
  owner = null;
  length = 0;
  if (connection !== null && bytes > 0) connection.sendNow(corkBuffer, 0, bytes);
}

function flushScheduled(): void {
  scheduled = false;
  flushCork();
}
