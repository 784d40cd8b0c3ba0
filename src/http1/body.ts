// Message body framing (RFC 9112 6 and 7): reads what Content-Length or chunked delimit, strictly.

import {
  canonicalToken,
  CONTENT_LENGTH,
  fieldId,
  FORWARDED,
  hashStep,
  HOST,
  LAST_HOP,
  TRANSFER_ENCODING,
  valueByte,
  X_API_KEY,
} from "./fields.ts";

/** Who gets a body as it arrives. Views are only valid during the call. */
export interface BodySink {
  bodyData(bytes: Uint8Array, start: number, end: number): void;
  /** The body is complete. `trailers`: field lines each ending in CRLF, without the last empty line; null for none. */
  bodyEnd(trailers: Uint8Array | null): void;
}

const maxTrailerBytes = 16 * 1024;
const maxExtensionBytes = 256;

// States of a chunked body.
const SIZE = 0;
const SIZE_DIGITS = 1;
const EXTENSION = 2;
const SIZE_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const TRAILER = 7;
const DONE = 8;

/** Where in a chunk extension the reader is; `+` = at least one byte of it was there. */
type ExtensionPart = "name" | "name+" | "value" | "value+" | "quoted" | "quoted end";

/** Reads one message body. Create once per connection, `start…` per message. */
export class BodyReader {
  /** Bytes of body still to come: of the message (length) or the chunk (chunked). */
  private remaining = 0;
  private mode: "none" | "length" | "chunked" | "close" = "none";
  private state = SIZE;
  private digits = 0;
  private extension = 0;
  private part: ExtensionPart = "name";
  private trailer: Buffer | null = null;
  /** Body bytes delivered so far. */
  received = 0;
  /** What was wrong, after `read` answered -1. */
  detail = "";
  done = true;

  startNone(): void {
    this.mode = "none";
    this.done = true;
    this.received = 0;
  }

  startLength(bytes: number): void {
    this.mode = "length";
    this.remaining = bytes;
    this.done = bytes === 0;
    this.received = 0;
  }

  startChunked(): void {
    this.mode = "chunked";
    this.state = SIZE;
    this.done = false;
    this.received = 0;
  }

  /** The body ends when the connection does; the owner calls `closed`. */
  startUntilClose(): void {
    this.mode = "close";
    this.done = false;
    this.received = 0;
  }

  /** Whether a clean end of the connection is a clean end of this body. */
  closed(): boolean {
    if (this.mode === "close") this.done = true;
    return this.done;
  }

  /**
   * Feeds `bytes[start..end)`; calls `sink` for what belongs to the body.
   * Returns the offset behind the last byte used (body complete when `done`), or -1 when the framing is broken.
   * Does not call `bodyEnd` for a body that was empty from the start.
   */
  read(bytes: Uint8Array, start: number, end: number, sink: BodySink): number {
    if (this.done) return start;
    if (this.mode === "chunked") return this.readChunked(bytes, start, end, sink);
    if (this.mode === "close") {
      this.received += end - start;
      if (end > start) sink.bodyData(bytes, start, end);
      return end;
    }
    const stop = Math.min(end, start + this.remaining);
    if (stop === start) return start;
    this.remaining -= stop - start;
    this.received += stop - start;
    this.done = this.remaining === 0;
    sink.bodyData(bytes, start, stop);
    if (this.done) sink.bodyEnd(null);
    return stop;
  }

  private readChunked(bytes: Uint8Array, start: number, end: number, sink: BodySink): number {
    let at = start;
    while (at < end) {
      const byte = bytes[at]!;
      switch (this.state) {
        case SIZE:
          this.remaining = 0;
          this.digits = 0;
          this.extension = 0;
          this.state = SIZE_DIGITS;
          break;
        case SIZE_DIGITS: {
          const digit = hexDigit(byte);
          if (digit >= 0) {
            if (++this.digits > 12) return this.fail("a chunk size is too long");
            this.remaining = this.remaining * 16 + digit;
          } else if (this.digits === 0) return this.fail("a chunk size is not hexadecimal");
          else if (byte === 0x0d) this.state = SIZE_LF;
          else if (byte === 0x3b) {
            this.state = EXTENSION;
            this.part = "name";
          } else return this.fail("a chunk size is not hexadecimal");
          at++;
          break;
        }
        case EXTENSION:
          if (!this.extensionByte(byte) || ++this.extension > maxExtensionBytes)
            return this.fail("a chunk extension is malformed or too long");
          at++;
          break;
        case SIZE_LF:
          if (byte !== 0x0a) return this.fail("a chunk size line does not end with CRLF");
          this.state = this.remaining === 0 ? TRAILER : DATA;
          at++;
          break;
        case DATA: {
          const stop = Math.min(end, at + this.remaining);
          this.remaining -= stop - at;
          this.received += stop - at;
          if (this.remaining === 0) this.state = DATA_CR;
          sink.bodyData(bytes, at, stop);
          at = stop;
          break;
        }
        case DATA_CR:
          if (byte !== 0x0d) return this.fail("chunk data is longer than its size");
          this.state = DATA_LF;
          at++;
          break;
        case DATA_LF:
          if (byte !== 0x0a) return this.fail("chunk data does not end with CRLF");
          this.state = SIZE;
          at++;
          break;
        case TRAILER:
          return this.readTrailer(bytes, at, end, sink);
        default:
          return at;
      }
    }
    return at;
  }

