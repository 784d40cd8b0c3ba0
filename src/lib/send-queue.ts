// Bytes on their way out of one socket: written through at once, kept in order when the kernel takes no more.

/** The part of a Bun socket that sending needs. */
export interface SendSocket {
  write(bytes: Uint8Array, offset: number, length: number): number;
  shutdown(): void;
}

/**
 * Not bounded itself: whoever writes looks at `bytes` and stops its source. `null` as socket means not connected yet.
 */
export class SendQueue {
  /** Bytes that wait for the kernel. */
  bytes = 0;
  /** Our direction is closed. Bun tells the peer's FIN from here on by `close` without an error only, no longer by `end`. */
  hasShut = false;
  /** Made when something has to wait; most sockets never need it. */
  private parts: Buffer[] | null = null;
  private offset = 0;
  private shutting = false;

  /** Writes a view (copied only when it must wait). Returns how many of its bytes left at once. */
  write(socket: SendSocket | null, view: Uint8Array, start: number, end: number): number {
    let sent = 0;
    if (this.bytes === 0 && socket !== null) {
      sent = socket.write(view, start, end - start);
      if (sent < 0) sent = 0;
      if (sent === end - start) return sent;
    }
    (this.parts ??= []).push(Buffer.from(view.subarray(start + sent, end)));
    this.bytes += end - start - sent;
    return sent;
  }

  /** Sends what waits; true when nothing is left. */
  flush(socket: SendSocket): boolean {
    for (const { parts } = this; parts !== null && this.bytes > 0;) {
      const part = parts[0]!;
      const sent = socket.write(part, this.offset, part.length - this.offset);
      if (sent <= 0) return false;
      this.bytes -= sent;
      this.offset += sent;
      if (this.offset < part.length) return false;
      parts.shift();
      this.offset = 0;
    }
    this.parts = null;
    if (this.shutting) {
      this.shutting = false;
      this.hasShut = true;
      socket.shutdown();
    }
    return true;
  }

  /** Half-closes after the last byte. */
  shutdown(socket: SendSocket | null): void {
    if (socket === null || this.bytes > 0) {
      this.shutting = true;
      return;
    }
    this.hasShut = true;
    socket.shutdown();
  }

  /** Forgets what waits. */
  clear(): void {
    this.parts = null;
    this.bytes = 0;
    this.offset = 0;
  }
}
