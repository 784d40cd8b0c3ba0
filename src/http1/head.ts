// The strict HTTP/1.1 head grammar (RFC 9112): one pass over bytes, offsets only, no strings.

import type { ErrorCode } from "../lib/errors.ts";
import {
  canonicalToken,
  CONNECTION,
  CONTENT_LENGTH,
  fieldId,
  hashStep,
  HOST,
  LAST_HOP,
  methodByte,
  OTHER,
  sameName,
  targetByte,
  TRANSFER_ENCODING,
  UPGRADE,
  valueByte,
} from "./fields.ts";

/** Largest head, request line included, and most fields in it; beyond either a head is refused. */
export const maxHeadBytes = 64 * 1024;
export const maxFields = 200;
/** Most field names in `Connection`: each of them is compared with every field. */
const maxConnectionNames = 32;

/** `Head.parse…` answers: the head isn't complete yet. */
export const INCOMPLETE = 0;
/** `Head.parse…` answers: refused, see `Head.error`. */
export const REFUSED = -1;

const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/**
 * One parsed head: offsets into `bytes`, reused for the next parse. Whoever wants to keep something copies it
 * before giving control back.
 */
export class Head {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  /** Offset of the first field line, and just behind the empty line. */
  fieldsStart = 0;
  end = 0;
  /** HTTP minor version: 0 or 1. */
  minor = 1;
  methodEnd = 0;
  isHead = false;
  targetStart = 0;
  targetEnd = 0;
  status = 0;
  count = 0;
  readonly nameStart = new Int32Array(maxFields);
  readonly nameEnd = new Int32Array(maxFields);
  readonly valueStart = new Int32Array(maxFields);
  readonly valueEnd = new Int32Array(maxFields);
  readonly id = new Uint8Array(maxFields);
  /** 1 = hop-by-hop or named by `Connection`: never forwarded. */
  readonly hop = new Uint8Array(maxFields);
  /** Declared body length; -1 when there is none declared. */
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  /** `Connection` holds the token `upgrade`. */
  connectionUpgrade = false;
  /** Index of the only Host field, or -1. */
  host = -1;
  /** Index of the only Upgrade field, -1 for none, -2 for several. */
  upgrade = -1;
  error: ErrorCode = "bad_request";
  /** What exactly was wrong, for the log and the error body; holds no input. */
  detail = "";

  /** Parses a request head at `bytes[start..end)`: the offset behind it, INCOMPLETE or REFUSED. */
  parseRequest(bytes: Uint8Array, start: number, end: number): number {
    this.reset(bytes, start);
    const limit = Math.min(end, start + maxHeadBytes);
    let at = start;
    while (at < limit && methodByte[bytes[at]!] === 1) at++;
    if (at === limit) return this.needMore(at, end, start);
    if (bytes[at] !== SP || at === start || at - start > 32)
      return this.refuse("the method is not a token in upper case");
    this.methodEnd = at;
    this.targetStart = ++at;
    while (at < limit && targetByte[bytes[at]!] === 1) at++;
    if (at === limit) return this.needMore(at, end, start);
    if (bytes[at] !== SP) return this.refuse("the request target has a character that is not allowed");
    if (bytes[this.targetStart] !== 0x2f) return this.refuseTarget();
    this.targetEnd = at;
    if (at + 11 > limit) {
      if (!isVersionPrefix(bytes, at + 1, limit)) return this.refuse("the version is not HTTP/1.0 or HTTP/1.1");
      return this.needMore(limit, end, start);
    }
    if (!this.readVersion(at + 1) || bytes[at + 9] !== CR || bytes[at + 10] !== LF) {
      return this.refuse("the version is not HTTP/1.0 or HTTP/1.1, or its line does not end with CRLF");
    }
    const length = this.methodEnd - start;
    if (length === 4) this.isHead = methodIs(bytes, start, "HEAD");
    else if ((length === 7 && methodIs(bytes, start, "CONNECT")) || (length === 5 && methodIs(bytes, start, "TRACE"))) {
      return this.refuse("CONNECT and TRACE are not served", "method_not_allowed");
    }
    const done = this.parseFields(at + 11, end, false);
    if (done <= 0) return done;
    if (this.host < 0) return this.refuse("there is no Host header");
    if (this.chunked && this.minor === 0) return this.refuse("Transfer-Encoding needs HTTP/1.1");
    return done;
  }

