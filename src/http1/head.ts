// The strict HTTP/1.1 head grammar (RFC 9112): one pass over bytes, offsets only, no strings. Here: the start lines.

import { latin1 } from "../lib/bytes.ts";
import { FieldSection } from "./field-section.ts";
import { methodByte, targetByte, valueByte } from "./fields.ts";
import { INCOMPLETE, maxHeadBytes } from "./parsing.ts";

const SP = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/**
 * One parsed head: offsets into `bytes`, reused for the next parse. Whoever wants to keep something copies it
 * before giving control back.
 */
export class Head extends FieldSection {
  /** HTTP minor version: 0 or 1. */
  minor = 1;
  methodEnd = 0;
  isHead = false;
  targetStart = 0;
  targetEnd = 0;
  status = 0;

  /** Parses a request head at `bytes[start..end)`: the offset behind it, INCOMPLETE or REFUSED. */
  parseRequest(bytes: Uint8Array, start: number, end: number): number {
    this.reset(bytes, start);
    this.isHead = false;
    this.status = 0;
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
    const length = this.methodEnd - start;
    if (length === 4) this.isHead = methodIs(bytes, start, "HEAD");
    else if ((length === 7 && methodIs(bytes, start, "CONNECT")) || (length === 5 && methodIs(bytes, start, "TRACE"))) {
      return this.refuse("CONNECT and TRACE are not served", "method_not_allowed");
    }
    if (bytes[this.targetStart] !== 0x2f) return this.refuse("the request target is not in origin-form (a path)");
    this.targetEnd = at;
    if (at + 11 > limit) {
      if (!isVersionPrefix(bytes, at + 1, limit)) return this.refuse("the version is not HTTP/1.0 or HTTP/1.1");
      return this.needMore(limit, end, start);
    }
    if (!this.readVersion(at + 1) || bytes[at + 9] !== CR || bytes[at + 10] !== LF) {
      return this.refuse("the version is not HTTP/1.0 or HTTP/1.1, or its line does not end with CRLF");
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
    this.isHead = false;
    this.status = 0;
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
    if (done <= 0) return done;
    if (this.chunked && this.minor === 0) return this.refuse("Transfer-Encoding needs HTTP/1.1");
    // RFC 9110 8.6: readers differ about what follows.
    if (status < 200 && (this.chunked || this.contentLength > 0))
      return this.refuse("an interim answer declares a body");
    return done;
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

  private readVersion(at: number): boolean {
    const { bytes } = this;
    if (bytes[at] !== 0x48 || bytes[at + 1] !== 0x54 || bytes[at + 2] !== 0x54 || bytes[at + 3] !== 0x50) return false;
    if (bytes[at + 4] !== 0x2f || bytes[at + 5] !== 0x31 || bytes[at + 6] !== 0x2e) return false;
    this.minor = bytes[at + 7]! - 48;
    return this.minor === 0 || this.minor === 1;
  }
}

function isVersionPrefix(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to && i < from + 7; i++) if (bytes[i] !== "HTTP/1.".charCodeAt(i - from)) return false;
  return true;
}

/** Whether the request line at `start` has a method that is known to be safe (RFC 9110 9.2.1): GET, HEAD or OPTIONS. Told by bytes: no string per request. */
export function isSafeMethod(bytes: Uint8Array, start: number): boolean {
  return methodIs(bytes, start, "GET ") || methodIs(bytes, start, "HEAD ") || methodIs(bytes, start, "OPTIONS ");
}

function methodIs(bytes: Uint8Array, at: number, method: string): boolean {
  for (let i = 0; i < method.length; i++) if (bytes[at + i] !== method.charCodeAt(i)) return false;
  return true;
}
