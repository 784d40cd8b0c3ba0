// What passed through a WebSocket in one direction: how many messages, and how it was closed. Nothing of it is kept.

import { opcode } from "../../src/protocol/websocket-frames.ts";

/** What a close frame says; `code` null: nothing. */
export interface CloseFrame {
  code: number | null;
  reason: string;
}

/** Follows the frames (RFC 6455 5.2) in whatever pieces they come. Not a judge: what is no frame gives a wrong number. */
export class SocketFrames {
  messages = 0;
  close: CloseFrame | null = null;
  /** The header so far, and the payload of a close frame. */
  private readonly begun: number[] = [];
  /** Bytes of payload to pass over. */
  private left = 0;

  passed(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && this.close === null) {
      const skipped = Math.min(this.left, end - at);
      this.left -= skipped;
      at += skipped;
      if (at === end) return;
      this.begun.push(bytes[at++]!);
      this.readHeader();
    }
  }

  private readHeader(): void {
    const { begun } = this;
    const [first = 0, second = 0] = begun;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const isMasked = second >= 0x80;
    const headerBytes = 2 + lengthBytes + (isMasked ? 4 : 0);
    if (begun.length < headerBytes) return;
    const kind = first & 0x0f;
    if (kind === opcode.close && lengthBytes === 0) {
      if (begun.length < headerBytes + short) return;
      this.close = closeOf(begun.slice(headerBytes), isMasked ? begun.slice(2, 6) : null);
      return;
    }
    this.left = begun.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, lengthBytes === 0 ? short : 0);
    // The last frame of a message, which may have others between its own.
    if (first >= 0x80 && kind <= opcode.binary) this.messages++;
    begun.length = 0;
  }
}

function closeOf(payload: number[], mask: number[] | null): CloseFrame {
  const plain = Buffer.from(mask === null ? payload : payload.map((byte, at) => byte ^ mask[at % 4]!));
  return plain.length < 2
    ? { code: null, reason: "" }
    : { code: plain.readUInt16BE(), reason: plain.toString("utf8", 2) };
}
