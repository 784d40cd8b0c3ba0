// Frames out of messages, in whatever pieces a message arrives: body bytes are passed on as they come, everything else once it is whole.

import { CHECKED, DATA, FIN, headerBytes, maxPayloadBytes, OPEN, ProtocolError, readU32 } from "./frames.ts";

/** Who gets frames. A view is valid during the call only. A DATA frame may come as several, FIN with the last. */
export interface FrameSink {
  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
}

/** Reads the messages of one peer. */
export class FrameReader {
  // The frame at hand.
  private type = 0;
  private flags = 0;
  private stream = 0;
  private length = 0;
  /** Bytes of its payload that have not come yet. */
  private missing = 0;
  /** What came in pieces of a header, or of a payload that must be whole, and how much of it is there. */
  private saved: Buffer | null = null;
  private filled = 0;

  constructor(private readonly sink: FrameSink) {}

  /** Reads `bytes[start..end)` of a message; `isLast`: its end. Throws ProtocolError on an unknown, oversize or truncated frame; nothing may be read after that. */
  read(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    let at = start;
    while (at < end) {
      if (this.missing > 0) at = this.piece(bytes, at, end);
      else if (this.saved !== null || end - at < headerBytes) at = this.pieceOfHeader(bytes, at, end);
      else {
        this.header(bytes, at);
        at += headerBytes;
        const stop = at + this.length;
        if (stop <= end) {
          this.sink.frame(this.type, this.flags, this.stream, bytes, at, stop);
          at = stop;
        } else this.missing = this.length;
      }
    }
    if (!isLast) return;
    if (this.missing > 0) throw new ProtocolError("a frame is longer than its message");
    if (this.saved !== null) throw new ProtocolError("a frame header is cut short");
  }

  private header(bytes: Buffer, at: number): void {
    const type = bytes[at]!;
    if (type < OPEN || type > CHECKED) throw new ProtocolError(`there is no frame type ${type}`);
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (length > maxPayloadBytes) throw new ProtocolError("a frame is larger than 64 KiB");
    this.type = type;
    this.flags = bytes[at + 1]!;
    this.stream = readU32(bytes, at + 4);
    this.length = length;
  }

  private pieceOfHeader(bytes: Buffer, at: number, end: number): number {
    this.saved ??= Buffer.allocUnsafe(headerBytes);
    const taken = bytes.copy(this.saved, this.filled, at, end);
    this.filled += taken;
    if (this.filled < headerBytes) return at + taken;
    const { saved } = this;
    this.saved = null;
    this.filled = 0;
    this.header(saved, 0);
    this.missing = this.length;
    if (this.length === 0) this.sink.frame(this.type, this.flags, this.stream, saved, headerBytes, headerBytes);
    return at + taken;
  }

  /** A piece of the payload at hand. */
  private piece(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.missing);
    this.missing -= stop - at;
    if (this.type === DATA) {
      const flags = this.missing === 0 ? this.flags : this.flags & ~FIN;
      this.sink.frame(DATA, flags, this.stream, bytes, at, stop);
      return stop;
    }
    this.saved ??= Buffer.allocUnsafeSlow(this.length);
    this.filled += bytes.copy(this.saved, this.filled, at, stop);
    if (this.missing > 0) return stop;
    const { saved } = this;
    this.saved = null;
    this.filled = 0;
    this.sink.frame(this.type, this.flags, this.stream, saved, 0, saved.length);
    return stop;
  }
}
