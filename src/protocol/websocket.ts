// Reading the WebSocket protocol (RFC 6455), as small as sessions need it: binary messages, unmasked in place.

import { applyMask, maxControlBytes, opcode } from "./websocket-frames.ts";

/** What a peer did wrong; `code` is the close code that says so. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  constructor(
    readonly code: 1002 | 1003 | 1007 | 1009,
    message: string,
  ) {
    super(message);
  }
}

/** Gets what arrived. Views are valid during the call only. */
export interface WebSocketSink {
  /** A whole binary message: `bytes[start..end)`. */
  message(bytes: Buffer, start: number, end: number): void;
  ping(payload: Buffer): void;
  /** A close frame: nothing comes after it. `code` 1005 = none was given. */
  closing(code: number, reason: string): void;
}

/** 2 bytes, up to 8 of length, 4 of a client's mask. */
const maxHeaderBytes = 14;

/** Reads the frames of one peer, in whatever pieces they come. Chunks are changed (unmasked) in place. */
export class WebSocketReader {
  /** A header that came in pieces. */
  private saved: Buffer | null = null;
  private savedBytes = 0;
  private opcode = 0;
  private fin = true;
  private mask = 0;
  /** Payload bytes of the frame at hand: in all, and still to come. */
  private frameBytes = 0;
  private remaining = 0;
  /** A message (or control frame) that came in pieces, and how much of it is there. */
  private partial: Buffer | null = null;
  private filled = 0;
  private control: Buffer | null = null;
  private inMessage = false;
  private done = false;

  constructor(
    private readonly sink: WebSocketSink,
    private readonly maxMessageBytes: number,
    /** Whether the peer is a client: its frames must be masked, and a server's must not (RFC 6455 5.1). */
    private readonly isMasked: boolean,
  ) {}

  /** Reads a chunk. Throws WebSocketError; nothing may be read after that. */
  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.done) {
      if (this.remaining === 0) {
        at = this.readHeader(chunk, at);
        if (at < 0) return;
        if (this.remaining === 0) this.frameEnd(chunk, at, at);
        continue;
      }
      const stop = Math.min(chunk.length, at + this.remaining);
      this.remaining -= stop - at;
      this.payload(chunk, at, stop);
      at = stop;
    }
  }

  /** The offset behind the header at `at`; -1 when it isn't complete (it is kept then). */
  private readHeader(chunk: Buffer, at: number): number {
    if (this.savedBytes === 0) {
      const length = this.parseHeader(chunk, at, chunk.length);
      if (length > 0) return at + length;
    }
    const before = this.savedBytes;
    this.saved ??= Buffer.allocUnsafe(maxHeaderBytes);
    const taken = chunk.copy(this.saved, before, at, Math.min(chunk.length, at + maxHeaderBytes - before));
    const length = before === 0 ? 0 : this.parseHeader(this.saved, 0, before + taken);
    if (length === 0) {
      this.savedBytes = before + taken;
      return -1;
    }
    this.savedBytes = 0;
    this.saved = null;
    return at + length - before;
  }

  /** Length of the header at `bytes[at..end)`, 0 when it isn't complete. */
  private parseHeader(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return 0;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    if ((first & 0x70) !== 0) throw new WebSocketError(1002, "a reserved bit is set");
    if (((second & 0x80) !== 0) !== this.isMasked)
      throw new WebSocketError(1002, `a frame of a ${this.isMasked ? "client is not" : "server is"} masked`);
    const short = second & 0x7f;
    const length = (this.isMasked ? 6 : 2) + (short === 126 ? 2 : short === 127 ? 8 : 0);
    if (end - at < length) return 0;
    let payload = short;
    if (short === 126) payload = bytes.readUInt16BE(at + 2);
    else if (short === 127) payload = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
    if ((short === 126 && payload < 126) || (short === 127 && payload < 65_536))
      throw new WebSocketError(1002, "a length is not in its shortest form");
    this.begin(first, payload);
    // Little endian, as the words are that it is applied to.
    this.mask = this.isMasked ? bytes.readInt32LE(at + length - 4) : 0;
    return length;
  }

  private begin(first: number, payload: number): void {
    this.fin = (first & 0x80) !== 0;
    this.opcode = first & 0x0f;
    if (this.opcode >= 8) {
      if (this.opcode > opcode.pong) throw new WebSocketError(1002, "an unknown kind of frame");
      if (!this.fin || payload > maxControlBytes)
        throw new WebSocketError(1002, "a control frame is fragmented or too long");
    } else {
      if (this.opcode === opcode.text) throw new WebSocketError(1003, "messages are binary");
      if (this.opcode > opcode.binary) throw new WebSocketError(1002, "an unknown kind of frame");
      if ((this.opcode === opcode.continuation) !== this.inMessage)
        throw new WebSocketError(1002, "fragments are out of order");
      if (payload + (this.inMessage ? this.filled : 0) > this.maxMessageBytes)
        throw new WebSocketError(1009, "a message is too large");
      this.inMessage = true;
    }
    this.frameBytes = payload;
    this.remaining = payload;
  }

  /** Payload bytes of the frame at hand; `remaining` is what comes after them. */
  private payload(chunk: Buffer, start: number, end: number): void {
    if (
      this.remaining === 0 &&
      end - start === this.frameBytes &&
      this.partial === null &&
      (this.fin || this.opcode >= 8)
    ) {
      applyMask(chunk, start, end, this.mask);
      return this.frameEnd(chunk, start, end);
    }
    if (this.opcode >= 8) {
      this.control ??= Buffer.allocUnsafe(this.frameBytes);
      chunk.copy(this.control, this.frameBytes - this.remaining - (end - start), start, end);
      if (this.remaining > 0) return;
      const { control } = this;
      this.control = null;
      applyMask(control, 0, control.length, this.mask);
      return this.frameEnd(control, 0, control.length);
    }
    const frameStart = this.filled - (this.frameBytes - this.remaining - (end - start));
    this.partial = withRoom(this.partial, this.filled, frameStart + this.frameBytes);
    this.filled += chunk.copy(this.partial, this.filled, start, end);
    if (this.remaining > 0) return;
    applyMask(this.partial, frameStart, this.filled, this.mask);
    this.frameEnd(this.partial, 0, this.filled);
  }

  /** The frame at hand is complete and unmasked. For data, `bytes[start..end)` is the whole message so far. */
  private frameEnd(bytes: Buffer, start: number, end: number): void {
    switch (this.opcode) {
      case opcode.ping:
        return this.sink.ping(Buffer.from(bytes.subarray(start, end)));
      case opcode.pong:
        return;
      case opcode.close:
        return this.closing(bytes, start, end);
    }
    if (!this.fin) return;
    const whole = this.partial ?? bytes;
    const from = this.partial === null ? start : 0;
    const to = this.partial === null ? end : this.filled;
    this.partial = null;
    this.filled = 0;
    this.inMessage = false;
    this.sink.message(whole, from, to);
  }

  private closing(bytes: Buffer, start: number, end: number): void {
    this.done = true;
    if (end - start === 1) throw new WebSocketError(1002, "a close code is cut short");
    if (end === start) return this.sink.closing(1005, "");
    this.sink.closing(bytes.readUInt16BE(start), bytes.toString("utf8", start + 2, end));
  }
}

/** A buffer of at least `needed` bytes that begins with the first `filled` of `old`. */
function withRoom(old: Buffer | null, filled: number, needed: number): Buffer {
  if (old !== null && old.length >= needed) return old;
  const room = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * filled, needed + 65_536)));
  old?.copy(room, 0, 0, filled);
  return room;
}
