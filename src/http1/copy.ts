// Writing heads by copying the bytes of a parsed one: runs of kept fields, the framing written anew.

import { CONTENT_LENGTH, EXPECT, FORWARDED, IDENTITY, TRANSFER_ENCODING } from "./fields.ts";
import { copyBytes } from "../lib/bytes.ts";
import type { Head } from "./head.ts";

/** What happens to a field on its way through: 0 copied, 1 dropped, 2 the framing is written anew in its place. */
export type FieldRules = Uint8Array;

const rules = (drop: number[]): FieldRules => {
  const table = new Uint8Array(256);
  for (const id of drop) table[id] = 1;
  table[CONTENT_LENGTH] = 2;
  table[TRANSFER_ENCODING] = 2;
  return table;
};

/** Visitor -> local service: forwarding and identity fields are ours to write. */
export const requestRules = rules(Array.from({ length: IDENTITY - FORWARDED + 1 }, (_, i) => FORWARDED + i));
/** The same for HTTP/1.0 visitors, who cannot take a 100 (RFC 9110 10.1.1). */
export const request10Rules = requestRules.slice();
request10Rules[EXPECT] = 1;
/** Local service -> visitor. */
export const responseRules = rules([]);

const crlf = Buffer.from("\r\n");
const chunkedLine = Buffer.from("Transfer-Encoding: chunked\r\n");

/** How the copied message is framed: its length in bytes, or one of these. */
export const FRAMED_CHUNKED = -1;
export const FRAMED_NOT = -2;

/**
 * Copies `head` from `from` (its first field, or the start line itself) to `out[at…)`, fields as rules say: neither hop-by-hop ones, nor those that `table` drops. The framing
 * field is written where the original had it, else behind the others; no empty line is added. Returns the offset
 * behind. `out` must have room for the head and 64 bytes more.
 */
export function copyFields(
  head: Head,
  table: FieldRules,
  framing: number,
  out: Buffer,
  at: number,
  from: number = head.fieldsStart,
): number {
  const { bytes, count, nameStart, id, hop } = head;
  let run = from;
  let framed = framing === FRAMED_NOT;
  for (let i = 0; i < count; i++) {
    const rule = table[id[i]!]!;
    if (rule === 0 && hop[i] === 0) continue;
    if (rule === 2 && hop[i] === 0 && !framed && framing === head.contentLength && isCanonical(head, i)) {
      framed = true;
      continue;
    }
    const lineStart = nameStart[i]!;
    if (lineStart > run) at = copyBytes(bytes, run, lineStart, out, at);
    run = i + 1 < count ? nameStart[i + 1]! : head.end - 2;
    if (rule === 2 && !framed) {
      framed = true;
      at = framing === FRAMED_CHUNKED ? put(chunkedLine, out, at) : putLength(head, i, framing, out, at);
    }
  }
  const end = head.end - 2;
  if (end > run) at = copyBytes(bytes, run, end, out, at);
  if (!framed) at = framing === FRAMED_CHUNKED ? put(chunkedLine, out, at) : putLength(head, -1, framing, out, at);
  return at;
}

/** Copies `source` whole; returns the offset behind. */
function put(source: Uint8Array, out: Buffer, at: number): number {
  return copyBytes(source, 0, source.length, out, at);
}

/** Writes latin1 text; returns the offset behind. */
export function putText(text: string, out: Buffer, at: number): number {
  return at + out.write(text, at, "latin1");
}

export function putCrlf(out: Buffer, at: number): number {
  return put(crlf, out, at);
}

/** Writes the head of one chunk of `bytes` bytes (RFC 9112 7.1); its data and a CRLF follow. */
export function putChunkSize(bytes: number, out: Buffer, at: number): number {
  let digits = 1;
  for (let rest = bytes >>> 4; rest !== 0; rest >>>= 4) digits++;
  for (let i = digits - 1, rest = bytes; i >= 0; i--, rest >>>= 4)
    out[at + i] = "0123456789abcdef".charCodeAt(rest & 15);
  out[at + digits] = 0x0d;
  out[at + digits + 1] = 0x0a;
  return at + digits + 2;
}

function putLength(head: Head, index: number, bytes: number, out: Buffer, at: number): number {
  // The original's spelling of the name stays; the value is ours.
  at =
    index >= 0 && head.id[index] === CONTENT_LENGTH
      ? copyBytes(head.bytes, head.nameStart[index]!, head.nameEnd[index]!, out, at)
      : putText("Content-Length", out, at);
  return putText(`: ${bytes}\r\n`, out, at);
}

/** Whether a Content-Length line stands exactly as `putLength` would write it: then the run goes on over it. */
function isCanonical(head: Head, index: number): boolean {
  const { bytes } = head;
  const from = head.valueStart[index]!;
  const to = head.valueEnd[index]!;
  if (head.id[index] !== CONTENT_LENGTH || from !== head.nameEnd[index]! + 2 || bytes[from - 1] !== 0x20) return false;
  // Nothing between the digits and CRLF, no leading zero.
  return bytes[to] === 0x0d && (bytes[from] !== 0x30 || to - from === 1);
}
