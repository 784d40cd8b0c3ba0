// The field lines of a head (RFC 9112 5): their grammar, what frames the message, and what Connection says.

import { latin1 } from "../lib/bytes.ts";
import { FieldTable } from "./field-table.ts";
import {
  canonicalToken,
  CONNECTION,
  CONTENT_LENGTH,
  fieldId,
  hashStep,
  HOST,
  LAST_HOP,
  OTHER,
  sameName,
  TRANSFER_ENCODING,
  UPGRADE,
  valueByte,
} from "./fields.ts";
import { INCOMPLETE, maxFields, maxHeadBytes, REFUSED } from "./parsing.ts";

/** Most field names in `Connection`: each of them is compared with every field. */
const maxConnectionNames = 32;

const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** Parses what stands between the start line and the empty line. */
export class FieldSection extends FieldTable {
  /** Reads field lines from `from` on: the offset behind the empty line, INCOMPLETE or REFUSED. */
  protected parseFields(from: number, end: number, response: boolean): number {
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
        else if (this.framingField(id, index, response) === REFUSED) return REFUSED;
      }
    }
    this.end = at + 2;
    if (this.chunked && this.contentLength >= 0)
      return this.refuse("Content-Length and Transfer-Encoding stand together");
    if (connection && !this.readConnection()) return this.refuse("Connection names too many fields");
    return this.end;
  }

  /** Takes a Host, Upgrade, Content-Length or Transfer-Encoding field; REFUSED when it is no good. */
  private framingField(id: number, index: number, response: boolean): number {
    if (id === HOST) {
      if (this.host >= 0) return this.refuse("there is more than one Host header");
      this.host = index;
      return index;
    }
    if (id === UPGRADE) {
      this.upgrade = this.upgrade === -1 ? index : -2;
      return index;
    }
    const { bytes } = this;
    const from = this.valueStart[index]!;
    const to = this.valueEnd[index]!;
    for (let i = this.nameStart[index]!; i < this.nameEnd[index]!; i++) {
      if (bytes[i] === 0x5f) return this.refuse("a framing header is spelled with _");
    }
    // RFC 9110 allows a tab behind the value, but llhttp refuses it or (in responses) doesn't see the framing then.
    for (let i = to; bytes[i] !== CR; i++)
      if (bytes[i] === 0x09) return this.refuse("a framing header ends with a tab");
    return id === CONTENT_LENGTH ? this.lengthField(from, to) : this.codingField(from, to, response);
  }

  private lengthField(from: number, to: number): number {
    if (this.contentLength >= 0) return this.refuse("there is more than one Content-Length");
    if (to === from || to - from > 15) return this.refuse("Content-Length is not a length");
    let length = 0;
    for (let i = from; i < to; i++) {
      const digit = this.bytes[i]! - 48;
      if (digit < 0 || digit > 9) return this.refuse("Content-Length is not a length");
      length = length * 10 + digit;
    }
    return (this.contentLength = length);
  }

  private codingField(from: number, to: number, response: boolean): number {
    if (this.chunked) return this.refuse("there is more than one Transfer-Encoding");
    const coding = latin1(this.bytes, from, to);
    if ((response ? coding.toLowerCase() : coding) !== "chunked") {
      return this.refuse("Transfer-Encoding is not exactly chunked");
    }
    this.chunked = true;
    return from;
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

  /** The bytes ran out at `at`: either more may come, or the head is as large as it may be. */
  protected needMore(at: number, end: number, start: number): number {
    if (at < end || end - start >= maxHeadBytes) return this.refuse("the head is too large", "head_too_large");
    return INCOMPLETE;
  }
}

function tokenIs(bytes: Uint8Array, at: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[at + i]!;
    if ((byte >= 65 && byte <= 90 ? byte | 0x20 : byte) !== lower.charCodeAt(i)) return false;
  }
  return true;
}
