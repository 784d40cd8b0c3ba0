// The fields of one parsed head as offsets: what the parser fills in and everybody else looks up.

import type { ErrorCode } from "../lib/errors.ts";
import { latin1 } from "../lib/bytes.ts";
import { maxFields, REFUSED } from "./parsing.ts";

/** Offsets point into `bytes`; the arrays hold `count` fields in the order of their lines. Reused for the next parse. */
export class FieldTable {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offsets of the head, of its first field line, and just behind its empty line. */
  start = 0;
  fieldsStart = 0;
  end = 0;
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

  /** The value of field `index` as a latin1 string. */
  value(index: number): string {
    return latin1(this.bytes, this.valueStart[index]!, this.valueEnd[index]!);
  }

  /** Whether `value(index)` would be `text`, without making a string. */
  valueIs(index: number, text: string): boolean {
    const start = this.valueStart[index]!;
    if (this.valueEnd[index]! - start !== text.length) return false;
    const { bytes } = this;
    for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
    return true;
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

  /** Forgets the last head; the next begins at `bytes[start]`. */
  protected reset(bytes: Uint8Array, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = 0;
    this.count = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.host = -1;
    this.upgrade = -1;
  }

  /** Notes why the head is refused. */
  protected refuse(detail: string, code: ErrorCode = "bad_request"): number {
    this.error = code;
    this.detail = detail;
    return REFUSED;
  }
}