  /** One byte of `name [= token | = quoted]`, further `;` or the CR behind them (RFC 9112 7.1.1; no quoted pairs). */
  private extensionByte(byte: number): boolean {
    const { part } = this;
    if (part === "quoted") {
      if (byte === 0x22) this.part = "quoted end";
      return byte !== 0x5c && valueByte[byte] === 1;
    }
    if (canonicalToken[byte] !== 0) {
      if (part === "name") this.part = "name+";
      else if (part === "value") this.part = "value+";
      return part !== "quoted end";
    }
    if (byte === 0x3d && part === "name+") this.part = "value";
    else if (byte === 0x22 && part === "value") this.part = "quoted";
    else if (part === "name" || part === "value") return false;
    else if (byte === 0x3b) this.part = "name";
    else if (byte === 0x0d) this.state = SIZE_LF;
    else return false;
    return true;
  }

  private readTrailer(bytes: Uint8Array, start: number, end: number, sink: BodySink): number {
    const before = this.trailer?.length ?? 0;
    if (before === 0 && end - start >= 2 && bytes[start] === 0x0d && bytes[start + 1] === 0x0a) {
      this.finish(sink, null);
      return start + 2;
    }
    const part = bytes.subarray(start, Math.min(end, start + maxTrailerBytes + 4 - before));
    const all = before === 0 ? Buffer.from(part) : Buffer.concat([this.trailer!, part]);
    const length = all[0] === 0x0d ? (all.length < 2 ? -1 : 0) : all.indexOf("\r\n\r\n");
    if (length < 0) {
      if (all.length > maxTrailerBytes) return this.fail("the trailers are too large");
      if (hasBareLf(all)) return this.fail("a trailer line does not end with CRLF");
      this.trailer = all;
      return end;
    }
    if (length === 0 && all[1] !== 0x0a) return this.fail("a CR is not followed by LF");
    const lines = length === 0 ? null : cleanTrailers(all.subarray(0, length + 2));
    if (lines === undefined) return this.fail("a trailer is not a header field");
    this.finish(sink, lines !== null && lines.length > 0 ? lines : null);
    return start + (length === 0 ? 2 : length + 4) - before;
  }

  private finish(sink: BodySink, trailers: Uint8Array | null): void {
    this.state = DONE;
    this.done = true;
    this.trailer = null;
    sink.bodyEnd(trailers);
  }

  private fail(detail: string): number {
    this.detail = detail;
    return -1;
  }
}

/**
 * Checks field lines (each ending in CRLF) by the strict grammar and drops those that may not be trailers: routing,
 * hop-by-hop, identity, credentials and cookies (RFC 9110 6.5.1). Undefined when a line is malformed or says how the
 * body is framed.
 */
export function cleanTrailers(lines: Uint8Array): Uint8Array | undefined {
  const kept: Uint8Array[] = [];
  let at = 0;
  while (at < lines.length) {
    const lineStart = at;
    let hash = 0;
    let canonical = 0;
    while (at < lines.length && (canonical = canonicalToken[lines[at]!]!) !== 0) {
      hash = hashStep(hash, canonical);
      at++;
    }
    if (at === lineStart || lines[at] !== 0x3a) return undefined;
    const id = fieldId(lines, lineStart, at, hash);
    at++;
    while (at < lines.length && valueByte[lines[at]!] === 1) at++;
    if (lines[at] !== 0x0d || lines[at + 1] !== 0x0a) return undefined;
    at += 2;
    if (id === CONTENT_LENGTH || id === TRANSFER_ENCODING) return undefined;
    const forbidden = (id >= HOST && id <= LAST_HOP) || (id >= FORWARDED && id <= X_API_KEY);
    if (!forbidden) kept.push(lines.subarray(lineStart, at));
  }
  return Buffer.concat(kept);
}

function hasBareLf(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1))
    if (at === 0 || bytes[at - 1] !== 0x0d) return true;
  return false;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
