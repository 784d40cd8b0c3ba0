// Writing heads by copying the bytes of a parsed one: runs of kept fields, the framing written anew.

import { CONTENT_LENGTH, EXPECT, FORWARDED, IDENTITY, TRANSFER_ENCODING } from "./fields.ts";
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
 * Copies the fields of `head` to `out[at…)`: neither hop-by-hop ones, nor those that `table` drops. The framing
 * field is written where the original had it, else behind the others; no empty line is added. Returns the offset
 * behind. `out` must have room for the head and 64 bytes more.
 */
export function copyFields(head: Head, table: FieldRules, framing: number, out: Buffer, at: number): number {
  const { bytes, count, nameStart, id, hop } = head;
  let run = head.fieldsStart;
  let framed = framing === FRAMED_NOT;
  for (let i = 0; i < count; i++) {
    const rule = table[id[i]!]!;
    if (rule === 0 && hop[i] === 0) continue;
    const from = nameStart[i]!;
    if (from > run) at = copy(bytes, run, from, out, at);
    run = i + 1 < count ? nameStart[i + 1]! : head.end - 2;
    if (rule === 2 && !framed) {
      framed = true;
      at = framing === FRAMED_CHUNKED ? put(chunkedLine, out, at) : putLength(head, i, framing, out, at);
    }
  }
  const end = head.end - 2;
  if (end > run) at = copy(bytes, run, end, out, at);
  if (!framed) at = framing === FRAMED_CHUNKED ? put(chunkedLine, out, at) : putLength(head, -1, framing, out, at);
  return at;
}

/** Copies `source` whole; returns the offset behind. */
export function put(source: Uint8Array, out: Buffer, at: number): number {
  out.set(source, at);
  return at + source.length;
}

/** Writes latin1 text; returns the offset behind. */
export function putText(text: string, out: Buffer, at: number): number {
  return at + out.write(text, at, "latin1");
}

/** Copies `bytes[from..to)`; returns the offset behind. */
export function copy(bytes: Uint8Array, from: number, to: number, out: Buffer, at: number): number {
  out.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), at);
  return at + to - from;
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
      ? copy(head.bytes, head.nameStart[index]!, head.nameEnd[index]!, out, at)
      : putText("Content-Length", out, at);
  return putText(`: ${bytes}\r\n`, out, at);
}