  /** Parses a response head: the offset behind it, INCOMPLETE or REFUSED. Framing rules as for requests. */
  parseResponse(bytes: Uint8Array, start: number, end: number): number {
    this.reset(bytes, start);
    if (end - start < 15) {
      for (let i = 0; i < Math.min(5, end - start); i++) {
        if (bytes[start + i] !== "HTTP/".charCodeAt(i)) return this.refuse("the answer does not start with HTTP/");
      }
      return INCOMPLETE;
    }
    if (!this.readVersion(start) || bytes[start + 8] !== SP) return this.refuse("the status line is not HTTP/1.x");
    let status = 0;
    for (let i = start + 9; i < start + 12; i++) {
      const digit = bytes[i]! - 48;
      if (digit < 0 || digit > 9) return this.refuse("the status is not three digits");
      status = status * 10 + digit;
    }
    if (status < 100 || status > 599) return this.refuse("the status is not between 100 and 599");
    this.status = status;
    let at = start + 12;
    if (bytes[at] !== SP && bytes[at] !== CR) return this.refuse("the status line is malformed");
    const limit = Math.min(end, start + maxHeadBytes);
    while (at < limit && valueByte[bytes[at]!] === 1) at++;
    if (at + 1 >= limit) return this.needMore(limit, end, start);
    if (bytes[at] !== CR || bytes[at + 1] !== LF)
      return this.refuse("the reason phrase has a character that is not allowed");
    const done = this.parseFields(at + 2, end, true);
    if (done > 0 && this.chunked && this.minor === 0) return this.refuse("Transfer-Encoding needs HTTP/1.1");
    return done;
  }

  /** The value of field `index` as a latin1 string. */
  value(index: number): string {
    return latin1(this.bytes, this.valueStart[index]!, this.valueEnd[index]!);
  }

  /** The value of the only field with `id`; null when there is none or more than one. */
  only(id: number): string | null {
    let found = -1;
    for (let i = 0; i < this.count; i++) {
      if (this.id[i] !== id) continue;
      if (found >= 0) return null;
      found = i;
    }
    return found < 0 ? null : this.value(found);
  }

