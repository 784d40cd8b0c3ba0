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
  /** A piece of a binary message: `bytes[start..end)`, which may be empty; `isLast`: the message ends with it. */
  message(bytes: Buffer, start: number, end: number, isLast: boolean): void;
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
  private control: Buffer | null = null;
  /** Payload bytes of the message at hand, as announced so far. */
  private messageBytes = 0;
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
        if (this.remaining === 0) this.payload(chunk, at, at);
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
    if (this.saved === null) {
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
      this.messageBytes = payload + (this.inMessage ? this.messageBytes : 0);
      if (this.messageBytes > this.maxMessageBytes) throw new WebSocketError(1009, "a message is too large");
      this.inMessage = true;
    }
    this.frameBytes = payload;
    this.remaining = payload;
  }

  /** Payload bytes of the frame at hand; `remaining` is what comes after them. */
  private payload(chunk: Buffer, start: number, end: number): void {
    applyMask(chunk, start, end, this.mask);
    const isLast = this.remaining === 0;
    if (this.opcode < 8) {
      this.mask = turned(this.mask, end - start);
      if (isLast && this.fin) this.inMessage = false;
      return this.sink.message(chunk, start, end, isLast && this.fin);
    }
    if (isLast && this.control === null) return this.controlFrame(chunk, start, end);
    this.mask = turned(this.mask, end - start);
    this.control ??= Buffer.allocUnsafe(this.frameBytes);
    chunk.copy(this.control, this.frameBytes - this.remaining - (end - start), start, end);
    if (!isLast) return;
    const { control } = this;
    this.control = null;
    this.controlFrame(control, 0, control.length);
  }

  private controlFrame(bytes: Buffer, start: number, end: number): void {
    if (this.opcode === opcode.ping) return this.sink.ping(Buffer.from(bytes.subarray(start, end)));
    if (this.opcode === opcode.pong) return;
    this.done = true;
    if (end - start === 1) throw new WebSocketError(1002, "a close code is cut short");
    if (end === start) return this.sink.closing(1005, "");
    this.sink.closing(bytes.readUInt16BE(start), bytes.toString("utf8", start + 2, end));
  }
}

/** The mask for what comes after `bytes` more. */
function turned(mask: number, bytes: number): number {
  const shift = 8 * (bytes & 3);
  return shift === 0 ? mask : (mask >>> shift) | (mask << (32 - shift));
}
