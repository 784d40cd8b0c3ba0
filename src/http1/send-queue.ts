// Bytes on their way out of one socket: written through at once, kept in order when the kernel takes no more.

/** The part of a Bun socket that sending needs. */
export interface SendSocket {
  write(bytes: Uint8Array): number;
  shutdown(): void;
}

/**
 * Not bounded itself: whoever writes looks at `bytes` and stops its source. `null` as socket means not connected yet.
 */
export class SendQueue {
  /** Bytes that wait for the kernel. */
  bytes = 0;
  private readonly parts: Buffer[] = [];
  private offset = 0;
  private shutting = false;

  /** Writes a view (copied only when it must wait). Returns how many of its bytes left at once. */
  write(socket: SendSocket | null, view: Uint8Array, start: number, end: number): number {
    let sent = 0;
    if (this.bytes === 0 && socket !== null) {
      sent = socket.write(start === 0 && end === view.length ? view : view.subarray(start, end));
      if (sent < 0) sent = 0;
      if (sent === end - start) return sent;
    }
    this.parts.push(Buffer.from(view.subarray(start + sent, end)));
    this.bytes += end - start - sent;
    return sent;
  }

  /** Sends what waits; true when nothing is left. */
  flush(socket: SendSocket): boolean {
    while (this.bytes > 0) {
      const part = this.parts[0]!;
      const sent = socket.write(this.offset === 0 ? part : part.subarray(this.offset));
      if (sent <= 0) return false;
      this.bytes -= sent;
      this.offset += sent;
      if (this.offset < part.length) return false;
      this.parts.shift();
      this.offset = 0;
    }
    if (this.shutting) {
      this.shutting = false;
      socket.shutdown();
    }
    return true;
  }

  /** Half-closes after the last byte. */
  shutdown(socket: SendSocket | null): void {
    if (socket !== null && this.bytes === 0) socket.shutdown();
    else this.shutting = true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.parts.length = 0;
    this.bytes = 0;
    this.offset = 0;
  }
}