  /** Whether some field has `id`. */
  has(id: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.id[i] === id) return true;
    return false;
  }

  get method(): string {
    return latin1(this.bytes, this.start, this.methodEnd);
  }

  get target(): string {
    return latin1(this.bytes, this.targetStart, this.targetEnd);
  }

  /** Whether the only Upgrade field is exactly `websocket` and Connection asks for the upgrade (RFC 6455 4.1). */
  get wantsWebSocket(): boolean {
    return this.upgrade >= 0 && this.connectionUpgrade && this.value(this.upgrade).toLowerCase() === "websocket";
  }

  private parseFields(from: number, end: number, response: boolean): number {
    const { bytes, start } = this;
    const limit = Math.min(end, start + maxHeadBytes);
    this.fieldsStart = from;
    let at = from;
    let connection = false;
    for (;;) {
      if (at + 1 >= limit) return this.needMore(limit, end, start);
      if (bytes[at] === CR) {
        if (bytes[at + 1] !== LF) return this.refuse("a CR is not followed by LF");
        break;
      }
      const nameStart = at;
      let hash = 0;
      let canonical = 0;
      while (at < limit && (canonical = canonicalToken[bytes[at]!]!) !== 0) {
        hash = hashStep(hash, canonical);
        at++;
      }
      if (at === limit) return this.needMore(at, end, start);
      if (bytes[at] !== COLON || at === nameStart)
        return this.refuse("a header name is not a token followed by a colon");
      const nameEnd = at++;
      while (at < limit && (bytes[at] === SP || bytes[at] === 0x09)) at++;
      const valueStart = at;
      while (at < limit && valueByte[bytes[at]!] === 1) at++;
      if (at + 1 >= limit) return this.needMore(limit, end, start);
      if (bytes[at] !== CR || bytes[at + 1] !== LF)
        return this.refuse("a header value has a character that is not allowed");
      let valueEnd = at;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === 0x09)) valueEnd--;
      at += 2;
      const index = this.count;
      if (index === maxFields) return this.refuse("there are more header fields than allowed", "head_too_large");
      this.count = index + 1;
      const id = fieldId(bytes, nameStart, nameEnd, hash);
      this.nameStart[index] = nameStart;
      this.nameEnd[index] = nameEnd;
      this.valueStart[index] = valueStart;
      this.valueEnd[index] = valueEnd;
      this.id[index] = id;
      this.hop[index] = id >= CONNECTION && id <= LAST_HOP ? 1 : 0;
      if (id !== OTHER && id <= UPGRADE) {
        if (id === CONNECTION) connection = true;
        else if (!this.framingField(id, index, response)) return REFUSED;
      }
    }
    this.end = at + 2;
    if (this.chunked && this.contentLength >= 0)
      return this.refuse("Content-Length and Transfer-Encoding stand together");
    if (connection && !this.readConnection()) return this.refuse("Connection names too many fields");
    return this.end;
  }

  private framingField(id: number, index: number, response: boolean): boolean {
    const { bytes } = this;
    const from = this.valueStart[index]!;
    const to = this.valueEnd[index]!;
    if (id === HOST) {
      if (this.host >= 0) return this.refuse("there is more than one Host header") !== REFUSED;
      this.host = index;
    } else if (id === UPGRADE) {
      this.upgrade = this.upgrade === -1 ? index : -2;
    } else {
      for (let i = this.nameStart[index]!; i < this.nameEnd[index]!; i++) {
        if (bytes[i] === 0x5f) return this.refuse("a framing header is spelled with _") !== REFUSED;
      }
      // RFC 9110 allows a tab behind the value, but llhttp refuses it or (in responses) doesn't see the framing then.
      for (let i = to; bytes[i] !== CR; i++)
        if (bytes[i] === 0x09) return this.refuse("a framing header ends with a tab") !== REFUSED;
      if (id === CONTENT_LENGTH) {
        if (this.contentLength >= 0) return this.refuse("there is more than one Content-Length") !== REFUSED;
        if (to === from || to - from > 15) return this.refuse("Content-Length is not a length") !== REFUSED;
        let length = 0;
        for (let i = from; i < to; i++) {
          const digit = bytes[i]! - 48;
          if (digit < 0 || digit > 9) return this.refuse("Content-Length is not a length") !== REFUSED;
          length = length * 10 + digit;
        }
        this.contentLength = length;
      } else {
        if (this.chunked) return this.refuse("there is more than one Transfer-Encoding") !== REFUSED;
        const coding = latin1(bytes, from, to);
        if ((response ? coding.toLowerCase() : coding) !== "chunked") {
          return this.refuse("Transfer-Encoding is not exactly chunked") !== REFUSED;
        }
        this.chunked = true;
      }
    }
    return true;
  }

  /**
   * Reads every Connection field: our own tokens set flags, any other names a field that goes no further. False when
   * there are too many names.
   */
  private readConnection(): boolean {
    const { bytes } = this;
    let names = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.id[i] !== CONNECTION) continue;
      const end = this.valueEnd[i]!;
      let at = this.valueStart[i]!;
      while (at < end) {
        while (at < end && (bytes[at] === 0x2c || bytes[at] === SP || bytes[at] === 0x09)) at++;
        const from = at;
        while (at < end && bytes[at] !== 0x2c && bytes[at] !== SP && bytes[at] !== 0x09) at++;
        if (at > from && !this.connectionOption(from, at) && ++names > maxConnectionNames) return false;
      }
    }
    return true;
  }

  /** False when the option is the name of a field. */
  private connectionOption(from: number, to: number): boolean {
    const length = to - from;
    if (length === 5 && tokenIs(this.bytes, from, "close")) this.close = true;
    else if (length === 10 && tokenIs(this.bytes, from, "keep-alive")) this.keepAlive = true;
    else if (length === 7 && tokenIs(this.bytes, from, "upgrade")) this.connectionUpgrade = true;
    else {
      for (let i = 0; i < this.count; i++) {
        if (this.id[i] === HOST || this.id[i] === CONTENT_LENGTH || this.id[i] === TRANSFER_ENCODING) continue;
        if (sameName(this.bytes, this.nameStart[i]!, this.nameEnd[i]!, this.bytes, from, to)) this.hop[i] = 1;
      }
      return false;
    }
    return true;
  }

  private readVersion(at: number): boolean {
    const { bytes } = this;
    if (bytes[at] !== 0x48 || bytes[at + 1] !== 0x54 || bytes[at + 2] !== 0x54 || bytes[at + 3] !== 0x50) return false;
    if (bytes[at + 4] !== 0x2f || bytes[at + 5] !== 0x31 || bytes[at + 6] !== 0x2e) return false;
    this.minor = bytes[at + 7]! - 48;
    return this.minor === 0 || this.minor === 1;
  }

  private reset(bytes: Uint8Array, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = 0;
    this.isHead = false;
    this.status = 0;
    this.count = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.host = -1;
    this.upgrade = -1;
  }

  private needMore(at: number, end: number, start: number): number {
    if (at < end || end - start >= maxHeadBytes) return this.refuse("the head is too large", "head_too_large");
    return INCOMPLETE;
  }

  private refuseTarget(): number {
    return this.refuse("the request target is not in origin-form (a path)");
  }

  private refuse(detail: string, code: ErrorCode = "bad_request"): number {
    this.error = code;
    this.detail = detail;
    return REFUSED;
  }
}

/** `bytes[start..end)` as a latin1 string. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("latin1", start, end);
}

function isVersionPrefix(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to && i < from + 7; i++) if (bytes[i] !== "HTTP/1.".charCodeAt(i - from)) return false;
  return true;
}

function methodIs(bytes: Uint8Array, at: number, method: string): boolean {
  for (let i = 0; i < method.length; i++) if (bytes[at + i] !== method.charCodeAt(i)) return false;
  return true;
}

function tokenIs(bytes: Uint8Array, at: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[at + i]!;
    if ((byte >= 65 && byte <= 90 ? byte | 0x20 : byte) !== lower.charCodeAt(i)) return false;
  }
  return true;
}
