// Bytes on their way out of one socket: written through at once, kept in order when the kernel takes no more.

import { copyBytes } from "./bytes.ts";
import { setResetOnClose } from "./descriptor.ts";
import { freeLarge } from "./large-reads.ts";

/** The part of a Bun socket that sending needs. */
export interface SendSocket {
  write(bytes: Uint8Array, offset: number, length: number): number;
  shutdown(): void;
}

/** Bytes that wait: `buffer[at..end)`. */
interface Part {
  readonly buffer: Buffer;
  at: number;
  end: number;
}

/** What `SendQueue.endMark` holds once something was sent that has no other end than our FIN. */
export const markedAs = { unfinished: 1, whole: 2 };

/** Much is kept in buffers of this size, filled to their end and used again: a bulk transfer leaves no garbage. */
const partBytes = 64 * 1024;
const freeParts: Buffer[] = [];
const maxFree = 32;

/**
 * Not bounded itself: whoever writes looks at `bytes` and stops its source. `null` as socket means not connected yet.
 */
export class SendQueue {
  /** Bytes that wait for the kernel. */
  bytes = 0;
  /** Our direction is closed. Bun tells the peer's FIN from here on by `close` without an error only, no longer by `end`. */
  hasShut = false;
  /** The kernel refused a write: the connection is reset. That told us, and nobody any more: Bun says `end` then, and `close` without an error. */
  isBroken = false;
  /** Of one end of a pair of sockets, whose kernel knows no reset: whoever passes its bytes on reads here (`markedAs`) what its close means. */
  endMark: Int32Array | null = null;
  /** Made when something has to wait; most sockets never need it. */
  private parts: Part[] | null = null;
  private shutting = false;
  private isUnfinished = false;

  /** Writes a view (copied only when it must wait). Returns how many of its bytes left at once. */
  write(socket: SendSocket | null, view: Uint8Array, start: number, end: number): number {
    let sent = 0;
    if (this.bytes === 0 && socket !== null) {
      sent = this.take(socket.write(view, start, end - start));
      if (sent === end - start) return sent;
    }
    const parts = (this.parts ??= []);
    for (let at = start + sent; at < end;) {
      let last = parts.at(-1);
      if (last === undefined || last.end === last.buffer.length) parts.push((last = partFor(end - at, last)));
      const stop = Math.min(end, at + last.buffer.length - last.end);
      last.end = copyBytes(view, at, stop, last.buffer, last.end);
      at = stop;
    }
    this.bytes += end - start - sent;
    return sent;
  }

  /** Sends what waits; true when nothing is left. */
  flush(socket: SendSocket): boolean {
    for (const { parts } = this; parts !== null && this.bytes > 0;) {
      const part = parts[0]!;
      const sent = this.take(socket.write(part.buffer, part.at, part.end - part.at));
      if (sent === 0) return false;
      this.bytes -= sent;
      part.at += sent;
      if (part.at < part.end) return false;
      parts.shift();
      giveBack(part);
    }
    this.parts = null;
    if (this.shutting) this.shut(socket);
    return true;
  }

  /** Half-closes after the last byte. */
  shutdown(socket: SendSocket | null): void {
    if (socket === null || this.bytes > 0) {
      this.shutting = true;
      return;
    }
    this.shut(socket);
  }

  /**
   * What is sent has no other end than our FIN: until `shutdown` has sent it, or `finished`, a close resets the connection, by the kernel at the
   * death of this thread or process too. A clean end would make what was cut look whole.
   */
  unfinished(socket: SendSocket): void {
    if (this.hasShut || this.isUnfinished) return;
    this.isUnfinished = true;
    if (this.endMark === null) setResetOnClose(socket, true);
    else Atomics.store(this.endMark, 0, markedAs.unfinished);
  }

  /** What the kernel still has to deliver is whole, whoever closes. */
  finished(socket: SendSocket): void {
    if (!this.isUnfinished) return;
    this.isUnfinished = false;
    if (this.endMark === null) setResetOnClose(socket, false);
    else Atomics.store(this.endMark, 0, markedAs.whole);
  }

  private shut(socket: SendSocket): void {
    this.shutting = false;
    this.hasShut = true;
    this.finished(socket);
    socket.shutdown();
  }

  /** Forgets what waits. */
  clear(): void {
    // Emptied, not only forgotten: no buffer may be given back twice.
    this.parts?.splice(0).forEach(giveBack);
    this.parts = null;
    this.bytes = 0;
  }

  private take(sent: number): number {
    if (sent < 0) this.isBroken = true;
    return Math.max(0, sent);
  }
}

/** An empty one, where `bytes` more are to be kept behind `full`: twice as large as that, as whoever writes byte by byte would have us keep a buffer for each. */
function partFor(bytes: number, full: Part | undefined): Part {
  const size = Math.max(bytes, 2 * (full?.buffer.length ?? 0));
  const isMuch = size > partBytes / 2;
  const buffer = isMuch ? (freeParts.pop() ?? Buffer.allocUnsafeSlow(partBytes)) : Buffer.allocUnsafe(size);
  return { buffer, at: 0, end: 0 };
}

function giveBack({ buffer }: Part): void {
  if (buffer.length === partBytes && freeParts.length < maxFree) freeParts.push(buffer);
  else freeLarge(buffer);
}
